"""``report``, ``compare`` and ``reproduce`` on the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

RESULTS = Path(__file__).parents[2] / "docs/results/lm"
BEST, NAIVE = str(RESULTS / "small-zaremba-p0.2-s1"), str(RESULTS / "small-naive-p0.2-s1")

Command = Callable[..., Any]


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("table", "What dropout changed"),
        ("markdown", "| lm | ptb | small | perplexity | none |"),
        ("latex", "\\toprule"),
        ("csv", "What dropout changed,lm,ptb,small,perplexity,none"),
        ("json", '"title": "What dropout changed"'),
        ("html", "<!DOCTYPE html>"),
    ],
)
def test_a_report_in_every_format(lstmdrop: Command, kind: str, said: str) -> None:
    outcome = lstmdrop("report", RESULTS, "--format", kind)
    assert outcome.code == 0
    assert said in outcome.output


def test_a_report_begins_with_ones_own_runs_and_what_dropout_changed(lstmdrop: Command) -> None:
    text = lstmdrop("report", BEST, RESULTS / "small-none-s1").output
    parts = [
        "1 of 1 scores are better",
        "All runs in ",
        "small-none-s1",
        "What dropout changed",
        "Table 1 of the paper: Penn",
    ]
    parts += ["Table 1 of the paper: rows not run", "Table 4 of the paper"]
    places = [text.index(part) for part in parts]
    assert places == sorted(places)
    assert "All runs" not in lstmdrop("report", BEST).output


@pytest.mark.parametrize(
    ("figure", "said"), [("changes", "What dropout changed"), ("rules", "ptb, small: perplexity by rule")]
)
def test_every_picture_is_an_svg(lstmdrop: Command, figure: str, said: str) -> None:
    pytest.importorskip("matplotlib")
    runs = (BEST, RESULTS / "small-none-s1")
    outcome = lstmdrop("report", *runs, "--format", "svg", "--figure", figure)
    assert outcome.code == 0
    assert f"<!-- {said} -->" in outcome.output


def test_a_picture_that_there_is_not_is_refused(lstmdrop: Command) -> None:
    assert lstmdrop("report", BEST, "--format", "svg", "--figure", "pie").code == 2
    several = lstmdrop("report", RESULTS / "lm-demo", BEST, "--format", "svg", "--figure", "rules")
    assert several.code == 2
    assert "shows one dataset and size, and there are 2" in several.messages


def test_an_unknown_format_is_refused(lstmdrop: Command) -> None:
    outcome = lstmdrop("report", RESULTS, "--format", "pdf")
    assert outcome.code == 2
    assert "one of table, markdown, latex, csv, json, html, svg" in outcome.messages


def test_a_comparison_as_a_table_and_as_json(lstmdrop: Command) -> None:
    few = ("--resamples", "100", "--shuffles", "100")
    assert "Two runs on the same test data" in lstmdrop("compare", BEST, NAIVE, *few).output
    (row,) = json.loads(lstmdrop("compare", BEST, NAIVE, *few, "--format", "json").output)[0]["rows"]
    assert (row["test score"], row["better"]) == ("perplexity", "neither")
    assert row["signature A"].startswith("tokens:82429|")


def test_a_comparison_with_what_is_no_run_is_refused(lstmdrop: Command, tmp_path: Path) -> None:
    outcome = lstmdrop("compare", BEST, tmp_path)
    assert outcome.code == 4
    assert "not finished" in outcome.messages
    assert lstmdrop("compare", BEST, NAIVE, "--format", "svg").code == 2


def test_the_plan_names_what_is_done(lstmdrop: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(RESULTS.parents[2])
    chosen = ("reproduce", "lm-ptb", "--seeds", 1, "--out", tmp_path)
    code, plan, _ = lstmdrop(*chosen, "--list")
    assert code == 0
    assert "lm-ptb" in plan
    assert "done" in plan
    outcome = lstmdrop(*chosen)  # nothing is left to run
    assert outcome.code == 0
    assert "2 of 2 runs are done" in outcome.output


@pytest.mark.slow
def test_an_experiment_that_fails_is_named_at_the_end(lstmdrop: Command, tmp_path: Path) -> None:
    grid = tmp_path / "grid.toml"
    grid.write_text(
        "[[experiment]]\nname='a'\ntask='lm'\ndata='/no/such'\nsize='tiny'\nrules=[{rule='none'}]\nseeds=1\n"
    )
    code, output, messages = lstmdrop("reproduce", "--grid", grid, "--out", tmp_path / "out")
    assert code == 1
    assert "0 of 1 runs are done" in output
    assert "failed: a/none-s1: '/no/such' is neither a dataset nor" in messages
    assert lstmdrop("reproduce", "b", "--grid", grid).code == 2


def test_a_report_on_what_is_not_there_is_refused(lstmdrop: Command, tmp_path: Path) -> None:
    absent, empty = lstmdrop("report", tmp_path / "nowhere"), lstmdrop("report", tmp_path)
    assert (absent.code, empty.code) == (4, 4)
    assert "nowhere: no such folder" in absent.messages
    assert "no run that can be read is in" in empty.messages


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("report --curves --format csv", "--curves"), ("report --no-data", "--no-data"),
        ("report --no-data --format csv", "--no-data"), ("report --data-dir x", "--data-dir"),
        ("report --into x.md --format csv", "--format"), ("report --into x.md --output y", "--output"),
        ("report --into x.md --curves", "--curves"), ("report --no-paper --format svg", "--no-paper"),
        ("report --into x.md --no-paper", "--no-paper"), ("report --figure rules", "--figure"),
        ("train lm --dry-run --resume", "--resume"),
        ("train lm --dry-run --log tensorboard", "--log"),
    ],
)  # fmt: skip
def test_an_option_without_effect_is_refused(lstmdrop: Command, command: str, said: str) -> None:
    refused = lstmdrop(*command.split())
    assert (refused.code, refused.output, len(refused.messages.splitlines())) == (2, "", 1)
    assert refused.messages.startswith(f"lstmdrop: {said} has an effect only ")


@pytest.mark.parametrize(
    "setting", ["training.epochs=3", "decoding.beam_size=2", "data.name=ptb", "scoring.meteor=true"]
)
def test_bench_takes_what_a_training_step_depends_on(lstmdrop: Command, setting: str) -> None:
    refused = lstmdrop("bench", "caption", "--sizes", "tiny", "--seconds", "0.1", settings=[setting])
    assert (refused.code, refused.output) == (3, "")
    assert f"--set {setting.partition('=')[0]}: bench caption does not take it" in refused.messages
