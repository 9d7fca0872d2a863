"""Laws of the speech recognition task."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch

from lstmdrop import train
from lstmdrop.data.tokenizer import train_tokenizer
from lstmdrop.decoding.ctc import CTCHypothesis
from lstmdrop.errors import ConfigError, DataError, UsageError
from lstmdrop.metrics.word_error_rate import normalise_transcript, transcript_scores
from lstmdrop.nn.rules import RULE_NAMES
from lstmdrop.report.curves import read_curves
from lstmdrop.training.trainer import Trainer
from lstmdrop_tasks.asr.config import ASRDecodingConfig
from lstmdrop_tasks.asr.decoder import Decoder
from lstmdrop_tasks.asr.model import stack_frames
from lstmdrop_tasks.asr.objectives.objective import PADDING, pad_utterances
from lstmdrop_tasks.asr.task import evaluate, log_prob_batches

Build = Callable[..., Any]
OBJECTIVES = pytest.mark.parametrize("objective", ["ctc", "frames"])
DIRECTIONS = pytest.mark.parametrize("both", ["true", "false"])


def loss_of(task: Any, batch: Any) -> float:
    return float(task.objective()(batch).total.detach())


def batch_of(task: Any, numbers: list[int], split: Any = "train") -> Any:
    speech, targets = task.speech, task.targets
    store = speech.store(split)
    features = [speech.features(split, number, task.normalisation) for number in numbers]
    labels = [targets.targets(speech.utterances(split)[number], store, number) for number in numbers]
    return pad_utterances(numbers, features, labels, task.device)


@OBJECTIVES
@pytest.mark.parametrize("rule", RULE_NAMES)
def test_every_rule_trains_the_encoder(build_asr: Build, objective: str, rule: str) -> None:
    task = build_asr(f"objective={objective}", f"regularizer.rule={rule}", f"model.bidirectional={rule != 'naive'}")
    trainer = Trainer(task, task.config)
    before = [parameter.clone() for parameter in task.model.parameters()]
    task.model.train()
    for batch in task.batches("train", epoch=1):
        trainer.step([batch])
    for old, new in zip(before, task.model.parameters(), strict=True):
        assert not torch.equal(old, new)


@OBJECTIVES
@DIRECTIONS
def test_padding_changes_no_loss(build_asr: Build, objective: str, both: str) -> None:
    task = build_asr(f"objective={objective}", f"model.bidirectional={both}")
    task.model.eval()
    alone = sum(loss_of(task, batch_of(task, [number])) for number in range(8))
    assert loss_of(task, batch_of(task, list(range(8)))) == pytest.approx(alone, rel=1e-5)


@OBJECTIVES
def test_a_recogniser_learns_its_training_data(build_asr: Build, objective: str) -> None:
    rates = ("regularizer.rule=none", "training.rate=0.02", "model.hidden_size=24", "model.num_layers=1")
    task = build_asr(f"objective={objective}", *rates)
    trainer = Trainer(task, task.config)
    for epoch in range(25):
        task.model.train()
        for batch in task.batches("train", epoch=epoch):
            trainer.step([batch])
    score = task.evaluate("train")[0]
    assert score.value > 97 if objective == "frames" else score.value < 20


def test_stacked_frames_are_the_frames_around_each_step() -> None:
    features = torch.arange(1.0, 8.0).view(7, 1, 1)
    assert stack_frames(features, 3, 1)[:, 0].tolist() == [[max(0, n - 1), n, (n + 1) % 8] for n in range(1, 8)]
    assert stack_frames(features, 3, 3)[:, 0].tolist() == [[1, 2, 3], [4, 5, 6], [7, 0, 0]]
    assert stack_frames(features, 4, 2)[:, 0].tolist() == [[0, 1, 2, 3], [2, 3, 4, 5], [4, 5, 6, 7], [6, 7, 0, 0]]


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_every_frame_is_predicted_whatever_the_stride(build_asr: Build, stride: int, tmp_path: Path) -> None:
    task = build_asr("objective=frames", "model.stack=3", f"model.stride={stride}")
    score, _ = task.evaluate("valid", outputs=tmp_path)
    store = task.speech.store("valid")
    assert f"frames:{len(store.frames)}|" in score.signature
    lines = (tmp_path / "predictions.txt").read_text().splitlines()
    names = [line.split(" ", 1)[0] for line in lines]
    assert names == [utterance.id for utterance in task.speech.utterances("valid")]
    phones = [line.split(" ")[1:] for line in lines]
    assert [len(own) for own in phones] == store.lengths.tolist()
    right = sum(
        task.targets.phones[target] == phone
        for number, own in enumerate(phones)
        for target, phone in zip(task.targets.targets(None, store, number), own, strict=True)
    )
    assert score.value == pytest.approx(100 * right / len(store.frames))


def test_the_loss_of_a_frame_is_that_of_a_fair_die_where_the_network_knows_nothing(build_asr: Build) -> None:
    task = build_asr("objective=frames", "model.stack=2", "model.stride=2")
    with torch.no_grad():
        for parameter in task.model.parameters():
            parameter.zero_()
    _, loss = task.evaluate("valid")
    assert (loss.name, loss.higher_is_better) == ("frame_loss", False)
    assert loss.value == pytest.approx(math.log(len(task.targets.phones)), rel=1e-6)


def test_a_step_predicts_its_own_frames(build_asr: Build) -> None:
    """With stride 2, output 2n speaks for frame 2n and output 2n + 1 for the one after it."""
    task = build_asr("objective=frames", "model.stack=2", "model.stride=2")
    num_phones = len(task.targets.phones)
    outputs = torch.zeros(3, 1, 2 * num_phones)
    said = [1, 2, 3, 0, 2]
    for frame, phone in enumerate(said):
        outputs[frame // 2, 0, (frame % 2) * num_phones + phone] = 1.0
    assert task.targets.by_frame(outputs, 5).argmax(-1)[:, 0].tolist() == said


def test_ctc_writes_what_was_said(build_asr: Build) -> None:
    task = build_asr()
    batch = batch_of(task, [0, 1, 2])
    for column, number in enumerate(batch.numbers.tolist()):
        tokens = [token for token in batch.targets[:, column].tolist() if token != PADDING]
        assert task.targets.tokenizer.decode(tokens) == normalise_transcript(
            task.speech.utterances("train")[number].text
        )
        assert task.targets.blank not in tokens


def test_the_ctc_loss_is_over_each_rows_own_steps(build_asr: Build) -> None:
    task = build_asr()
    task.model.eval()
    batch = batch_of(task, [3])
    with torch.no_grad():
        log_probs = task.model(batch.features, batch.lengths).log_softmax(-1)
    steps, blank = torch.tensor([len(log_probs)]), task.targets.blank
    expected = torch.nn.functional.ctc_loss(
        log_probs, batch.targets.T, steps, batch.target_lengths, blank=blank, reduction="sum"
    )
    assert loss_of(task, batch) == pytest.approx(float(expected), rel=1e-5)


def copy_with(
    toy_speech: Path, folder: Path, change: Callable[[dict[str, Any]], None], split: str = "train", count: int = 1
) -> Path:
    shutil.copytree(toy_speech, folder)
    lines = [json.loads(line) for line in (folder / f"{split}.jsonl").read_text().splitlines()]
    for line in lines[2 : 2 + count]:
        change(line)
    (folder / f"{split}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


@pytest.mark.parametrize(
    ("text", "reason"),
    [("A" * 300, "steps cannot say 300 tokens, which need 599"), ("...", "its transcript is empty")],
)
def test_what_cannot_be_aligned_is_named_and_left_out(
    build_asr: Build, toy_speech: Path, tmp_path: Path, text: str, reason: str
) -> None:
    task = build_asr(data=copy_with(toy_speech, tmp_path / "copy", lambda line: line.update(text=text)))
    used = {number for batch in task.batches("train", epoch=1) for number in batch.numbers.tolist()}
    assert used == set(range(24)) - {2}
    assert task.summary()["left out"].startswith("1: train2 (")
    assert reason in task.summary()["left out"]


def test_an_infinite_loss_is_masked_and_counted(build_asr: Build, caplog: pytest.LogCaptureFixture) -> None:
    task = build_asr()
    short = np.zeros((4, 6), np.float32)
    batch = pad_utterances([0, 1], [short, short], [np.array([3, 3, 3]), np.array([3])], task.device)
    loss = task.objective()(batch)
    loss.total.backward()
    assert torch.isfinite(loss.total)
    assert all(torch.isfinite(parameter.grad).all() for parameter in task.model.parameters())
    assert task.targets.num_infinite == 1
    assert "infinite" in caplog.text
    assert loss.count == 1  # the token of the other utterance
    caplog.clear()
    assert "|masked_in_training:1|" in task.evaluate("valid")[2].signature
    assert "1 ctc losses of training so far were infinite and masked" in caplog.text


def test_the_loss_of_a_split_is_the_training_loss_without_dropout(build_asr: Build) -> None:
    task = build_asr()
    wer, _, loss = task.evaluate("valid")
    assert (wer.name, loss.name) == ("wer", "ctc_loss")  # the first one chooses the checkpoint
    losses = [task.objective()(batch) for batch in task.batches("valid")]
    assert loss.value == pytest.approx(
        sum(float(own.total.detach()) for own in losses) / sum(own.count for own in losses)
    )
    assert f"tokens:{sum(own.count for own in losses)}|models:1|" in loss.signature


def test_a_loss_that_is_infinite_counts_in_no_mean(build_asr: Build, toy_speech: Path, tmp_path: Path) -> None:
    folder = copy_with(toy_speech, tmp_path / "copy", lambda line: line.update(text="A" * 300), split="valid")
    plain, other = build_asr().evaluate("valid")[2], build_asr(data=folder).evaluate("valid")[2]
    assert "|masked:1|" in other.signature
    assert "masked" not in plain.signature
    assert 0 < other.value < 2 * plain.value


def test_a_run_shows_its_loss_in_training_and_validation(
    toys: dict[str, tuple[str, list[str]]], tmp_path: Path
) -> None:
    data, overrides = toys["asr"]
    run = train("asr", size="tiny", data=data, overrides=overrides, out=tmp_path / "run")
    curves = read_curves(run.directory)
    assert (curves.metric, curves.epochs) == ("ctc_loss", (1, 2))
    assert np.isfinite([*curves.training, *curves.validation]).all()
    assert {(row["split"], row["name"]) for row in run.result()["scores"]} == {
        (split, name) for split in ("train", "valid", "test") for name in ("wer", "cer", "ctc_loss")
    }


def test_all_that_is_left_out_is_named_in_the_run(build_asr: Build, toy_speech: Path, tmp_path: Path) -> None:
    folder = copy_with(toy_speech, tmp_path / "copy", lambda line: line.update(text="..."), count=7)
    assert (
        build_asr(data=folder)
        .summary()["left out"]
        .endswith("train6 (its transcript is empty), and 2 more: assets/left_out.txt in the run names all")
    )
    (named,) = tmp_path.glob("assets/*/left_out.txt")
    assert named.read_text() == "".join(f"train\ttrain{n}\tits transcript is empty\n" for n in range(2, 9))


@OBJECTIVES
def test_the_number_scored_at_a_time_changes_no_score(build_asr: Build, objective: str) -> None:
    one, all_five = (build_asr(f"objective={objective}", f"decoding.batch_size={size}") for size in (1, 5))
    assert (one.num_batches("valid"), all_five.num_batches("valid")) == (5, 1)
    for own, other in zip(one.evaluate("valid"), all_five.evaluate("valid"), strict=True):
        assert own.value == pytest.approx(other.value, rel=1e-5)


def test_blank_collapse_is_reported(build_asr: Build, caplog: pytest.LogCaptureFixture) -> None:
    task = build_asr()
    with torch.no_grad():
        task.model.softmax.bias[task.targets.blank] += 50.0
    scores = task.evaluate("valid")
    assert "100% of the transcripts are empty" in caplog.text
    assert [score.value for score in scores[:2]] == [100.0, 100.0]  # every word is a deletion, none is dropped
    assert "empty:100.0%" in scores[0].signature


def test_one_bad_file_is_named_and_more_than_one_in_a_hundred_are_an_error(
    build_asr: Build, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    good = np.random.default_rng(0).standard_normal((20, 6)).astype(np.float32)
    np.save(folder / "good.npy", good)
    for split, count in (("train", 50), ("valid", 2), ("test", 2)):
        lines = [{"id": f"{split}{n}", "features": "good.npy", "text": "a b"} for n in range(count)]
        if split == "train":
            lines[0]["features"] = "absent.npy"
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    task = build_asr(data=folder)
    assert task.summary()["left out"] == f"1: train0 ({folder / 'absent.npy'}: no such file)"
    assert caplog.text.count("absent.npy: no such file") == 1
    manifest = (folder / "train.jsonl").read_text().replace('"train1", "features": "good', '"train1", "features": "bad')
    (folder / "train.jsonl").write_text(manifest)
    with pytest.raises(DataError, match=r"2 of 50 train files cannot be used, more than 1%"):
        build_asr("seed=2", data=folder)


def test_an_unreadable_test_file_counts_as_an_empty_hypothesis(build_asr: Build, tmp_path: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    np.save(folder / "good.npy", np.random.default_rng(0).standard_normal((20, 6)).astype(np.float32))
    for split, count in (("train", 4), ("valid", 2), ("test", 100)):
        lines = [{"id": f"{split}{n}", "features": "good.npy", "text": "a b"} for n in range(count)]
        if split == "test":
            lines[7]["features"] = "absent.npy"
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    task = build_asr(data=folder)
    wer = task.evaluate("test", outputs=tmp_path)[0]
    assert "words:200|lines:100|" in wer.signature
    assert (tmp_path / "predictions.txt").read_text().split("\n")[7] == ""
    assert "test7: 0 substituted, 0 inserted, 2 deleted of 2" in (tmp_path / "errors.txt").read_text()


def test_wer_is_that_of_the_saved_predictions(build_asr: Build, tmp_path: Path) -> None:
    import jiwer

    task = build_asr()
    wer, cer, _ = task.evaluate("test", outputs=tmp_path)
    hypotheses = (tmp_path / "predictions.txt").read_text().split("\n")[:-1]
    references = [normalise_transcript(utterance.text) for utterance in task.speech.utterances("test")]
    assert wer.value == pytest.approx(100 * jiwer.wer(references, hypotheses))
    assert cer.value == pytest.approx(100 * jiwer.cer(references, hypotheses))


@OBJECTIVES
def test_an_ensemble_of_a_model_with_itself_is_the_model(build_asr: Build, objective: str) -> None:
    task = build_asr(f"objective={objective}")
    alone, double = task.evaluate("test"), evaluate([task, task], "test")
    assert [score.value for score in alone] == [score.value for score in double]
    assert "models:2" in double[0].signature


def test_models_of_other_seeds_speak_of_the_same_utterance(build_asr: Build) -> None:
    tasks = [build_asr(f"seed={seed}") for seed in (1, 2)]

    def said(models: list[Any]) -> dict[int, torch.Tensor]:
        return {
            number: log_probs[: -(-length // 2), column].exp()
            for log_probs, batch in log_prob_batches(models, "train")
            for column, (number, length) in enumerate(zip(batch.numbers.tolist(), batch.lengths.tolist(), strict=True))
        }

    together, (one, other) = said(tasks), (said([task]) for task in tasks)
    for number, probabilities in together.items():
        assert torch.allclose(probabilities, (one[number] + other[number]) / 2, atol=1e-5)


@pytest.mark.parametrize("other", ["objective=frames", "model.stride=1", "features.frame_shift=20"])
def test_models_of_other_outputs_or_steps_cannot_be_averaged(build_asr: Build, other: str) -> None:
    with pytest.raises(UsageError, match="cannot speak as one"):
        evaluate([build_asr(), build_asr(other)], "test")


def test_statistics_are_of_the_training_data_or_of_each_speaker(build_asr: Build) -> None:
    task = build_asr()
    features = np.concatenate([task.speech.features("train", n, task.normalisation) for n in range(24)])
    assert np.allclose(features.mean(0), 0, atol=1e-4)
    own = build_asr("features.normalisation=speaker")
    speaker = [own.speech.features("valid", n, own.normalisation) for n in (1, 3)]  # both of valid-1
    assert np.allclose(np.concatenate(speaker).mean(0), 0, atol=1e-4)
    assert not np.allclose(speaker[0].mean(0), 0, atol=1e-2)


def test_augmented_batches_change_from_epoch_to_epoch_and_evaluation_is_plain(build_asr: Build) -> None:
    task = build_asr(
        "augmentation.time_masks=2", "augmentation.frequency_masks=1", "augmentation.frequency_mask_bins=3"
    )
    plain = {n: task.speech.features("train", n, task.normalisation) for n in range(24)}

    def columns(batches: Any) -> dict[int, np.ndarray]:
        return {
            number: batch.features[: batch.lengths[column], column].numpy()
            for batch in batches
            for column, number in enumerate(batch.numbers.tolist())
        }

    first, second = columns(task.batches("train", epoch=1)), columns(task.batches("train", epoch=2))
    assert any(not np.array_equal(first[n], second[n]) for n in plain)
    for number, features in first.items():
        assert np.logical_or(features == plain[number], features == 0).all()
    evaluated = columns(task.plain_batches("train"))
    assert all(np.array_equal(evaluated[n], plain[n]) for n in plain)


def test_features_that_come_ready_cannot_be_played_faster(build_asr: Build) -> None:
    with pytest.raises(DataError, match=r"only sound can be played faster"):
        list(build_asr("augmentation.speeds=[0.9,1.0]").batches("train", epoch=1))


@pytest.mark.parametrize(
    ("override", "reason"),
    [
        ("model.stride=4", "stack 3 under stride 4 leaves frames unread"),
        ("augmentation.speeds=[9.0]", "speeds lie between 0.25 and 4"),
        ("features.num_coefficients=99", None),
    ],
)
def test_settings_that_cannot_be_are_refused(build_asr: Build, override: str, reason: str | None) -> None:
    if reason is None:
        build_asr(override)  # of filter banks there are no coefficients
        with pytest.raises(ConfigError, match="99 coefficients cannot be made"):
            build_asr(override, "features.kind=mfcc")
    else:
        with pytest.raises(ConfigError, match=reason):
            build_asr(override)


@pytest.mark.parametrize("objective", ["frames", "ctc"])
def test_a_run_is_scored_on_training_data_too(build_asr: Build, objective: str) -> None:
    assert build_asr(f"objective={objective}").scored_splits == ("train", "valid", "test")


@pytest.mark.parametrize("kind", ["character", "bpe"])
def test_what_is_unknown_is_one_symbol_of_a_hypothesis(tmp_path: Path, kind: Literal["character", "bpe"]) -> None:
    """Three unknown letters are no words "unk unk unk": one wrong word of one is 100%, not 300%."""
    text = tmp_path / "text"
    text.write_text("cat sat\n" * 50, encoding="utf-8")
    tokenizer = train_tokenizer(kind, text)
    decoder = Decoder(tokenizer, ASRDecodingConfig())
    heard = decoder.text(CTCHypothesis((tokenizer.unk,) * 3, 0.0, 0.0))
    assert heard == "\ufffd\ufffd\ufffd"
    wer, cer = transcript_scores(["cat"], [heard], {})
    assert (wer.value, cer.value) == (100.0, 100.0)
