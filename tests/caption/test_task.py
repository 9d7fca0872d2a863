"""Laws of the captioning task."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lstmdrop.errors import ConfigError, DataError, MissingPartError, UsageError
from lstmdrop.metrics.java import find_java
from lstmdrop.nn.decoder import PADDING
from lstmdrop.nn.rules import RULE_NAMES
from lstmdrop.training.trainer import Trainer
from lstmdrop_tasks.caption.data import Captions
from lstmdrop_tasks.caption.references import references
from lstmdrop_tasks.caption.task import evaluate

ARCHITECTURES = ("show-tell", "attend")
Build = Callable[..., Any]


def loss_of(task: Any, batch: Any) -> float:
    return float(task.objective()(batch).total.detach())


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("rule", RULE_NAMES)
def test_every_rule_trains_every_architecture(build_caption: Build, architecture: str, rule: str) -> None:
    task = build_caption(f"model.architecture={architecture}", f"regularizer.rule={rule}")
    trainer = Trainer(task, task.config)
    before = [parameter.clone() for parameter in task.model.parameters()]
    task.model.train()
    for batch in task.batches("train", epoch=1):
        trainer.step([batch])
    for old, new in zip(before, task.model.parameters(), strict=True):
        assert not torch.equal(old, new)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_padding_and_company_change_no_loss(build_caption: Build, architecture: str) -> None:
    task = build_caption(f"model.architecture={architecture}", "training.batch_tokens=1000")
    task.model.eval()
    (together,) = task.batches("valid")
    alone = build_caption(f"model.architecture={architecture}", "training.batch_tokens=1")
    alone.model.eval()
    batches = list(alone.batches("valid"))
    assert len(batches) == together.targets.shape[1] == 10
    assert (together.targets == PADDING).any()
    assert loss_of(task, together) == pytest.approx(sum(loss_of(alone, batch) for batch in batches), rel=1e-5)


def test_a_batch_holds_what_the_file_says(build_caption: Build, toy_captions: Path) -> None:
    task = build_caption()
    entries = [json.loads(line) for line in toy_captions.read_text(encoding="utf-8").splitlines()]
    entries = [entry for entry in entries if entry["split"] == "train"]
    seen = 0
    for batch in task.batches("train", epoch=1):
        for column, (number, owner) in enumerate(
            zip(batch.numbers.tolist(), batch.image_numbers.tolist(), strict=True)
        ):
            entry = entries[owner]
            written = [token for token in batch.targets[:, column].tolist() if token != PADDING]
            assert written[-1] == task.tokenizer.eos
            published = entry["captions"][number - 2 * owner].lower().replace(".", "").split()
            assert task.tokenizer.decode(written[:-1]).split() == published
            assert batch.inputs[: len(written), column].tolist() == [task.tokenizer.eos, *written[:-1]]
            features = np.load(toy_captions.parent / entry["image"])
            np.testing.assert_allclose(batch.images[column, 1:], features, atol=2e-3)
            np.testing.assert_allclose(batch.images[column, 0], features.mean(0), atol=2e-3)
            seen += 1
    assert seen == 2 * len(entries)


def test_show_and_tell_sees_the_vector_alone(build_caption: Build) -> None:
    task = build_caption("model.architecture=show-tell")
    assert next(iter(task.batches("train"))).images.shape[1:] == (1, 7)


def test_a_caption_that_is_cut_has_no_end() -> None:
    captions = Captions(np.array([5, 6, 7, 0, 8, 0]), np.array([0, 4, 6]), np.array([0, 0]), 0)
    cut = captions.cut(3)
    assert cut.tokens.tolist() == [5, 6, 7, 8, 0]
    assert cut.offsets.tolist() == [0, 3, 5]
    assert cut.columns(np.array([1, 0])).T.tolist() == [[8, 0, PADDING], [5, 6, 7]]


@pytest.mark.slow
def test_training_learns_to_say_what_is_there(build_caption: Build) -> None:
    task = build_caption("training.rate=0.02", "regularizer.rule=none", "model.hidden_size=24")
    before = {score.name: score.value for score in task.evaluate("train")}
    trainer = Trainer(task, task.config)
    for epoch in range(40):
        task.model.train()
        for batch in task.batches("train", epoch=epoch):
            trainer.step([batch])
    after = {score.name: score.value for score in task.evaluate("train")}
    assert after["perplexity"] < 2 < before["perplexity"]
    assert after["bleu4"] > 90 > before["bleu4"]


def test_an_ensemble_of_one_model_twice_is_that_model(build_caption: Build) -> None:
    task = build_caption()
    one, two = evaluate([task], "test"), evaluate([task, task], "test")
    assert [score.value for score in two] == pytest.approx([score.value for score in one], rel=1e-6)
    assert "models:2" in two[0].signature


def test_models_with_different_words_are_no_ensemble(build_caption: Build) -> None:
    with pytest.raises(UsageError, match="different vocabularies"):
        evaluate([build_caption(), build_caption("data.vocabulary_size=6")], "test")


def rewritten(captions: Path, folder: Path, change: Callable[[np.ndarray], np.ndarray]) -> Path:
    """The same captions of the same images, as another network sees them."""
    folder.mkdir()
    for path in captions.parent.glob("*.npy"):
        np.save(folder / path.name, change(np.load(path)))
    (folder / "captions.jsonl").write_bytes(captions.read_bytes())
    return folder / "captions.jsonl"


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_runs_on_different_features_caption_as_one(
    build_caption: Build, toy_captions: Path, tmp_path: Path, architecture: str
) -> None:
    """Each reads its own: here maps of four places with seven channels and of six places with fourteen."""
    wide = rewritten(toy_captions, tmp_path / "wide", lambda places: np.tile(places, (2, 2))[:6])
    models = [build_caption(f"model.architecture={architecture}", data=data) for data in (toy_captions, wide)]
    alone, other, both = (
        {score.name: score for score in evaluate(tasks, "test")} for tasks in ([models[0]], [models[1]], models)
    )
    separate = [alone["perplexity"].value, other["perplexity"].value]
    assert min(separate) <= both["perplexity"].value <= max(separate)
    assert alone["cider"].signature == other["cider"].signature
    assert models[0].data_sha256() != models[1].data_sha256()


def test_runs_on_different_captions_are_no_ensemble(build_caption: Build, toy_captions: Path, tmp_path: Path) -> None:
    other = rewritten(toy_captions, tmp_path / "other", lambda places: places)
    other.write_text(other.read_text().replace("There is", "Here is"))
    models = [build_caption(), build_caption()]
    models[1].data = build_caption(data=other).data
    with pytest.raises(DataError, match="differ in their test data"):
        evaluate(models, "test")


def test_training_captions_are_scored_whole_and_those_of_damaged_images_too(
    build_caption: Build, toy_captions: Path, tmp_path: Path
) -> None:
    copied = rewritten(toy_captions, tmp_path / "copied", lambda places: places)
    (copied.parent / "train3.npy").write_bytes(b"no array")
    task = build_caption("data.max_length=3", data=copied)
    assert sum(batch.targets.shape[1] for batch in task.batches("train")) == 2 * 23
    assert max(len(batch.targets) for batch in task.batches("train")) == 3
    log_probs, captions = task.log_probs("train"), task.data.captions("train", task.tokenizer)
    assert len(log_probs) == captions.offsets[-1] > 48 * 3
    with torch.no_grad():
        for number in (0, 1, 6, 7):  # two of a sound image, two of the damaged one
            tokens = captions.columns(np.array([number]))[:, 0]
            state = task.model.encode(task.data.features("train", captions.owners[[number]]))
            inputs = torch.tensor([task.tokenizer.eos, *tokens[:-1]])[:, None]
            features, _ = task.decoder.features(inputs, state)
            expected = task.decoder.softmax(features[:, 0]).log_softmax(-1)[range(len(tokens)), tokens]
            found = log_probs[captions.offsets[number] : captions.offsets[number + 1]]
            np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_attention_needs_a_map(build_caption: Build, toy_captions: Path, tmp_path: Path) -> None:
    copied = rewritten(toy_captions, tmp_path / "vectors", lambda places: places.mean(0))
    with pytest.raises(ConfigError, match="looks at the places of a map"):
        build_caption(data=copied)
    assert build_caption("model.architecture=show-tell", data=copied).evaluate("valid")


def test_a_damaged_test_image_counts_with_an_empty_caption(
    build_caption: Build, toy_captions: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    lines = []
    for number in range(250):  # so that one is less than 1%
        np.save(folder / f"{number}.npy", np.random.default_rng(number).standard_normal((4, 7)).astype(np.float32))
        split = "train" if number < 20 else "valid" if number < 40 else "test"
        lines.append(json.dumps({"image": f"{number}.npy", "captions": [f"a thing {number % 7}"], "split": split}))
    (folder / "100.npy").write_bytes(b"no array")
    (folder / "captions.jsonl").write_text("\n".join(lines) + "\n")
    task = build_caption(data=folder / "captions.jsonl")
    with torch.no_grad():  # or captions of an untrained network may be empty by themselves
        task.model.decoder.softmax.bias[task.tokenizer.eos] = -100
    outputs = tmp_path / "outputs"
    outputs.mkdir()
    assert "images:210" in task.evaluate("test", outputs=outputs)[0].signature
    written = (outputs / "predictions.txt").read_text().split("\n")
    assert len(written) == 211
    assert [number for number, line in enumerate(written[:-1]) if not line] == [60]
    assert "damaged images: 1" in task.summary()["left out"]


@pytest.mark.slow
@pytest.mark.skipif(find_java() is None, reason="no Java here, which METEOR needs")
def test_meteor_stands_behind_the_other_scores_where_it_is_asked_for(build_caption: Build) -> None:
    scores = {score.name: score.value for score in build_caption("scoring.meteor=true").evaluate("valid")}
    assert list(scores) == ["cider", "bleu4", "bleu1", "bleu2", "bleu3", "rouge_l", "meteor", "perplexity"]
    assert 0 < scores["meteor"] < 100


def test_a_score_whose_part_is_missing_is_refused_before_training(
    build_caption: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(MissingPartError, match="Java"):
        build_caption("scoring.meteor=true")
    with pytest.raises(MissingPartError, match="Java"):
        build_caption("scoring.spice=true")
    task = build_caption()
    assert "tokenizer:python" in task.evaluate("valid")[0].signature


def test_the_seed_of_the_splits_is_a_setting_that_scores_and_references_share(
    build_caption: Build, toy_captions: Path, tmp_path: Path
) -> None:
    entries = [json.loads(line) for line in toy_captions.read_text(encoding="utf-8").splitlines()]
    for entry in entries:
        del entry["split"]
        entry["image"] = str(toy_captions.parent / entry["image"])
    unsplit = tmp_path / "unsplit.jsonl"
    unsplit.write_text("".join(f"{json.dumps(entry)}\n" for entry in entries), encoding="utf-8")
    tasks = [build_caption(f"data.split_seed={seed}", data=unsplit) for seed in (0, 1)]
    tests = [[image.source for image in task.data.images("test")] for task in tasks]
    assert tests[0] != tests[1]
    assert [[item.image for item in references(task.config, None)] for task in tasks] == tests
    assert tasks[1].summary()["split"].endswith("data.split_seed = 1")
