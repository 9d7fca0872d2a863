"""A card for each task, and what is drawn in it at first."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lstmdrop.metrics.score import Score
from lstmdrop.report.page.cards import cards_html
from lstmdrop.report.runs import Gap, RunSummary, SplitScore


def run(rule: str, seed: int, value: float | None, **changes: object) -> RunSummary:
    """A run of Penn Treebank, but for ``changes``."""
    scores = () if value is None else (SplitScore("test", Score("perplexity", value, False, "tokens:1")),)
    fields: dict[str, object] = {"task": "lm", "data": "ptb", "size": "small", "scores": scores, **changes}
    dropout = None if rule == "none" else 0.5
    name = f"{fields['task']}-{fields['data']}-{rule}-s{seed}"
    return RunSummary(Path(name), regularizer=rule, seed=seed, **{"dropout": dropout, **fields})  # type: ignore[arg-type]


RUNS = [run("none", 2, 114.0), run("none", 1, 112.0), run("zaremba", 2, 99.0), run("zaremba", 1, 97.0)]
WER = (SplitScore("test", Score("wer", 10.0, False, "")),)
DEMO = run("none", 1, 90.0, data="demo")
SPEECH = run("none", 1, None, task="asr", data="demo", scores=WER)


def directories(runs: list[RunSummary]) -> set[Path]:
    return {one.directory for one in runs}


def ticked(html: str) -> list[str]:
    return re.findall(r'aria-label="([^"]+)" checked', html)


def test_the_curves_of_the_best_rule_and_of_none_are_ticked_at_first() -> None:
    worse = run("naive", 1, 120.0)
    html = cards_html([worse, *RUNS], directories([worse, *RUNS]))
    assert ticked(html) == ["none, seed 1", "zaremba 0.5, seed 1"]
    values = dict(re.findall(r'value="(\d)" aria-label="([^"]+)"', html))
    assert values["2"] == "none, seed 1", "numbers are those of the runs as they are given"
    assert len(values) == 5


def test_a_rule_without_curves_or_without_none_gives_way() -> None:
    assert ticked(cards_html(RUNS, directories(RUNS[2:]))) == ["zaremba 0.5, seed 1"]
    assert ticked(cards_html(RUNS[2:], directories(RUNS))) == ["zaremba 0.5, seed 1"]
    html = cards_html(RUNS, set())
    assert "checkbox" not in html
    assert 'class="chart curves"' not in html


def test_each_task_has_a_card_and_demos_are_folded_under_what_is_more() -> None:
    html = cards_html([SPEECH, DEMO, *RUNS], set())
    assert re.findall(r"<h2>(.*?)</h2>", html) == ["language modelling", "speech recognition"]
    found = re.findall(r'<details class="group"( open)?><summary><h3>(.*?)</h3>', html)
    assert found == [
        (" open", "ptb, small: perplexity"), ("", "demo, small: perplexity"), (" open", "demo, small: WER"),
    ]  # fmt: skip
    assert "Penn Treebank" in html


def test_a_row_tells_interval_change_p_value_and_the_gap_with_its_unit() -> None:
    gap = Gap("loss", 1.0, 3.0, with_dropout=True)
    html = cards_html([*RUNS[:3], run("zaremba", 1, 97.0, gap=gap)], set())
    (row,) = re.findall(r'<tr><th scope="row" class="text" data-value="zaremba">.*?</tr>', html)
    cells = re.findall(r">([^<>]*)</t[hd]>", row)
    assert cells[:4] == ["zaremba", "0.5", "98.00 ± 12.71", "-15.00 ± 6.08"]
    assert cells[4:] == ["0.0088", "-2.00 loss", "2"]
    assert 'data-value="-15.0"' in row


def test_a_run_that_diverged_keeps_its_line_and_its_box() -> None:
    lost = run("naive", 1, float("nan"))
    html = cards_html([*RUNS, lost], directories([lost]))
    assert ticked(html) == ["naive 0.5, seed 1"]
    (item,) = re.findall(r"<li[^>]*><span class=\"who\"><b>naive 0.5.*?</li>", html)
    assert 'class="mean"' not in item


@pytest.mark.parametrize("hostile", ["<script>", '"onload="x'])
def test_names_are_never_code(hostile: str) -> None:
    html = cards_html([run("none", 1, 1.0, data=hostile, task=hostile)], set())
    assert hostile not in html
