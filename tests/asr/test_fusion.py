"""Laws of fusing a language model into the search, and of tuning its weight."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lstmdrop import train
from lstmdrop.commands.evaluate import evaluate, tune
from lstmdrop.data.tokenizer import train_tokenizer
from lstmdrop.decoding.ctc_search import CTCBeamSettings, prefix_beam_search
from lstmdrop.errors import UsageError
from lstmdrop_tasks.asr.fusion import LanguageModel, load_language_model, make_scorer

LINES = ["ab cd", "ab ab", "dc ba", "a b c d", "abcd"]
LM = ("model.hidden_size=8", "training.epochs=1", "training.batch_size=2", "training.num_steps=5", "data.min_count=1")


@pytest.fixture(scope="session")
def language_models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A small run of words and one of characters."""
    folder = tmp_path_factory.mktemp("language")
    text = folder / "text.txt"
    text.write_text("".join(f"{line}\n" for line in LINES * 30))
    return {
        tokens: train(
            "lm", size="tiny", data=str(text), overrides=[*LM, f"data.tokens={tokens}"], out=folder / tokens
        ).directory
        for tokens in ("word", "character")
    }


def line_log_prob(model: LanguageModel, line: str) -> float:
    """The plain way: the whole line at once."""
    ids = [model.tokenizer.eos, *model.tokenizer.encode(line), model.tokenizer.eos]
    tokens = torch.tensor(ids)[:, None]
    log_probs, _ = model._model.log_probs(tokens[:-1], tokens[1:])  # type: ignore[attr-defined]
    return float(log_probs.double().sum())


@pytest.mark.parametrize("tokens", ["word", "character"])
@pytest.mark.parametrize("pieces", ["character", "bpe"])
@pytest.mark.parametrize("line", ["ab cd", "ab", "d c b a", ""])
def test_a_line_scores_what_the_language_model_says_of_it(
    language_models: dict[str, Path], tmp_path: Path, tokens: str, pieces: Any, line: str
) -> None:
    (tmp_path / "text").write_text("\n".join(LINES) + "\n")
    tokenizer = train_tokenizer(pieces, tmp_path / "text")
    model = load_language_model(language_models[tokens])
    scorer: Any = make_scorer(model, tokenizer)
    state, total = scorer.start(), 0.0
    for token in tokenizer.encode(line):
        total += scorer.score(state, token)
        (state,) = scorer.extend([state], [token])
    assert total + scorer.finish(state) == pytest.approx(line_log_prob(model, line), abs=1e-4)


@pytest.mark.parametrize("tokens", ["word", "character"])
def test_the_search_with_a_language_model_finds_the_best_weighted_sum(
    language_models: dict[str, Path], tmp_path: Path, tokens: str
) -> None:
    (tmp_path / "text").write_text("\n".join(LINES) + "\n")
    tokenizer = train_tokenizer("character", tmp_path / "text")
    model = load_language_model(language_models[tokens])
    scorer: Any = make_scorer(model, tokenizer)
    logits = np.random.default_rng(1).standard_normal((4, len(tokenizer.vocabulary)))
    log_probs = logits - np.logaddexp.reduce(logits, 1, keepdims=True)
    log_probs[:, tokenizer.unk] = -math.inf
    settings = CTCBeamSettings(beam_size=100_000, num_best=100_000, lm_weight=0.6)
    for hypothesis in prefix_beam_search(log_probs, tokenizer.eos, settings, scorer)[:40]:
        line = tokenizer.decode(hypothesis.tokens)
        if line == " ".join(line.split()):  # a word model does not hear further spaces
            expected = hypothesis.log_prob + 0.6 * line_log_prob(model, line)
            assert hypothesis.score == pytest.approx(expected, abs=1e-4)


def test_a_language_model_of_other_letters_is_refused(language_models: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "text").write_text("XYZ\n")
    with pytest.raises(UsageError, match="knows none of"):
        make_scorer(load_language_model(language_models["character"]), train_tokenizer("character", tmp_path / "text"))


