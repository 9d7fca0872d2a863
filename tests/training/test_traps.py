"""Where reproductions of Zaremba et al. 2014 go wrong: the five traps, one by one."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from lstmdrop.data.batching import Window
from lstmdrop.nn.rules import make_regularizer
from lstmdrop.plugin import load_plugin
from lstmdrop.settings import resolve_config
from lstmdrop.training.optimizer import rate_at
from lstmdrop.training.progress import Logged, Stepped
from lstmdrop.training.trainer import Trainer
from lstmdrop_tasks.lm import task as lm_task
from lstmdrop_tasks.lm.config import LMConfig
from lstmdrop_tasks.lm.model import LanguageModel

PAPER = {
    # size: layers, hidden, init, rule, dropout, steps, batch, epochs at rate 1, divisor, epochs, clip, millions
    "small": (2, 200, 0.1, "none", None, 20, 20, 4, 2.0, 13, 5.0, 4.65),
    "medium": (2, 650, 0.05, "zaremba", 0.5, 35, 20, 6, 1.2, 39, 5.0, 19.78),
    "large": (2, 1500, 0.04, "zaremba", 0.65, 35, 20, 14, 1.15, 55, 10.0, 66.03),
}

Weights = dict[str, Tensor]


def negative_log_likelihoods(weights: Weights, inputs: Tensor, targets: Tensor) -> Tensor:
    """The paper's equations for two layers, token by token, from a zero state; shape (time, batch)."""
    hidden_size = weights["softmax.weight"].shape[1]
    h = [torch.zeros(inputs.shape[1], hidden_size, dtype=torch.float64) for _ in range(2)]
    c = [torch.zeros_like(h[0]) for _ in range(2)]
    losses = []
    for words, answers in zip(inputs, targets, strict=True):
        below = weights["embedding.weight"][words]
        for layer in range(2):
            name = f"lstm.layers.{layer}"
            gates = below @ weights[f"{name}.weight_ih_l0"].T + weights[f"{name}.bias_ih_l0"]
            gates = gates + h[layer] @ weights[f"{name}.weight_hh_l0"].T + weights[f"{name}.bias_hh_l0"]
            i, f, g, o = gates.chunk(4, dim=1)
            c[layer] = torch.sigmoid(f) * c[layer] + torch.sigmoid(i) * torch.tanh(g)
            h[layer] = torch.sigmoid(o) * torch.tanh(c[layer])
            below = h[layer]
        logits = below @ weights["softmax.weight"].T + weights["softmax.bias"]
        exponentials = torch.exp(logits)
        chosen = exponentials[torch.arange(len(answers)), answers]
        losses.append(-torch.log(chosen / exponentials.sum(1)))
    return torch.stack(losses)


def float64_weights(model: torch.nn.Module) -> Weights:
    return {name: value.detach().double().clone().requires_grad_() for name, value in model.named_parameters()}


def reference_gradient(weights: Weights, window: Window) -> Weights:
    """Of the loss that is a mean over the batch and a sum over the steps."""
    num_steps, batch_size = window.targets.shape
    assert num_steps > 1
    assert batch_size > 1
    loss = negative_log_likelihoods(weights, window.inputs, window.targets).sum() / batch_size
    return dict(zip(weights, torch.autograd.grad(loss, list(weights.values())), strict=True))


def joint_norm(gradient: Weights) -> float:
    return math.sqrt(sum(float(value.square().sum()) for value in gradient.values()))


def test_trap_1_gradient_is_of_the_sum_over_steps_and_mean_over_batch(build_lm: Callable[..., Any]) -> None:
    task = build_lm("regularizer.rule=none")
    window = next(iter(task.batches("train")))
    expected = reference_gradient(float64_weights(task.model), window)
    loss = task.objective()(window)
    loss.total.backward()
    for name, parameter in task.model.named_parameters():
        found = parameter.grad.double() / loss.divisor
        torch.testing.assert_close(
            found, expected[name], atol=2e-6, rtol=1e-5, msg=lambda text, at=name: f"{at}: {text}"
        )


