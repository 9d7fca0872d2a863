"""Which settings tell runs apart, and how their numbers were made."""

from __future__ import annotations

from pathlib import Path

import pytest

from lstmdrop.metrics.score import Score
from lstmdrop.report.runs import RunSummary, SplitScore
from lstmdrop.report.scores import (
    better_direction,
    differing_settings,
    setting,
    signature_notes,
    signatures,
    telling_settings,
)


def run(name: str, signature: str = "", split: str = "test", **settings: object) -> RunSummary:
    scores = (SplitScore(split, Score("bleu", 1.0, True, signature)),)
    dotted = {key.replace("__", "."): value for key, value in settings.items()}
    return RunSummary(Path(name), "mt", "own", "small", "none", 1, scores, settings=dotted)


def test_the_direction_is_that_of_the_score() -> None:
    assert better_direction(Score("bleu", 1.0, True, "")) == "higher"
    assert better_direction(Score("wer", 1.0, False, "")) == "lower"


def test_settings_differ_where_two_runs_know_them_and_disagree() -> None:
    runs = [
        run("a", model__size=1, training__rate=0.1, seed=1, regularizer__dropout=0.5, training__log_every=1),
        run("b", model__size=2, training__rate=0.1, seed=2, regularizer__dropout=0.1, training__log_every=9),
        run("c", training__rate=0.1, training__save_minutes=3, training__clip=5.0),
    ]
    assert differing_settings(runs) == ["model.size"]
    assert differing_settings([*runs, run("d", training__rate=0.2)]) == ["model.size", "training.rate"]
    assert differing_settings(runs[:1]) == []


def test_the_words_that_were_counted_are_as_good_as_a_setting() -> None:
    runs = [run("a", "tok:13a|case:mixed|beam:5"), run("b", "tok:zh|case:mixed|beam:1")]
    assert differing_settings(runs) == ["tok"]
    assert [setting(one, "tok") for one in runs] == ["13a", "zh"]
    assert setting(runs[0], "beam") == "?"


@pytest.mark.parametrize(("value", "told"), [("runs/first-s3", "RUN"), (None, None)])
def test_of_a_first_stage_only_that_there_was_one_is_told(value: str | None, told: str | None) -> None:
    assert setting(run("a", start_from=value), "start_from") == told
    assert setting(run("a"), "start_from") == "?"


def test_as_few_settings_as_tell_the_runs_apart_are_chosen_the_models_first() -> None:
    runs = [run("a", a__b=1, model__c=1, z=1), run("b", a__b=2, model__c=2, z=1), run("c", a__b=2, model__c=2, z=2)]
    assert telling_settings(runs) == ["model.c", "z"]
    assert telling_settings(runs[1:]) == ["z"]
    assert telling_settings([]) == []


def test_one_way_to_make_a_number_is_one_note_and_two_are_told_apart() -> None:
    runs = [run("x/a", "n:1|models:2|v:3"), run("x/b", "n:1|models:10|v:3"), run("x/c", "n:2|v:3")]
    notes = list(signature_notes([*runs, run("x/d", "n:9", split="valid")], {("test", "bleu")}))
    assert [(note.text, note.code) for note in notes] == [
        ("mt own test bleu, way 1 of 2 (a, b):", "n:1|v:3"),
        ("mt own test bleu, way 2 of 2 (c):", "n:2|v:3"),
    ]
    (note,) = signature_notes([runs[0], runs[0]], {("test", "bleu")})
    assert (note.text, note.code) == ("mt own test bleu:", "n:1|v:3")
    assert list(signature_notes(runs, {("test", "chrf")})) == []


def test_the_signatures_of_one_cell_are_listed_once_each() -> None:
    runs = [run("a", "n:1"), run("b", "n:2"), run("c", "n:1"), run("d", "n:3", split="valid")]
    assert signatures(runs, "test", "bleu") == "n:1 or n:2"
    assert signatures(runs, "test", "chrf") == ""
