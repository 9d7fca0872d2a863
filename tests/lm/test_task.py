"""Laws of language modelling: ensembles, refused texts, and what a user is told."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lstmdrop.commands.evaluate import evaluate as evaluate_runs
from lstmdrop.commands.train import train
from lstmdrop.errors import DataError
from lstmdrop.training.trainer import Trainer
from lstmdrop_tasks.lm.evaluation import evaluate

BuildLM = Callable[..., Any]


def probabilities(task: Any, split: str) -> np.ndarray:
    return np.exp(task.log_probs(split).astype(np.float64))


def test_two_models_score_as_the_mean_of_their_probabilities(build_lm: BuildLM) -> None:
    first, second = build_lm("seed=1", "model.init_bound=1"), build_lm("seed=2", "model.init_bound=1")
    mean = (probabilities(first, "test") + probabilities(second, "test")) / 2
    (score,) = evaluate([first, second], "test")
    assert score.value == pytest.approx(float(np.exp(-np.log(mean).mean())), rel=1e-9)
    assert "|models:2|" in score.signature
    alone = [task.evaluate("test")[0].value for task in (first, second)]
    assert score.value < max(alone)
    assert score.value != pytest.approx(np.mean(alone), rel=1e-3)


def test_runs_score_as_their_models(toy_corpus: Path, toy_settings: list[str], tmp_path: Path) -> None:
    folders = [tmp_path / f"run{seed}" for seed in (1, 2)]
    for seed, out in zip((1, 2), folders, strict=True):
        settings = [*toy_settings, "training.epochs=1"]
        train("lm", size="tiny", data=str(toy_corpus), overrides=settings, seed=seed, out=out)
    saved = [np.load(out / "log_probs.npz")["log_probs"].astype(np.float64) for out in folders]
    (score,) = evaluate_runs("lm", runs=folders)
    mean = np.exp(np.logaddexp(*saved) - np.log(2))
    assert score.value == pytest.approx(float(np.exp(-np.log(mean).mean())), rel=1e-6)
    (alone,) = evaluate_runs("lm", runs=folders[:1])
    assert alone.value == pytest.approx(float(np.exp(-saved[0].mean())), rel=1e-6)


def test_one_model_is_in_memory_at_a_time(build_lm: BuildLM) -> None:
    alive: list[weakref.ref[Any]] = []
    largest = 0

    def built_one_by_one() -> Iterator[Any]:
        nonlocal largest
        for seed in (1, 2, 3):
            gc.collect()
            largest = max(largest, sum(reference() is not None for reference in alive))
            task = build_lm(f"seed={seed}")
            alive.append(weakref.ref(task.model))
            yield task
            del task

    evaluate(built_one_by_one(), "valid")
    assert len(alive) == 3
    assert largest == 0  # when the next one is built, none of those before it is left


def test_models_of_different_vocabularies_or_texts_are_not_averaged(
    build_lm: BuildLM, make_corpus: Callable[..., Path]
) -> None:
    task = build_lm()
    other_words, other_test = make_corpus("words"), make_corpus("test")
    (other_words / "train.txt").write_text((other_words / "train.txt").read_text().replace("cat", "rat"))
    with (other_test / "test.txt").open("a") as text:
        text.write("the cat sees the moon\n")
    for folder in (other_words, other_test):
        with pytest.raises(DataError, match="differ in vocabulary or test text"):
            evaluate([task, build_lm(data=folder)], "test")


def test_a_text_too_short_to_train_on_is_named(build_lm: BuildLM, make_corpus: Callable[..., Path]) -> None:
    folder = make_corpus("short")
    (folder / "train.txt").write_text("the cat sees\n")
    task = build_lm(data=folder)
    for use in (task.num_batches, task.batches):
        with pytest.raises(DataError, match=r"train\.txt: 4 tokens .*training\.batch_size or training\.num_steps"):
            use("train")


@pytest.mark.parametrize("text", ["cat", "the cat sees\n", "\ncat\n"])
def test_a_text_of_a_few_tokens_has_a_score(build_lm: BuildLM, make_corpus: Callable[..., Path], text: str) -> None:
    folder = make_corpus("short")
    for split in ("valid", "test"):
        (folder / f"{split}.txt").write_text(text)
    task = build_lm(data=folder)
    ids = [*task.tokenizer.encode_block(text.removesuffix("\n") + "\n").ids]
    (score,) = task.evaluate("test")
    assert score.counts["tokens"] == len(ids) - 1
    log_probs, _ = task.model.log_probs(torch.tensor(ids[:-1])[:, None], torch.tensor(ids[1:])[:, None])
    assert score.value == pytest.approx(float(torch.exp(-log_probs.mean())), rel=1e-5)


@pytest.mark.parametrize("text", ["", "\n", "\n \n"])
def test_a_text_without_a_word_has_none(build_lm: BuildLM, make_corpus: Callable[..., Path], text: str) -> None:
    folder = make_corpus("empty")
    (folder / "test.txt").write_text(text)
    with pytest.raises(DataError, match=r"test\.txt: (the file is empty|there is no word)"):
        build_lm(data=folder).evaluate("test")


@pytest.mark.parametrize("tokens", ["character", "bpe", "unigram"])
def test_any_vocabulary_is_scored_by_the_same_characters_bytes_and_words(build_lm: BuildLM, tokens: str) -> None:
    task = build_lm(f"data.tokens={tokens}", "model.init_bound=1.0")
    by_token, *by_unit = task.evaluate("test")
    text = task.corpus.text("test").read_text(encoding="utf-8")
    first = len(task.tokenizer.vocabulary.tokens[task.store("test").tokens[0]].removeprefix("▁"))
    sizes = {
        "words": len(text.split()) + text.count("\n") - 1,
        "characters": len(text) - first,
        "bytes": len(text) - first,
    }
    total = by_token.counts["tokens"] * np.log(by_token.value)
    assert [score.name for score in by_unit] == ["word_perplexity", "bits_per_character", "bits_per_byte"]
    for score, (name, size) in zip(by_unit, sizes.items(), strict=True):
        assert score.counts[name] == size
        value = np.log(score.value) if name == "words" else score.value * np.log(2)
        assert value * size == pytest.approx(total, rel=1e-9)
        assert "fingerprint" not in score.signature


def test_of_words_the_perplexity_is_that_of_a_word(
    build_lm: BuildLM, make_corpus: Callable[..., Path], tmp_path: Path
) -> None:
    folder = make_corpus("masked")
    (folder / "test.txt").write_text("the <unk> sees\n\nthe cat\n")
    task = build_lm(data=folder)
    (score,) = task.evaluate("test", outputs=tmp_path)
    lines = task.scored_lines("test")
    assert lines.tokens.tolist() == lines.words.tolist() == [3, 1, 3]
    assert lines.characters.tolist() == [len(" <unk> sees\n"), 1, len("the cat\n")]
    assert (lines.masked.tolist(), score.counts["tokens"]) == ([1, 0, 0], 7)


def test_a_missing_split_is_named(build_lm: BuildLM, make_corpus: Callable[..., Path]) -> None:
    folder = make_corpus("without")
    (folder / "valid.txt").unlink()
    task = build_lm(data=folder)
    with pytest.raises(DataError, match=r"valid\.txt"):
        task.summary()


def test_summary_says_how_much_of_each_split_is_unknown(build_lm: BuildLM, make_corpus: Callable[..., Path]) -> None:
    folder = make_corpus("unknown")
    (folder / "test.txt").write_text("zzz the the\n" * 5)
    summary = build_lm(data=folder).summary()
    assert summary["test"] == "20 tokens, 25.00% unknown"
    assert summary["train"].endswith("0.00% unknown")
    words = {*(folder / "train.txt").read_text().split(), "<eos>", "<unk>"}
    assert summary["vocabulary"] == f"{len(words)} tokens"


def test_scoring_leaves_dropout_off_whatever_the_model_did_before(build_lm: BuildLM) -> None:
    task = build_lm("regularizer.dropout=0.8")
    task.model.train()
    (first,), (second,) = task.evaluate("valid"), task.evaluate("valid")
    assert first == second


def test_state_is_carried_through_training_and_starts_at_zero_in_each_pass(build_lm: BuildLM) -> None:
    """Windows with carried state are one long sequence: the same loss, whatever the number of steps."""
    task = build_lm("regularizer.rule=none", "model.init_bound=1")
    longer = build_lm("regularizer.rule=none", "model.init_bound=1", "training.num_steps=11")
    totals = []
    for each in (task, longer):
        objective = each.objective()
        totals.append(sum(float(objective(window).total.detach()) for window in each.batches("train")))
    assert totals[0] == pytest.approx(totals[1], rel=1e-6)
    forgetful = sum(float(task.objective()(window).total.detach()) for window in task.batches("train"))
    assert forgetful != pytest.approx(totals[0], rel=1e-4)


def test_gradient_is_cut_between_windows(build_lm: BuildLM) -> None:
    task = build_lm("regularizer.rule=none")
    objective = task.objective()
    first, second, *_ = task.batches("train")
    objective(first)
    state = objective.state_dict()
    assert state
    assert not any(value.requires_grad for value in state.values())
    objective(second).total.backward()  # the first window's graph is not asked for


def test_it_learns_the_text_it_is_given(build_lm: BuildLM, make_corpus: Callable[..., Path]) -> None:
    """A text that repeats itself is predicted almost perfectly after a few epochs."""
    folder = make_corpus("repeated")
    for split, lines in (("train", 60), ("valid", 10), ("test", 10)):
        (folder / f"{split}.txt").write_text("a b c d e\n" * lines)
    task = build_lm(
        "training.optimizer=adamw", "training.rate=0.02", "training.epochs=8", "regularizer.rule=none",
        "training.decay_after=8", data=folder,
    )  # fmt: skip
    before = task.evaluate("test")[0].value
    list(Trainer(task, task.config).run())
    after = task.evaluate("test")[0].value
    assert before > 5
    assert after < 1.2


def test_tokens_of_every_kind_can_be_modelled(build_lm: BuildLM, tmp_path: Path) -> None:
    for kind in ("character", "word"):
        with torch.random.fork_rng():
            data = tmp_path / kind
            data.mkdir()
            for split in ("train", "valid", "test"):
                (data / f"{split}.txt").write_text("the cat sees a dog\n" * 12)
            task = build_lm(f"data.tokens={kind}", data=data)
            assert task.store("test").num_tokens == {"character": 19, "word": 6}[kind] * 12
            assert task.evaluate("test")[0].value > 1
