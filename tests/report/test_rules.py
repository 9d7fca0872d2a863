"""Entries of one experiment beside its baseline."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from lstmdrop.commands.report import Report, with_results
from lstmdrop.errors import DataError
from lstmdrop.metrics.score import Score
from lstmdrop.report.forest import changes_forest
from lstmdrop.report.rules import Contest, contest_forest, contest_table, contests, tries_table
from lstmdrop.report.runs import Gap, RunSummary, SplitScore
from lstmdrop.report.table import Cell, Table

TEST = {"none": (100.0, 102.0), "zaremba": (90.0, 92.0), "zoneout": (95.0, 96.0)}


def run(folder: Path, name: str, seed: int, test: float) -> RunSummary:
    scores = tuple(SplitScore(split, Score("perplexity", test, False, "s")) for split in ("valid", "test"))
    dropout = None if name == "none" else 0.5
    recurrent = 0.1 if name == "zoneout" else None
    return RunSummary(
        folder / f"{name}-s{seed}", "lm", "demo", "tiny", name, seed, scores, dropout=dropout,
        recurrent_dropout=recurrent,
    )  # fmt: skip


@pytest.fixture
def runs(tmp_path: Path) -> list[RunSummary]:
    return [
        run(tmp_path, name, seed, value) for name, values in TEST.items() for seed, value in enumerate(values, start=1)
    ]


def cells(table: Table, column: str) -> dict[Cell, Cell]:
    place = [one.name for one in table.columns].index(column)
    return {row[0]: row[place] for row in table.rows}


def test_the_baseline_stands_first_and_the_best_on_validation_next(runs: list[RunSummary]) -> None:
    (contest,) = contests(reversed(runs))
    table = contest_table(contest)
    assert list(cells(table, "test").items()) == [("none", 101.0), ("zaremba", 91.0), ("zoneout", 95.5)]
    assert cells(table, "change") == {"none": None, "zaremba": -10.0, "zoneout": -5.5}
    assert cells(table, "settings") == {"none": "", "zaremba": "p 0.5", "zoneout": "p 0.5, recurrent p 0.1"}
    assert table.title == "Which rule: lm, demo, perplexity (lower is better)"


def test_a_pair_or_entries_of_other_folders_are_no_experiment(runs: list[RunSummary], tmp_path: Path) -> None:
    assert contests(runs[:4]) == []
    assert contests([one for one in runs if one.regularizer != "none"]) == []
    moved = [run(tmp_path / "other", "zoneout", seed, 95.0) for seed in (1, 2)]
    assert contests([*runs[:4], *moved]) == []


def test_an_average_or_a_run_of_another_seed_than_its_name_says_is_no_entry(
    runs: list[RunSummary], tmp_path: Path
) -> None:
    others = [replace(runs[0], directory=tmp_path / name) for name in ("none-average-2", "none-s9", "s1", "other")]
    (contest,) = contests([*runs, *others])
    assert set(contest.entries) == set(TEST)


def test_other_seeds_of_an_entry_count_wherever_they_lie(runs: list[RunSummary], tmp_path: Path) -> None:
    elsewhere = [run(tmp_path / "before", "zaremba", seed, 80.0) for seed in (2, 3)]
    other = replace(run(tmp_path / "before", "zaremba", 4, 1.0), dropout=0.4)
    (contest,) = contests([*runs, *elsewhere, other])
    assert sorted(one.seed for one in contest.entries["zaremba"]) == [1, 2, 3]  # the second is there already
    assert cells(contest_table(contest), "test")["zaremba"] == pytest.approx((90 + 92 + 80) / 3)


def test_what_was_tried_is_listed_with_what_was_taken(runs: list[RunSummary], tmp_path: Path) -> None:
    tries = [
        {
            "rule": "zaremba",
            "set": ["a.b=1", f"regularizer.dropout={p}"],
            "valid": {"value": v, "higher_is_better": False},
            "experiment_sha256": str(p),
        }
        for p, v in ((0.3, 99.0), (0.5, 91.0))
    ]
    (tmp_path / "tries.jsonl").write_text("".join(json.dumps(one) + "\n" for one in tries))
    (contest,) = contests(runs)
    assert tries_table(contest).rows == (("zaremba", "dropout 0.3", 99.0, ""), ("zaremba", "dropout 0.5", 91.0, "yes"))
    for damaged in ("{", "{}", '{"rule": "zaremba"}', "[1]"):
        (tmp_path / "tries.jsonl").write_text(damaged + "\n")
        with pytest.raises(DataError, match=r"tries\.jsonl cannot be read"):
            contests(runs)


def test_an_experiment_on_pieces_has_a_baseline_of_its_own(tmp_path: Path) -> None:
    pieces = [run(tmp_path, name, 1, 50.0) for name in ("base", "untied", "no-warmup")]
    (contest,) = contests(pieces)
    assert isinstance(contest, Contest)
    assert contest.title == "What each piece does: lm, demo"
    assert next(iter(contest.entries)) == "base"


def test_the_picture_shows_better_to_the_right_whichever_way_the_score_goes(runs: list[RunSummary]) -> None:
    (contest,) = contests(runs)
    zaremba, zoneout = contest_forest(contest).rows
    assert (zaremba.label, zaremba.mean) == ("zaremba", pytest.approx(100 * 10 / 101))
    assert zoneout.mean == pytest.approx(100 * 5.5 / 101)
    assert zaremba.low is not None
    assert zaremba.high is not None
    assert zaremba.low < zaremba.mean < zaremba.high
    higher = [replace(one, scores=tuple(map(as_accuracy, one.scores))) for one in runs]
    (contest,) = contests(higher)
    assert [row.mean < 0 for row in contest_forest(contest).rows] == [True, True]


def test_the_picture_says_a_change_as_that_of_all_pairs_does(runs: list[RunSummary]) -> None:
    (contest,) = contests(runs)
    pairs = {row.label: row for row in changes_forest(runs).rows}
    assert contest_forest(contest).rows == (
        replace(pairs["zaremba 0.5"], label="zaremba", context="", heading=""),
        replace(pairs["zoneout 0.5 0.1"], label="zoneout", context="", heading=""),
    )


def test_without_a_score_to_compare_with_nothing_is_drawn(tmp_path: Path) -> None:
    bleu = Score("bleu", 0.0, True, "s")
    nothing = [replace(run(tmp_path, name, 1, 1.0), scores=(SplitScore("test", bleu),)) for name in TEST]
    (contest,) = contests(nothing)
    rows = contest_forest(contest).rows
    assert [row.said for row in rows] == ["0.00", "0.00"]
    assert not any(math.isfinite(row.mean) for row in rows)


def test_the_gap_is_said_to_be_of_its_own_score(tmp_path: Path) -> None:
    gap = Gap("perplexity", 1.0, 1.5, with_dropout=False)
    (contest,) = contests([replace(run(tmp_path, name, 1, 1.0), gap=gap) for name in TEST])
    assert "training minus validation perplexity" in contest_table(contest).notes[-1].text


def as_accuracy(entry: SplitScore) -> SplitScore:
    return replace(entry, score=replace(entry.score, name="frame_accuracy", higher_is_better=True))


def test_a_document_takes_the_tables_of_experiments_between_its_markers(runs: list[RunSummary]) -> None:
    made = Report((), (), (), tuple(runs), {}, tuple(contests(runs)))
    begin, end = "<!-- experiments: some command -->", "<!-- end of experiments -->"
    text = with_results(f"before\n{begin}\nold\n{end}\nafter\n", made)
    assert text.startswith(f"before\n{begin}\n\n## Which rule: lm, demo, perplexity")
    assert text.endswith(f"{end}\nafter\n")
    assert "old" not in text
    assert with_results(text, made) == text
