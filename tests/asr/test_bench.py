"""Both rivals train, score and decode with the same network and the same outputs."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lstmdrop.plugin import load_plugin
from lstmdrop.settings import resolve_config
from lstmdrop_tasks.asr.bench import (
    BEAMS,
    NUM_FRAMES,
    bench,
    decoded,
    log_probs,
    random_batches,
    random_outputs,
    task_on_noise,
)
from lstmdrop_tasks.asr.rivals import PlainRecogniser, plain_decoded
from lstmdrop_tasks.asr.task import SpeechRecognition

SETTINGS = ("model.hidden_size=8", "training.batch_frames=1200", "regularizer.rule=none")


def built(*overrides: str) -> SpeechRecognition:
    config = resolve_config(load_plugin("asr"), "tiny", overrides=[*SETTINGS, *overrides])
    return task_on_noise(config, torch.device("cpu"))


@pytest.mark.parametrize("objective", ["ctc", "frames"])
@pytest.mark.parametrize("both", ["true", "false"])
def test_the_plain_loop_has_the_same_weights_loss_and_scores(objective: str, both: str) -> None:
    task = built(f"objective={objective}", f"model.bidirectional={both}", "model.num_layers=1")
    plain = PlainRecogniser(task).take_weights(task)
    own = list(task.model.parameters())
    assert sum(p.numel() for p in own) == sum(p.numel() for p in plain.parameters())
    batch = next(random_batches(task))
    with torch.no_grad():
        loss = task.objective()(batch)
        ours, theirs = float(loss.total / loss.count), float(plain(batch))
        assert ours == pytest.approx(theirs, rel=1e-4)  # all utterances are equally long
        torch.testing.assert_close(log_probs(task, batch), plain.log_probs(batch), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("beam", BEAMS)
@pytest.mark.parametrize("sharpness", [0.3, 1.0])
def test_prefixes_in_a_dictionary_are_the_same_search(beam: int, sharpness: float) -> None:
    task = built()
    for outputs in random_outputs(task)[:2]:
        flat = torch.from_numpy(sharpness * outputs[:60]).log_softmax(-1).numpy()
        found = decoded(task, beam, flat)
        assert found == plain_decoded(task.targets.blank, beam, flat)  # type: ignore[attr-defined]
        assert found


def test_what_is_decoded_says_letters_among_blanks_as_after_training() -> None:
    task = built()
    likeliest = np.concatenate([outputs.argmax(1) for outputs in random_outputs(task)])
    said = (likeliest != task.targets.blank).mean()  # type: ignore[attr-defined]
    assert 0.1 < said < 0.5


@pytest.mark.parametrize("objective", ["ctc", "frames"])
def test_every_contest_runs(objective: str) -> None:
    config = resolve_config(load_plugin("asr"), "tiny", overrides=[*SETTINGS, f"objective={objective}"])
    contests = bench(config, torch.device("cpu"))
    searches = [("decode", beam) for beam in BEAMS] if objective == "ctc" else []
    assert [(one.work, one.beam) for one in contests] == [("train", None), ("score", None), *searches]
    for one in contests[:3]:
        assert one.ours.num_items in (1, 2 * NUM_FRAMES)
        one.ours.make()()
        one.plain.make()()