@pytest.mark.parametrize("clip", [0.5, 1e6], ids=["clipped", "not clipped"])
def test_trap_1_one_step_clips_that_gradient_and_then_goes_down_it(build_lm: Callable[..., Any], clip: float) -> None:
    rate = 0.7
    task = build_lm("regularizer.rule=none", f"training.clip={clip}", f"training.rate={rate}")
    task.model.double()
    window = next(iter(task.batches("train")))
    before = float64_weights(task.model)
    gradient = reference_gradient(before, window)
    norm = joint_norm(gradient)
    assert 0.5 < norm < 1e6
    factor = min(1.0, clip / norm)
    trainer = Trainer(task, task.config)
    trainer.optimizer.param_groups[0]["lr"] = rate
    trainer.step([window])
    assert float(trainer.gradient_norm) == pytest.approx(norm, rel=1e-9)
    for name, parameter in task.model.named_parameters():
        expected = before[name] - rate * factor * gradient[name]
        torch.testing.assert_close(parameter.data, expected.data, atol=1e-6, rtol=0)
    moved = joint_norm({name: value.data - before[name].data for name, value in task.model.named_parameters()})
    assert moved == pytest.approx(rate * min(norm, clip), rel=1e-5)


@pytest.mark.parametrize("size", PAPER)
def test_trap_2_rate_is_1_for_n_whole_epochs_and_divided_before_each_later_one(size: str) -> None:
    *_, full_epochs, divisor, num_epochs, _, _ = PAPER[size]
    config = resolve_config(load_plugin("lm"), size)
    rates = [rate_at(config.training, epoch) for epoch in range(1, num_epochs + 1)]
    assert rates[:full_epochs] == [1.0] * full_epochs
    assert rates[full_epochs] == 1.0 / divisor
    for earlier, later in zip(rates[full_epochs - 1 :], rates[full_epochs:], strict=False):
        assert earlier / later == pytest.approx(divisor, rel=1e-12)
    assert rates[-1] == pytest.approx(divisor ** (full_epochs - num_epochs), rel=1e-12)


def test_trap_2_trainer_uses_the_epochs_rate_from_its_first_step_to_its_last(build_lm: Callable[..., Any]) -> None:
    task = build_lm(
        "training.epochs=4",
        "training.decay_after=2",
        "training.decay=1.2",
        "training.rate=0.25",
        "training.log_every=1",
    )
    trainer = Trainer(task, task.config)
    used: dict[int, set[float]] = {}
    for event in trainer.run():
        if isinstance(event, Stepped | Logged):
            used.setdefault(event.epoch, set()).add(trainer.optimizer.param_groups[0]["lr"])
        if isinstance(event, Logged):
            used[event.epoch].add(event.rate)
    assert used == {1: {0.25}, 2: {0.25}, 3: {0.25 / 1.2}, 4: {0.25 / 1.2**2}}


@pytest.mark.parametrize("size", PAPER)
def test_presets_are_the_papers_table(size: str) -> None:
    layers, hidden, init, rule, dropout, steps, batch, full_epochs, divisor, epochs, clip, millions = PAPER[size]
    config = resolve_config(load_plugin("lm"), size)
    assert isinstance(config, LMConfig)
    model, training, regularizer = config.model, config.training, config.regularizer
    assert (model.num_layers, model.hidden_size, model.init_bound) == (layers, hidden, init)
    assert (training.num_steps, training.batch_size) == (steps, batch)
    assert (training.optimizer, training.rate, training.weight_decay) == ("sgd", 1.0, 0.0)
    assert (training.decay_after, training.decay, training.epochs) == (full_epochs, divisor, epochs)
    assert (training.clip, training.accumulate, training.patience) == (clip, 1, None)
    assert regularizer.rule == rule
    assert dropout is None or regularizer.dropout == dropout
    network = LanguageModel(model, 10_000, make_regularizer(rule), torch.Generator())
    num_parameters = sum(parameter.numel() for parameter in network.parameters())
    assert round(num_parameters / 1e6, 2) == pytest.approx(millions, abs=0.0051)


class Masks(TorchDispatchMode):
    """Collects the shapes of the masks that are drawn while it is active."""

    def __init__(self) -> None:
        super().__init__()
        self.drawn: list[Tensor] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        result = func(*args, **(kwargs or {}))
        if func.overloadpacket in (torch.ops.aten.bernoulli_, torch.ops.aten.bernoulli):
            self.drawn.append(result.clone())
        elif func.overloadpacket is torch.ops.aten.native_dropout:
            self.drawn.append(result[1].clone())
        return result


