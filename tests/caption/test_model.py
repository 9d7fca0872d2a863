"""Laws of the captioning networks."""

from __future__ import annotations

import pytest
import torch

from lstmdrop.nn.decoder import AttentionDecoder
from lstmdrop.nn.rules import make_regularizer
from lstmdrop_tasks.caption.config import CaptionModelConfig
from lstmdrop_tasks.caption.model import Attend, ShowTell, build_captioner

CHANNELS, WORDS, SIZE = 7, 11, 5


def build(architecture: str, rule: str = "none", **settings: object) -> ShowTell | Attend:
    config = CaptionModelConfig(architecture=architecture, hidden_size=SIZE, **settings)  # type: ignore[arg-type]
    generator = torch.Generator().manual_seed(1)
    return build_captioner(config, CHANNELS, WORDS, make_regularizer(rule, 0.5), generator).double()


def images(num_rows: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(3, num_rows, CHANNELS, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("architecture", ["show-tell", "attend"])
@pytest.mark.parametrize("num_layers", [1, 2])
def test_steps_are_the_whole_pass(architecture: str, num_layers: int) -> None:
    model = build(architecture, num_layers=num_layers).eval()
    tokens = torch.randint(WORDS, (6, 3), generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        features, _ = model.decoder.features(tokens, model.encode(images(5)))
        whole = model.decoder.softmax(features).log_softmax(-1)
        state = model.encode(images(5))
        for row, expected in zip(tokens, whole, strict=True):
            log_probs, _, state = model.decoder.step(row, state)
            torch.testing.assert_close(log_probs, expected, rtol=0, atol=1e-12)


def test_show_and_tell_reads_the_image_as_a_word_before_the_first() -> None:
    """Beside a plain LSTM over the image and the words."""
    model = build("show-tell").eval()
    assert isinstance(model, ShowTell)
    tokens = torch.randint(WORDS, (4, 3), generator=torch.Generator().manual_seed(2))
    (layer,) = model.decoder.lstm.layers
    with torch.no_grad():
        normal = torch.nn.functional.layer_norm(images(1)[:, 0], (CHANNELS,))
        outputs, _ = layer(torch.cat([model.image(normal)[None], model.decoder.embedding(tokens)]))
        features, _ = model.decoder.features(tokens, model.encode(images(1)))
    torch.testing.assert_close(features, outputs[1:], rtol=0, atol=1e-12)


def test_show_and_tell_ignores_the_map_and_attention_does_not() -> None:
    for architecture, is_seen in (("show-tell", False), ("attend", True)):
        model = build(architecture).eval()
        other = images(5).clone()
        other[:, 1:] = images(5, seed=9)[:, 1:]
        tokens = torch.zeros(1, 3, dtype=torch.long)
        with torch.no_grad():
            first, _ = model.decoder.features(tokens, model.encode(images(5)))
            second, _ = model.decoder.features(tokens, model.encode(other))
        assert torch.equal(first, second) is not is_seen


def test_the_order_of_places_moves_the_attention_and_nothing_else() -> None:
    model = build("attend").eval()
    order = torch.tensor([0, 3, 1, 4, 2])
    tokens = torch.tensor([1, 2, 3])
    with torch.no_grad():
        log_probs, looks, _ = model.decoder.step(tokens, model.encode(images(5)))
        moved, moved_looks, _ = model.decoder.step(tokens, model.encode(images(5)[:, order]))
    assert looks is not None
    assert moved_looks is not None
    torch.testing.assert_close(log_probs, moved, rtol=0, atol=1e-12)
    torch.testing.assert_close(looks[:, order[1:] - 1], moved_looks, rtol=0, atol=1e-12)
    torch.testing.assert_close(looks.sum(1), torch.ones(3, dtype=torch.float64))


def test_a_closed_gate_shuts_the_image_out() -> None:
    model = build("attend").eval()
    assert isinstance(model.decoder, AttentionDecoder)
    assert model.decoder.gate is not None
    torch.nn.init.constant_(model.decoder.gate.bias, -1e9)
    start = model.encode(images(5))
    other = model.encode(images(5, seed=4))
    tokens = torch.tensor([[1, 2, 3]])
    with torch.no_grad():
        first, _ = model.decoder.features(tokens, start)
        second, _ = model.decoder.features(tokens, start._replace(memory=other.memory))
    assert torch.equal(first, second)


@pytest.mark.parametrize("architecture", ["show-tell", "attend"])
def test_features_of_any_scale_are_seen_alike(architecture: str) -> None:
    model = build(architecture).eval()
    tokens = torch.tensor([[1, 2, 3]])
    with torch.no_grad():
        first, _ = model.decoder.features(tokens, model.encode(images(5)))
        second, _ = model.decoder.features(tokens, model.encode(40 * images(5) + 7))
    torch.testing.assert_close(first, second, rtol=0, atol=1e-4)


def test_gradients_of_the_gated_decoder() -> None:
    model = build("attend", num_layers=1)
    tokens = torch.tensor([[1, 2, 3], [4, 5, 6]])
    parameters = list(model.parameters())

    def loss(*values: torch.Tensor) -> torch.Tensor:
        features, _ = model.decoder.features(tokens, model.encode(images(4)))
        return model.decoder.softmax(features).log_softmax(-1)[..., 0].sum()

    assert torch.autograd.gradcheck(loss, parameters, fast_mode=True)
