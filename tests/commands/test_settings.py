"""Laws of what verbs take: settings, paths, bounds, and options without effect."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from lstmdrop.cli.options import refuse_without_effect
from lstmdrop.commands.evaluate import require_bound
from lstmdrop.errors import BoundMissedError, ConfigError, DataError, UsageError
from lstmdrop.metrics.score import Score
from lstmdrop.plugin import load_plugin
from lstmdrop.result import score_rows
from lstmdrop.settings import as_paths, naming_moved_data, require_taken, resolve_config

LM = load_plugin("lm")


@pytest.mark.parametrize("given", ["a", Path("a"), ["a"], (Path("a"),)])
def test_one_folder_alone_is_a_list_of_one(given: str | Path | Sequence[str | Path]) -> None:
    assert as_paths(given) == [Path("a")]
    assert as_paths([]) == []


def test_a_verb_takes_whole_sections_and_single_settings() -> None:
    given = require_taken(LM, "bench", ["training.rate=0.5", "seed=3", "training.clip=2"], ("training", "seed"))
    assert given == {"training.rate": 0.5, "seed": 3, "training.clip": 2}
    assert require_taken(LM, "bench", ["training.rate=1", "training.rate=2"], ("training",)) == {"training.rate": 2}
    assert require_taken(LM, "bench", [], ()) == {}


@pytest.mark.parametrize(
    ("override", "places", "said"),
    [
        (
            "training.rate=1",
            ("training.clip",),
            "--set training.rate: bench lm does not take it\nit takes training.clip",
        ),
        ("seed=1", (), "it takes no setting"),
        ("data.name=x", ("seed",), "does not take it; other data is given with --data\nit takes seed"),
        ("training.rate=1", ("train",), "it takes no setting"),
    ],
)
def test_a_setting_that_a_verb_does_not_take_is_refused(override: str, places: tuple[str, ...], said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        require_taken(LM, "bench", [override], places)
    assert said in str(refused.value)


def test_a_setting_that_does_not_exist_is_left_to_who_knows_the_nearest() -> None:
    assert require_taken(LM, "bench", ["training.rat=1"], ("seed",)) == {"training.rat": 1}


def test_without_a_word_the_size_is_small_and_of_what_is_stored_nothing_changes() -> None:
    assert resolve_config(LM).size == "small"
    stored = resolve_config(LM, "medium", seed=5, overrides=["training.clip=2.5"]).model_dump(mode="json")
    again = resolve_config(LM, stored=stored, overrides=["training.epochs=3"])
    assert (again.size, again.seed, again.training.clip, again.training.epochs) == ("medium", 5, 2.5, 3)
    assert resolve_config(LM, stored=stored, regularizer="none").regularizer.rule == "none"


def test_an_error_about_data_that_has_moved_says_so(tmp_path: Path) -> None:
    gone, here = str(tmp_path / "gone"), str(tmp_path)
    said = rf"^broken\n{gone} is no more: if it has moved, say where with --data$"
    with pytest.raises(DataError, match=said), naming_moved_data([here, "ptb", gone]):
        raise DataError("broken")
    with pytest.raises(DataError, match=r"^broken$"), naming_moved_data([here, "ptb", "gone"]):
        raise DataError("broken")
    with pytest.raises(UsageError, match=r"^other$"), naming_moved_data([gone]):
        raise UsageError("other")


@pytest.mark.parametrize(
    ("higher_is_better", "value", "said"),
    [
        (True, 4.999, "bleu 4.999 is under the bound 5"), (True, 5.0, None), (True, 5.1, None),
        (False, 5.001, "bleu 5.001 is over the bound 5"), (False, 5.0, None), (False, 4.9, None),
    ],
)  # fmt: skip
def test_a_bound_is_kept_by_what_is_as_good(higher_is_better: bool, value: float, said: str | None) -> None:
    score = Score("bleu", value, higher_is_better, "")
    if said is None:
        require_bound(score, 5.0)
    else:
        with pytest.raises(BoundMissedError, match=said):
            require_bound(score, 5.0)
    with pytest.raises(UsageError, match="is not a number"):
        require_bound(score, float("nan"))


def test_the_rows_of_a_result_are_its_scores_split_by_split() -> None:
    valid, test = Score("bleu", 1.0, True, "segments:3|x:y"), Score("wer", 2.0, False, "words:4")
    assert score_rows({"valid": [valid], "test": [valid, test]}) == [
        {"split": split, "name": score.name, "value": score.value, "higher_is_better": score.higher_is_better,
         "signature": score.signature, "counts": score.counts}
        for split, score in (("valid", valid), ("test", valid), ("test", test))
    ]  # fmt: skip
    assert score_rows({"valid": [valid]})[0]["counts"] == {"segments": 3}


def test_an_option_that_was_given_and_has_no_effect_is_refused() -> None:
    refuse_without_effect(("--a", "", False, "here"), ("--b", "x", True, "there"), ("--c", None, False, "there"))
    with pytest.raises(UsageError, match=r"^--b has an effect only there$"):
        refuse_without_effect(("--a", "x", True, "here"), ("--b", 3, False, "there"))


def test_a_seed_that_is_none_is_refused_on_the_command_line(lstmdrop: Callable[..., Any]) -> None:
    for seed in ("-1", str(2**32)):
        refused = lstmdrop("train", "lm", "--data", "demo", "--seed", seed, "--dry-run")
        assert refused.code == 2
        assert "they go from 0 to 4294967295" in refused.messages
