"""Laws of timing: both loops train the same network."""

from __future__ import annotations

import pytest
import torch

from lstmdrop.plugin import load_plugin
from lstmdrop.settings import resolve_config
from lstmdrop_tasks.asr.bench import PlainRecogniser, _random_batches, _task_on_noise, bench

SETTINGS = ("model.hidden_size=8", "training.batch_frames=1200", "regularizer.rule=none")


@pytest.mark.parametrize("objective", ["ctc", "frames"])
@pytest.mark.parametrize("both", ["true", "false"])
def test_the_plain_loop_has_the_same_weights_and_loss(objective: str, both: str) -> None:
    overrides = [*SETTINGS, f"objective={objective}", f"model.bidirectional={both}", "model.num_layers=1"]
    task = _task_on_noise(resolve_config(load_plugin("asr"), "tiny", overrides=overrides), torch.device("cpu"))
    batches = _random_batches(task)
    plain = PlainRecogniser(task)
    own = list(task.model.parameters())
    assert sum(p.numel() for p in own) == sum(p.numel() for p in plain.parameters())
    with torch.no_grad():
        for parameter, other in zip(own, plain.parameters(), strict=True):
            other.copy_(parameter)  # both lay the directions out one after the other
    loss = task.objective()(batches[0])
    ours, theirs = loss.total.detach(), plain(batches[0]).detach()
    assert float(ours / loss.count) == pytest.approx(float(theirs), rel=1e-4)  # all utterances are equally long


@pytest.mark.slow
def test_bench_gives_rates_of_both() -> None:
    config = resolve_config(load_plugin("asr"), "tiny", overrides=list(SETTINGS))
    speed = bench(config, torch.device("cpu"), 0.01)
    assert speed.tokens_per_second > 0 < speed.plain_tokens_per_second
    assert speed.flops_per_token > 0
