"""Both rivals train, score and translate with the same network."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from lstmdrop.plugin import load_plugin
from lstmdrop.settings import resolve_config
from lstmdrop.training.plain import PlainWriter
from lstmdrop_tasks.mt.bench import (
    BEAMS,
    SENTENCES,
    bench,
    log_probs,
    plain_network,
    plain_translation,
    random_batches,
    random_sources,
    task_on_random_words,
    translations,
)
from lstmdrop_tasks.mt.rivals import weights_of
from lstmdrop_tasks.mt.task import MachineTranslation

SETTINGS = (
    "model.hidden_size=8", "model.embedding_size=8", "training.batch_tokens=60", "data.vocabulary_size=20",
    "regularizer.rule=none", "training.label_smoothing=0.1", "model.init_bound=0.7",
)  # fmt: skip


def built(*overrides: str) -> tuple[MachineTranslation, PlainWriter[Any]]:
    config = resolve_config(load_plugin("mt"), "tiny", overrides=[*SETTINGS, *overrides])
    task = task_on_random_words(config, torch.device("cpu"))
    return task, plain_network(task)


@pytest.mark.parametrize("num_layers", [1, 2])
@pytest.mark.parametrize("architecture", ["attention", "sequence", "stream"])
def test_the_plain_loop_has_the_same_weights_loss_and_scores(architecture: str, num_layers: int) -> None:
    task, plain = built(f"model.architecture={architecture}", f"model.num_layers={num_layers}", "model.tied=false")
    assert sum(p.numel() for p in task.model.parameters()) == sum(p.numel() for p in plain.parameters())
    batch = next(random_batches(task))
    with torch.no_grad():
        loss = task.objective()(batch)
        assert float(loss.total / loss.count) == pytest.approx(float(plain(batch)), rel=1e-4)
        torch.testing.assert_close(log_probs(task, batch), plain.log_probs(batch), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("beam", BEAMS)
@pytest.mark.parametrize("architecture", ["attention", "sequence"])
@pytest.mark.parametrize("settings", [(), ("model.tied=true", "decoding.length_penalty=0.6")])
def test_one_hypothesis_after_the_other_finds_what_the_batch_finds(
    beam: int, architecture: str, settings: tuple[str, ...]
) -> None:
    task, plain = built(f"model.architecture={architecture}", *settings)
    task.model.eval()
    lines = random_sources(task, 3)
    with torch.no_grad():
        for sooner in (0, 3):  # to end
            task.decoder.softmax.bias[task.tokenizers.target.eos] += sooner
            plain.take_weights(weights_of(task))
            found = translations(task, beam, lines)
            assert found == [plain_translation(task, plain, beam, line) for line in lines]


def test_every_contest_runs_and_has_as_many_items_as_it_says() -> None:
    config = resolve_config(load_plugin("mt"), "tiny", overrides=SETTINGS)
    contests = bench(config, torch.device("cpu"))
    assert [(one.work, one.beam) for one in contests] == [
        ("train", None), ("score", None), *(("decode", beam) for beam in BEAMS)
    ]  # fmt: skip
    for one in contests:
        assert one.flops > 0 < one.step_bytes
        one.plain.make()()
        done = one.ours.make()()
        if one.work == "score":
            assert isinstance(done, torch.Tensor)
            assert done.numel() == one.ours.num_items
        if one.work == "decode":
            assert isinstance(done, list)
            assert len(done) == one.ours.num_items == SENTENCES
