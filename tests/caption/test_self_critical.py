"""Laws of self-critical training."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from lstmdrop.commands.evaluate import evaluate
from lstmdrop.commands.train import train
from lstmdrop.errors import ConfigError, DataError
from lstmdrop.metrics.captions import CiderD
from lstmdrop.plugin import load_plugin
from lstmdrop.run import Run
from lstmdrop.settings import resolve_config
from lstmdrop.training.progress import Stepped
from lstmdrop_tasks.caption.self_critical import END, SelfCritical

Build = Callable[..., Any]


class Fixed(SelfCritical):
    """With the captions of a test in place of drawn ones."""

    written: Any = None

    def _written(self, images: torch.Tensor) -> Any:
        return self.written


def test_the_gradient_is_that_of_equation_8(build_caption: Build) -> None:
    """Beside the sum over the tokens written out, with rewards from the outside."""
    task = build_caption("regularizer.rule=none")
    batch = next(iter(task.batches("train")))
    objective = Fixed(task.model, task.tokenizer, task.rewards, 10)
    objective.written = SelfCritical._written(objective, batch.images)
    objective(batch).total.backward()
    gradient = task.model.decoder.softmax.weight.grad.clone()
    task.model.zero_grad()
    drawn, greedy = objective.written
    total = torch.zeros(())
    for row, (one, baseline) in enumerate(zip(drawn, greedy, strict=True)):
        lines = [objective._line(hypothesis) for hypothesis in (one, baseline)]
        reward, expected = task.rewards.scores(batch.image_numbers[[row, row]].tolist(), lines)
        tokens = [*one.tokens, *([task.tokenizer.eos] if one.finished else [])]
        state = task.model.encode(batch.images[row : row + 1])
        inputs = torch.tensor([task.tokenizer.eos, *tokens[:-1]])[:, None]
        features, _ = task.model.decoder.features(inputs, state)
        log_probs = task.model.decoder.softmax(features[:, 0]).log_softmax(-1)
        total = total - (reward - expected) * log_probs[range(len(tokens)), tokens].sum()
    total.backward()
    torch.testing.assert_close(task.model.decoder.softmax.weight.grad, gradient, rtol=1e-4, atol=1e-6)


def test_it_leaves_the_model_in_the_mode_it_was_in(build_caption: Build) -> None:
    task = build_caption()
    batch = next(iter(task.batches("train")))
    for mode in (True, False):
        task.model.train(mode)
        SelfCritical(task.model, task.tokenizer, task.rewards, 10)(batch)
        assert task.model.training is mode


def test_the_end_of_a_caption_is_part_of_its_reward() -> None:
    cider = CiderD([[f"a red ball {END}", f"a ball {END}"], [f"a blue box {END}"], [f"a green tree {END}"]])
    broken, whole = cider.scores([0, 0], ["a red ball", f"a red ball {END}"])
    assert whole > broken


@pytest.mark.slow
def test_the_second_stage_starts_where_the_first_ended_and_raises_the_reward(
    toys: dict[str, tuple[str, list[str]]], tmp_path: Path
) -> None:
    data, overrides = toys["caption"]
    first = train("caption", size="tiny", data=data, overrides=[*overrides, "training.epochs=12"], out=tmp_path / "one")
    settings = ["objective=self-critical", f"start_from={first.directory}", "training.epochs=3", "training.rate=0.002"]
    second = train("caption", preset=first.directory / "config.json", overrides=settings, out=tmp_path / "two")
    start = load_plugin("caption").build(
        resolve_config(load_plugin("caption"), stored=second.config()), second.assets, torch.device("cpu"), None
    )
    for name, value in first.load_best().tensors.items():
        assert torch.equal(start.model.state_dict()[name], value)
    rewards = [-entry["training_loss"] for entry in _epochs(second)]
    assert max(rewards[1:]) > rewards[0]


def _epochs(run: Run) -> list[dict[str, Any]]:
    lines = (run.directory / "log.jsonl").read_text().splitlines()
    return [entry for entry in map(json.loads, lines) if entry["event"] == "evaluated"]


def test_a_first_stage_is_needed_and_must_fit(toys: dict[str, tuple[str, list[str]]], tmp_path: Path) -> None:
    data, overrides = toys["caption"]
    plugin = load_plugin("caption")
    with pytest.raises(ConfigError, match="set start_from=RUN"):
        resolve_config(plugin, "tiny", data, overrides=[*overrides, "objective=self-critical"])
    with pytest.raises(DataError, match="nowhere"):
        train("caption", size="tiny", data=data, overrides=[*overrides, f"start_from={tmp_path}/nowhere"],
              out=tmp_path / "none")  # fmt: skip
    first = train("caption", size="tiny", data=data, overrides=[*overrides, "training.epochs=1"], out=tmp_path / "one")
    wider = [*overrides, "objective=self-critical", f"start_from={first.directory}", "model.hidden_size=16"]
    with pytest.raises(ConfigError, match="another network"):
        train("caption", size="tiny", data=data, overrides=wider, out=tmp_path / "two")


class StoppedError(Exception):
    """The run is killed."""


def stop_in_the_second_epoch(event: object) -> None:
    if isinstance(event, Stepped) and event.epoch == 2:
        raise StoppedError


@pytest.mark.slow
def test_a_run_goes_on_as_if_nothing_had_happened_though_its_first_stage_is_gone(
    toys: dict[str, tuple[str, list[str]]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")  # the Python tokeniser: Java takes a second to start
    data, overrides = toys["caption"]
    overrides = [*overrides, "training.save_minutes=0", "decoding.max_length=6", "decoding.beam_size=1"]
    overrides += ["training.kernel=onednn"]  # named, not measured: another choice would round in another way
    begin = partial(train, "caption", size="tiny", data=data, device="cpu")
    first = begin(overrides=[*overrides, "training.epochs=1"], out=tmp_path / "one")
    second = [*overrides, "objective=self-critical", f"start_from={first.directory}"]
    start = partial(begin, overrides=second)
    whole = start(out=tmp_path / "whole")
    with pytest.raises(StoppedError):
        start(out=tmp_path / "halves", listener=stop_in_the_second_epoch)
    shutil.rmtree(first.directory)
    halves = start(out=tmp_path / "halves", resume=True)
    for name, value in whole.load_best().tensors.items():
        assert torch.equal(halves.load_best().tensors[name], value)
    assert halves.result()["scores"] == whole.result()["scores"]
    assert [e["training_loss"] for e in _epochs(halves)] == [e["training_loss"] for e in _epochs(whole)]
    (score, *_) = evaluate("caption", runs=[halves.directory], split="valid")
    assert score.value == whole.result()["scores"][0]["value"]
