"""Runs one a line, and rules in a few columns for a README."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from lstmdrop.metrics.score import Score
from lstmdrop.report.runs import Gap, RunSummary, SplitScore
from lstmdrop.report.table import Cell, Table, to_csv, to_json, to_markdown
from lstmdrop.report.tables import rule_table, run_list, short_table


def run(rule: str, seed: int, valid: float | None, test: float | None, **changes: object) -> RunSummary:
    values = {"valid": valid, "test": test}
    scores = tuple(SplitScore(split, Score("wer", value, False, "")) for split, value in values.items() if value)
    fields: dict[str, object] = {"dropout": None if rule == "none" else 0.2, **changes}
    return RunSummary(Path(f"runs/{rule}-s{seed}"), "asr", "an4", "small", rule, seed, scores, **fields)  # type: ignore[arg-type]


def cells(table: Table, number: int = 0) -> dict[str, Cell]:
    return dict(zip((column.name for column in table.columns), table.rows[number], strict=True))


def test_a_run_is_a_line_of_what_it_was_and_reached() -> None:
    gap = Gap("wer", 5.0, 8.5, with_dropout=False)
    made = {"torch": "2.6", "git": "abc", "version": "0.1.0"}
    changes = {"gap": gap, "train_seconds": 90.0, "epochs": 4, "num_parameters": 1000, "provenance": made}
    assert cells(run_list([run("zaremba", 3, 8.5, 9.5, num_models=2, **changes)])) == {
        "run": "zaremba-s3", "task": "asr", "data": "an4", "size": "small", "rule": "zaremba", "p": 0.2, "seed": 3,
        "models": 2, "metric": "wer", "valid": 8.5, "test": 9.5, "gap": -3.5, "epochs": 4, "parameters": 1000,
        "minutes": 1.5, "version": "0.1.0 abc",
    }  # fmt: skip


def test_what_a_run_does_not_say_is_empty() -> None:
    row = cells(run_list([run("none", 1, None, None)]))
    for name in ("p", "metric", "valid", "test", "gap", "epochs", "parameters", "minutes", "version"):
        assert row[name] is None
    assert cells(run_list([run("none", 1, 7.0, None)]))["valid"] == 7.0
    assert cells(run_list([run("none", 1, None, 7.0)]))["test"] == 7.0
    assert cells(run_list([run("none", 1, 7.0, 7.0, provenance={"git": "abc"})]))["version"] == "abc"


def test_every_run_has_its_line_in_order() -> None:
    table = run_list([run("none", seed, 1.0, 2.0) for seed in (3, 1, 2)])
    assert [row[0] for row in table.rows] == ["none-s3", "none-s1", "none-s2"]
    assert table.title == "All runs in runs"


def test_runs_are_named_by_what_tells_them_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    runs = [replace(run("none", 1, 1.0, 2.0), directory=tmp_path / "runs" / name) for name in ("a/s1", "a/s2", "b")]
    table = run_list(runs)
    assert table.title == "All runs in runs"
    assert [row[0] for row in table.rows] == ["a/s1", "a/s2", "b"]
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert run_list(runs[:2]).title == f"All runs in {Path('~/runs/a')}"


def test_cider_has_three_decimals_in_every_table_and_others_two() -> None:
    score = SplitScore("test", Score("cider", 0.12345678, True, ""))
    gap = Gap("perplexity", 10.0, 12.345678, with_dropout=True)
    runs = [replace(run("none", seed, None, None), scores=(score,), gap=gap) for seed in (1, 2)]
    for table in (run_list(runs), rule_table(runs), short_table(runs)):
        text = to_markdown([replace(table, notes=())])
        assert "0.123" in text
        assert "0.1234" not in text
        assert "-2.35" in text
    assert json.loads(to_json([run_list(runs)]))[0]["rows"][0]["test"] == 0.12345678, "programs get every digit"
    assert "0.12345678" in to_csv([rule_table(runs)])


def test_a_rule_is_a_line_beside_none_with_its_change() -> None:
    gaps = [{"gap": Gap("wer", 2.0 + n, 4.0, with_dropout=False)} for n in (0, 1)]
    runs = [run("none", 1, 20.0, 22.0, **gaps[0]), run("none", 2, 22.0, 24.0, **gaps[1])]
    runs += [run("zaremba", 1, 11.0, 12.0), run("zaremba", 2, 13.0, 14.0), run("zaremba", 2, 13.0, 14.0)]
    plain, dropped = (cells(short_table(runs), number) for number in (0, 1))
    assert plain == {
        "task, data, size": "asr, an4, small", "score": "wer (lower is better)", "rule, p": "none", "seeds": 2,
        "validation": 21.0, "test": "23.00 ± 12.71", "change": "", "gap": "-1.50 ± 6.35",
    }  # fmt: skip
    # Welch with equal variances: two degrees of freedom, t = 10 / sqrt(2)
    assert dropped["rule, p"] == "zaremba 0.2"
    assert dropped["seeds"] == 2
    assert (dropped["test"], dropped["change"]) == ("13.00 ± 12.71", "-10.00 ± 6.08 (p = 0.019)")
    assert dropped["gap"] == ""


@pytest.mark.parametrize(("valid", "test", "shown"), [(8.0, None, (8.0, "", "")), (None, 9.0, (None, "9.00", "-1.00"))])
def test_a_rule_without_one_of_the_scores_shows_the_other(
    valid: float | None, test: float | None, shown: tuple[Cell, ...]
) -> None:
    table = short_table([run("none", 1, 9.0, 10.0), run("zaremba", 1, valid, test)])
    row = cells(table, 1)
    assert (row["validation"], row["test"], row["change"]) == shown
    assert cells(table)["change"] == ""


def test_a_rule_without_a_none_of_its_own_has_no_change() -> None:
    table = short_table([run("none", 1, 9.0, 10.0, num_models=5), run("zaremba", 1, 8.0, 9.0)])
    assert [row[6] for row in table.rows] == ["", ""]


def test_a_gap_of_another_score_is_named() -> None:
    gap = Gap("loss", 1.0, 3.0, with_dropout=True)
    assert cells(short_table([run("none", 1, 9.0, 10.0, gap=gap)]))["gap"] == "-2.00 loss"


def test_numbers_are_rounded_as_readers_want_them() -> None:
    gap = Gap("wer", 5.0, 8.5, with_dropout=False)
    made = run("zaremba", 3, 8.5, 9.126, gap=gap, train_seconds=90.0, epochs=4, num_parameters=1000)
    last = to_markdown([run_list([made])]).rstrip("\n").split("\n")[-1]
    cells_shown = "zaremba-s3 zaremba 0.2 9.13 8.50 wer -3.50 3 4 1.5 asr an4 small 1 1000"
    assert last == f"| {' | '.join(cells_shown.split())} |  |"
    alignments = to_markdown([run_list([made])]).split("\n")[3]
    assert alignments.replace(" ", "") == (
        "|---" * 2 + "|---:" * 3 + "|---" + "|---:" * 4 + "|---" * 3 + "|---:" * 2 + "|---|"
    )
    short = to_markdown([short_table([made])]).split("\n")
    assert short[3].replace(" ", "") == "|---|---|---|---:|---:|---|---|---|"
    assert short[4] == "| asr, an4, small | wer (lower is better) | zaremba 0.2 | 1 | 8.50 | 9.13 |  | -3.50 |"
