"""Laws of timing: both loops train the same network."""

from __future__ import annotations

import pytest
import torch

from lstmdrop.plugin import load_plugin
from lstmdrop.settings import resolve_config
from lstmdrop_tasks.mt.bench import PlainTranslator, _random_batches, _task_on_random_words, bench

SETTINGS = (
    "model.hidden_size=8", "model.embedding_size=8", "model.tied=false", "training.batch_tokens=60",
    "data.vocabulary_size=20", "regularizer.rule=none", "training.label_smoothing=0.1",
)  # fmt: skip


@pytest.mark.parametrize("num_layers", [1, 2])
@pytest.mark.parametrize("architecture", ["attention", "sequence", "stream"])
def test_the_plain_loop_has_the_same_weights_and_loss(architecture: str, num_layers: int) -> None:
    overrides = [*SETTINGS, f"model.architecture={architecture}", f"model.num_layers={num_layers}"]
    config = resolve_config(load_plugin("mt"), "tiny", overrides=overrides)
    task = _task_on_random_words(config, torch.device("cpu"))
    batches = _random_batches(task)
    plain = PlainTranslator(task)
    own, others = dict(task.model.named_parameters()), dict(plain.network.named_parameters())
    assert sum(p.numel() for p in own.values()) == sum(p.numel() for p in others.values())
    with torch.no_grad():
        for name, parameter in own.items():
            others[_plain_name(name, architecture)].copy_(parameter)
        loss = task.objective()(batches[0])
        assert float(loss.total / loss.count) == pytest.approx(float(plain(batches[0])), rel=1e-4)


def _plain_name(name: str, architecture: str) -> str:
    part, *rest = name.split(".")
    if architecture == "stream" and part == "encoder":  # the decoder's own LSTM
        part = "decoder"
    if part == "embedding":
        return ".".join(["source", *rest])
    if rest[0] == "embedding":
        return ".".join(["target", *rest[1:]])
    if part == "encoder" and architecture == "attention":  # encoder.ahead.0.layers.0.weight_ih_l0
        direction, layer, weight = rest[0], rest[1], rest[-1]
        return f"encoder.{weight[:-1]}{layer}{'_reverse' if direction == 'back' else ''}"
    if "layers" in rest:  # decoder.lstm.layers.0.weight_ih_l0
        layer, weight = rest[-2:]
        return (
            f"cells.{layer}.{weight.removesuffix('_l0')}"
            if architecture == "attention"
            else f"{part}.{weight[:-1]}{layer}"
        )
    return ".".join(rest).removeprefix("attention.")


def test_bench_gives_rates_of_both() -> None:
    speed = bench(resolve_config(load_plugin("mt"), "tiny", overrides=list(SETTINGS)), torch.device("cpu"), 0.01)
    assert speed.tokens_per_second > 0 < speed.plain_tokens_per_second
    assert speed.flops_per_token > 0
