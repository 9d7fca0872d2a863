"""Means and intervals under each other, as data, as HTML and as SVG."""

from __future__ import annotations

import math
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lstmdrop.errors import DataError
from lstmdrop.metrics.score import Score
from lstmdrop.report.forest import Forest, ForestRow, changes_forest, groups_of
from lstmdrop.report.page.intervals import forest_html
from lstmdrop.report.plots import COLORS, forest_figure, forest_places
from lstmdrop.report.runs import RunSummary, SplitScore

ROWS = (
    ForestRow("clear", 10.0, 5.0, 15.0, "ptb", "10% better", "a → b", "one task"),
    ForestRow("unclear", 3.0, -5.0, 11.0, heading="one task"),
    ForestRow("single <b>", -20.0, heading="another"),
)
FOREST = Forest("What $changed$", "per cent", ROWS, reference=0.0)


def run(rule: str, seed: int, value: float, **changes: object) -> RunSummary:
    scores = (SplitScore("test", Score("cider", value, True, "")),)
    return RunSummary(Path(f"{rule}-{seed}"), "caption", "own", "small", rule, seed, scores, **changes)  # type: ignore[arg-type]


def test_a_rule_has_its_mean_interval_seeds_and_minutes() -> None:
    runs = [run("none", 1, 0.5, train_seconds=60.0), run("none", 2, 0.6, train_seconds=120.0)]
    (forest,) = groups_of([*runs, run("zaremba", 1, 0.75, dropout=0.5)])
    plain, dropped = forest.rows
    assert forest.axis == "test CIDEr (higher is better)"
    assert plain.values == (0.5, 0.6)
    assert (plain.said, plain.details) == ("0.550 ± 0.635", "1.5 min")
    assert (plain.mean - plain.low, plain.high - plain.mean) == pytest.approx((0.63531, 0.63531), abs=1e-4)  # type: ignore[operator]
    assert (dropped.label, dropped.said, dropped.low) == ("zaremba 0.5", "0.750", None)


@pytest.mark.parametrize(("value", "shown"), [
    ("show-tell", "show-tell"), (39, "kind=39"), (True, "kind=True"), ("no", "kind=no"),
])  # fmt: skip
def test_a_setting_keeps_its_name_where_the_value_does_not_tell_it(value: object, shown: str) -> None:
    other = run("none", 1, 0.5, settings={"model.kind": "else"})
    (forest,) = groups_of([run("none", 1, 0.5, settings={"model.kind": value}), other])
    assert f"none, {shown}" in [row.label for row in forest.rows]


def test_a_change_tells_both_scores_and_how_sure_it_is() -> None:
    (row,) = changes_forest([run("none", 1, 0.4), run("zaremba", 1, 0.5)]).rows
    assert (row.said, row.details) == ("25.0% better", "CIDEr 0.400 → 0.500, one seed")
    assert (row.heading, row.context, row.low) == ("image captioning", "own, small", None)


@example(found=[(5e-324, 0.0)])
@given(st.lists(st.tuples(st.floats(-99, 99), st.floats(0, 1e4)), min_size=1, max_size=6))
def test_all_means_are_within_the_limits_and_an_interval_leaves_them_room(found: list[tuple[float, float]]) -> None:
    forest = Forest("t", "a", tuple(ForestRow("x", mean, mean - half, mean + half) for mean, half in found))
    low, high = forest.limits
    means = [mean for mean, _ in found]
    assert low < min(means) <= max(means) < high
    spread = max(means) - min(means)
    assert spread == 0 or high - low <= 3 * spread * 1.081


def places(html: str, kind: str) -> list[float]:
    return [float(value) for value in re.findall(rf'<i class="{kind}" style="left:([\d.]+)%', html)]


def test_in_html_marks_stand_where_their_values_are() -> None:
    html = forest_html(FOREST)
    low, high = FOREST.limits
    expected = [100 * (row.mean - low) / (high - low) for row in ROWS]
    assert places(html, "mean") == pytest.approx(expected, abs=0.01)
    (left, right), *_ = re.findall(r'class="bar" style="left:([\d.]+)%;right:([\d.]+)%', html)
    assert (float(left), 100 - float(right)) == pytest.approx(
        [100 * (x - low) / (high - low) for x in (5, 15)], abs=0.02
    )
    assert re.findall(r'<li class="([^"]+)"', html) == ["row better", "row unclear better", "row single worse"]
    assert re.findall(r"<h3>(.*?)</h3>", html) == ["one task", "another"]
    assert "single &lt;b&gt;" in html


@pytest.mark.parametrize("high", [7.0, 31.0, 460.0])
def test_an_axis_has_a_few_numbers_and_the_reference_is_one(high: float) -> None:
    html = forest_html(Forest("t", "a", (ForestRow("x", -0.4 * high), ForestRow("y", high)), reference=0.0))
    numbers = re.findall(r'<span style="left:[\d.]+%">([^<]+)</span>', html)
    assert "0" in numbers
    assert 2 <= len(numbers) <= 5
    assert html.count("linear-gradient") >= len(numbers)


def test_an_interval_that_is_cut_says_so() -> None:
    rows = (ForestRow("a", 0.0, -1e6, 1e6), ForestRow("b", 1.0))
    assert 'class="bar cut-left cut-right"' in forest_html(Forest("t", "a", rows))


def test_nothing_to_draw_draws_nothing() -> None:
    assert forest_html(Forest("t", "a", ())) == ""
    html = forest_html(Forest("t", "a", (ForestRow("x", math.nan, said="no score"),)))
    assert "no score" in html
    assert '<i class="mean"' not in html
    with pytest.raises(DataError, match="t: there is nothing to draw"):
        forest_figure(Forest("t", "a", ()))


def test_a_heading_takes_a_line_of_its_own() -> None:
    assert forest_places(ROWS) == [1, 2, 4]
    assert forest_places([ForestRow("a", 1.0), ForestRow("b", 2.0)]) == [0, 1]


def test_the_picture_names_its_rows_and_fills_what_is_clear() -> None:
    pytest.importorskip("matplotlib")
    svg = forest_figure(FOREST)
    assert svg == forest_figure(FOREST)
    assert ElementTree.fromstring(svg).tag.endswith("svg")
    for text in ("ptb, clear", "another", "10% better, a → b", "What $changed$"):
        assert f"<!-- {text} -->" in svg
    for color in COLORS[:2]:
        assert color.lower() in svg
    assert svg.count(f"fill: {COLORS[0].lower()}; stroke: {COLORS[0].lower()}") == 1
