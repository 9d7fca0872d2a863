"""Laws of timing: both loops train the same network."""

from __future__ import annotations

import pytest
import torch

from lstmdrop.plugin import load_plugin
from lstmdrop.settings import resolve_config
from lstmdrop_tasks.caption.bench import PlainCaptioner, _random_batches, _task_on_random_words, bench

SETTINGS = (
    "model.hidden_size=8", "model.tied=false", "training.batch_tokens=60", "data.vocabulary_size=20",
    "regularizer.rule=none", "training.label_smoothing=0",
)  # fmt: skip


@pytest.mark.parametrize("architecture", ["show-tell", "attend"])
@pytest.mark.parametrize("num_layers", [1, 2])
def test_the_plain_loop_has_the_same_weights_and_loss(architecture: str, num_layers: int) -> None:
    overrides = [*SETTINGS, f"model.architecture={architecture}", f"model.num_layers={num_layers}"]
    task = _task_on_random_words(
        resolve_config(load_plugin("caption"), "tiny", overrides=overrides), torch.device("cpu")
    )
    batches = _random_batches(task)
    plain = PlainCaptioner(task)
    own = dict(task.model.named_parameters())
    others = dict(plain.network.named_parameters())
    assert sum(p.numel() for p in own.values()) == sum(p.numel() for p in others.values())
    with torch.no_grad():
        for name, parameter in own.items():
            others[_plain_name(name, is_cell=architecture == "attend")].copy_(parameter)
        loss = task.objective()(batches[0])
        assert float(loss.total / loss.count) == pytest.approx(float(plain(batches[0])), rel=1e-4)


def _plain_name(name: str, *, is_cell: bool) -> str:
    name = name.removeprefix("decoder.").removeprefix("attention.")
    if name.startswith("lstm.layers."):
        _, _, number, weight = name.split(".")
        return f"cells.{number}.{weight.removesuffix('_l0')}" if is_cell else f"lstm.{weight[:-1]}{number}"
    return name


def test_bench_gives_rates_of_both() -> None:
    speed = bench(resolve_config(load_plugin("caption"), "tiny", overrides=list(SETTINGS)), torch.device("cpu"), 0.01)
    assert speed.tokens_per_second > 0 < speed.plain_tokens_per_second
    assert speed.flops_per_token > 0
