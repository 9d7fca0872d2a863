from __future__ import annotations

import math
import re
import sys
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstmdrop.errors import DataError, MissingPartError, UsageError
from lstmdrop.report.curves import Curves
from lstmdrop.report.plots import COLORS, overfitting_figure, perplexity_ticks, spread_labels

PLAIN = Curves("none-s1", (1, 2, 3), (300.0, 80.0, 30.0), (250.0, 120.0, 180.0))
DROPPED = Curves("zaremba-s1", (1, 2, 3), (400.0, 110.0, 80.0), (300.0, 105.0, 95.0))


@pytest.fixture(scope="module")
def _matplotlib() -> None:
    pytest.importorskip("matplotlib")


@pytest.fixture(scope="module")
def figure(_matplotlib: None) -> str:
    return overfitting_figure([PLAIN, DROPPED])


def strokes(svg: str, color: str) -> list[str]:
    """The styles of the curves in a colour, in the order in which they are drawn; leader lines are thinner."""
    styles = re.findall(r'style="(fill: none; [^"]*)"', svg)
    return [style for style in styles if color.lower() in style and "opacity" not in style]


def test_training_is_dashed_validation_solid_and_each_run_has_its_colour(figure: str) -> None:
    assert ElementTree.fromstring(figure).tag.endswith("svg")
    for color in COLORS[:2]:
        assert ["stroke-dasharray" in style for style in strokes(figure, color)] == [True, False]
    assert not strokes(figure, COLORS[2])


@pytest.mark.usefixtures("_matplotlib")
def test_the_curves_are_named_beside_their_ends() -> None:
    svg = overfitting_figure([PLAIN, Curves("x" * 40 + "-s1", (1,), (50.0,), (60.0,))])
    assert "<!-- none-s1, training -->" in svg
    assert "<!-- none-s1, validation -->" in svg
    assert f"<!-- ...{'x' * 26}-s1, validation -->" in svg


def test_the_same_runs_give_the_same_bytes(figure: str) -> None:
    assert figure == overfitting_figure([PLAIN, DROPPED])
    assert "<dc:date>" not in figure


def height(svg: str, text: str) -> float:
    """How far a text stands below the top of the figure, in points."""
    found = re.search(rf"<!-- {text} -->\s*<g [^>]*transform=\"translate\([\d.]+ ([\d.]+)\)", svg)
    assert found is not None
    return float(found[1])


def test_perplexity_is_on_a_log_scale(figure: str) -> None:
    low, middle, high = (height(figure, tick) for tick in ("50", "100", "200"))
    assert low - middle == pytest.approx(middle - high, abs=0.01)
    assert low - middle > 10


@pytest.mark.usefixtures("_matplotlib")
def test_only_overfitting_is_shaded() -> None:
    """A fresh model's training perplexity, with dropout on and from before its updates, is above validation."""
    underfit = Curves("a", (1, 2), (100.0, 50.0), (90.0, 45.0))
    overfit = Curves("a", (1, 2), (100.0, 50.0), (110.0, 55.0))
    shades = [re.findall(r"opacity: 0\.1\b", overfitting_figure([run])) for run in (underfit, overfit)]
    assert [bool(found) for found in shades] == [False, True]


@pytest.mark.usefixtures("_matplotlib")
def test_labels_of_curves_that_end_together_do_not_overlap() -> None:
    runs = [Curves(f"run{number}", (1, 2), (100.0, 50.0), (90.0, 50.0)) for number in range(3)]
    svg = overfitting_figure(runs)
    heights = sorted(height(svg, f"{run.name}, {kind}") for run in runs for kind in ("training", "validation"))
    assert min(low - high for high, low in pairwise(heights)) > 9  # points, the size of the font


@pytest.mark.parametrize("heights", [[0.0] * 6, [1.0] * 6, [0.1, 0.5, 0.5, 0.97, 0.98, 0.99], [0.2, 0.21, 0.22]])
def test_labels_stay_within_the_axes_and_apart(heights: list[float]) -> None:
    spread = spread_labels(heights)
    assert all(0 <= height <= 1 for height in spread)
    assert min(high - low for low, high in pairwise(spread)) == pytest.approx(0.045)


def test_labels_that_are_apart_stay_where_their_curves_end() -> None:
    assert spread_labels([0.1, 0.5, 0.9]) == [0.1, 0.5, 0.9]


@pytest.mark.usefixtures("_matplotlib")
def test_an_epoch_that_diverged_is_left_out() -> None:
    diverged = Curves("a", (1, 2, 3), (300.0, 80.0, math.inf), (250.0, 120.0, math.nan))
    assert len(strokes(overfitting_figure([diverged]), COLORS[0])) == 2
    with pytest.raises(DataError, match="finite"):
        overfitting_figure([Curves("a", (1,), (math.inf,), (250.0,))])


@pytest.mark.usefixtures("_matplotlib")
def test_colours_are_not_used_twice() -> None:
    for runs in ([], [PLAIN] * (len(COLORS) + 1)):
        with pytest.raises(UsageError, match=f"{len(runs)} runs with curves: a figure shows 1 to 6"):
            overfitting_figure(runs)


def test_without_matplotlib_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingPartError, match=re.escape("pip install 'lstmdrop[plots]'")):
        overfitting_figure([PLAIN])


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (40, 700, [50, 100, 200, 500]),
        (75, 320, [100, 150, 200, 300]),
        (5, 20_000, [10, 100, 1000, 10_000]),
        (82, 120, [90, 100, 110, 120]),
        (82.09, 82.21, [82.1, 82.12, 82.14, 82.16, 82.18, 82.2]),
        (82, 82, [82]),
    ],
)
def test_ticks_are_round_and_within_the_axis(low: float, high: float, ticks: list[float]) -> None:
    assert perplexity_ticks(low, high) == pytest.approx(ticks)


@settings(deadline=None)
@given(st.floats(0.01, 1e6), st.floats(1.000001, 1e4))
def test_any_axis_has_at_least_four_ticks_in_order(low: float, ratio: float) -> None:
    ticks = perplexity_ticks(low, low * ratio)
    assert len(ticks) >= 4
    assert ticks == sorted(set(ticks))
    assert low * (1 - 1e-9) <= ticks[0] <= ticks[-1] <= low * ratio * (1 + 1e-9)


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), max_size=20).map(sorted))
def test_labels_keep_their_order_and_distance_wherever_the_curves_end(heights: list[float]) -> None:
    spread = spread_labels(heights)
    assert len(spread) == len(heights)
    assert all(low + 0.045 <= high + 1e-9 for low, high in pairwise(spread))
    assert max(spread, default=0) <= 1
    if all(low + 0.045 <= high for low, high in pairwise(heights)):
        assert spread == pytest.approx(heights)