@pytest.mark.parametrize("tokens", ["word", "character"])
def test_searches_from_one_start_read_nothing_twice_and_find_the_same(
    language_models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tokens: str
) -> None:
    (tmp_path / "text").write_text("\n".join(LINES) + "\n")
    tokenizer = train_tokenizer("character", tmp_path / "text")
    model: Any = load_language_model(language_models[tokens])
    num_read, read = [0], model._model.next_logits

    def counted(tokens: torch.Tensor, state: Any = None) -> Any:
        num_read[0] += 1
        return read(tokens, state)

    monkeypatch.setattr(model._model, "next_logits", counted)
    scorer = make_scorer(model, tokenizer)
    log_probs = 3 * np.random.default_rng(2).standard_normal((20, len(tokenizer.vocabulary)))
    log_probs -= np.logaddexp.reduce(log_probs, 1, keepdims=True)

    def search(weight: float, start: Any = None) -> Any:
        settings = CTCBeamSettings(beam_size=4, num_best=4, lm_weight=weight)
        return prefix_beam_search(log_probs, tokenizer.eos, settings, scorer, start)

    alone = {weight: search(weight) for weight in (0.3, 1.0)}
    num_alone, start = num_read[0], scorer.start()
    for weight in (0.3, 1.0, 0.3):
        together = search(weight, start)
        assert [one.tokens for one in together] == [one.tokens for one in alone[weight]]
        assert [one.score for one in together] == pytest.approx([one.score for one in alone[weight]], abs=1e-4)
    num_together = num_read[0] - num_alone
    assert 0 < num_together < num_alone
    search(1.0, start)
    assert num_read[0] == num_alone + num_together


@pytest.mark.parametrize("tokens", ["word", "character"])
def test_weights_are_tuned_on_one_split_and_scored_on_another(
    language_models: dict[str, Path],
    toys: dict[str, tuple[str, list[str]]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    tokens: str,
) -> None:
    weights, bonuses = (0.0, 0.5), (0.0, 1.0)
    monkeypatch.setattr("lstmdrop_tasks.asr.tuning.LM_WEIGHTS", weights)
    monkeypatch.setattr("lstmdrop_tasks.asr.tuning.LENGTH_BONUSES", bonuses)
    data, overrides = toys["asr"]
    run = train("asr", size="tiny", data=data, overrides=overrides, out=tmp_path / "run").directory
    settings = [f"decoding.lm={language_models[tokens]}", "decoding.beam_size=2"]
    chosen = tune("asr", runs=[run], split="valid", overrides=settings)
    assert [setting.split("=")[0] for setting in chosen] == [
        "decoding.beam_size", "decoding.lm_weight", "decoding.length_bonus"
    ]  # fmt: skip
    scores: dict[tuple[float, float], Any] = {}
    for weight, bonus in product(weights, bonuses):
        own = [f"decoding.lm_weight={weight}", f"decoding.length_bonus={bonus}"]
        scores[weight, bonus] = evaluate("asr", runs=[run], split="valid", overrides=[*settings, *own])
    best = min(scores, key=lambda pair: (scores[pair][0].value, scores[pair][1].value, pair))
    assert chosen[1:] == [f"decoding.lm_weight={best[0]}", f"decoding.length_bonus={best[1]}"]
    assert len({found[0].value for found in scores.values()}) > 1
    assert "decoding:beam2|lm:" in scores[best][0].signature


def test_frames_have_nothing_to_tune(build_asr: Callable[..., Any]) -> None:
    from lstmdrop_tasks.asr.tuning import tune as tune_tasks

    with pytest.raises(UsageError, match="trained on frames"):
        tune_tasks([build_asr("objective=frames")], "valid")
    with pytest.raises(UsageError, match="caption has no settings to tune"):
        tune("caption")


def test_a_run_of_another_task_is_no_language_model(toys: dict[str, tuple[str, list[str]]], tmp_path: Path) -> None:
    data, overrides = toys["asr"]
    run = train("asr", size="tiny", data=data, overrides=[*overrides, "training.epochs=1"], out=tmp_path / "run")
    with pytest.raises(UsageError, match="--lm takes one of"):
        load_language_model(run.directory)


def test_the_signature_tells_language_models_of_one_vocabulary_apart(
    toys: dict[str, tuple[str, list[str]]], trained: Callable[[str], Path], tmp_path: Path
) -> None:
    data, overrides = toys["lm"]
    few = [*overrides, "training.epochs=1"]
    other = train("lm", size="tiny", data=data, seed=7, overrides=few, out=tmp_path / "lm").directory
    first, again, second = (load_language_model(run) for run in (trained("lm"), trained("lm"), other))
    assert first.tokenizer.fingerprint == second.tokenizer.fingerprint
    assert first.fingerprint == again.fingerprint != second.fingerprint