@pytest.mark.parametrize("num_layers", [1, 2, 3])
def test_trap_3_one_mask_more_than_layers_and_the_softmax_reads_the_last(
    build_lm: Callable[..., Any], num_layers: int
) -> None:
    task = build_lm("regularizer.rule=zaremba", "regularizer.dropout=0.4", f"model.num_layers={num_layers}")
    window = next(iter(task.batches("train")))
    task.model.train()
    task.model.loss(window.inputs, window.targets)  # the kernel is measured with this one
    with Masks() as masks:
        features, _ = task.model.features(window.inputs)
    assert [tuple(mask.shape) for mask in masks.drawn] == [(5, 4, 8)] * (num_layers + 1)
    assert torch.equal(features == 0, masks.drawn[-1] == 0)
    assert 0 < int((features == 0).sum()) < features.numel()
    task.model.eval()
    with Masks() as masks:
        features, _ = task.model.features(window.inputs)
    assert masks.drawn == []
    assert bool((features != 0).all())


def test_trap_3_the_loss_in_training_draws_no_mask_beyond_these(build_lm: Callable[..., Any]) -> None:
    task = build_lm("regularizer.rule=zaremba", "regularizer.dropout=0.4")
    window = next(iter(task.batches("train")))
    task.model.train()
    task.model.loss(window.inputs, window.targets)
    with Masks() as masks:
        loss = task.objective()(window)
        loss.total.backward()
    assert len(masks.drawn) == 3


def test_trap_4_perplexity_is_over_one_stream_with_carried_state_and_its_tail(
    build_lm: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    task = build_lm("model.init_bound=1.5")
    stream = torch.from_numpy(task.store("test").tokens.astype("int64"))[:, None]
    with torch.no_grad():
        losses = negative_log_likelihoods(float64_weights(task.model), stream[:-1], stream[1:])
    assert losses.shape == (len(stream) - 1, 1)
    expected = math.exp(float(losses.sum()) / (len(stream) - 1))
    for window in (512, len(stream) - 1, 7, 1):
        monkeypatch.setattr(lm_task, "SCORING_WINDOW", window)
        (score,) = task.evaluate("test")
        assert score.value == pytest.approx(expected, rel=1e-5)
        assert f"tokens:{len(stream) - 1}|" in score.signature
    with torch.no_grad():
        forgetful = [negative_log_likelihoods(float64_weights(task.model), *part) for part in zip(
            stream[:-1].split(7), stream[1:].split(7), strict=True)]  # fmt: skip
    without_memory = math.exp(float(torch.cat(forgetful).mean()))
    assert without_memory != pytest.approx(expected, rel=1e-3)  # so the state does count


def test_trap_5_vocabulary_comes_from_the_training_text_only(
    build_lm: Callable[..., Any], make_corpus: Callable[..., Path]
) -> None:
    folder = make_corpus("strange")
    train = (folder / "train.txt").read_text()
    (folder / "valid.txt").write_text("the cat zzz the cat\n" * 10)
    (folder / "test.txt").write_text("qqq sees the moon\nqqq sees the moon\n" * 5)
    task = build_lm(data=folder)
    vocabulary = task.tokenizer.vocabulary
    assert set(vocabulary.tokens) == {*train.split(), "<eos>", "<unk>"}
    assert task.store("test").num_tokens == 10 * 5  # four words and an <eos> a line
    assert int((task.store("test").tokens == vocabulary.unk).sum()) == task.store("test").num_unknown == 10
    assert int((task.store("valid").tokens == vocabulary.eos).sum()) == 10
    assert task.store("train").num_tokens == len(train.split()) + train.count("\n")


def test_trap_5_penn_treebank_has_the_papers_counts(shared_data: Path, build_lm: Callable[..., Any]) -> None:
    task = build_lm(data=shared_data / "ptb")
    assert len(task.tokenizer.vocabulary) == 10_000
    assert [task.store(split).num_tokens for split in ("train", "valid", "test")] == [929_589, 73_760, 82_430]
