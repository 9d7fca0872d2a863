"""Power laws are found again, with an honest error."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstmdrop.report.power import Panel, Points, PowerLine, fitted_power, growth_figure

SIZES = [10.0, 20.0, 40.0, 160.0]


@given(st.floats(-2, 3), st.floats(1e-6, 1e6))
def test_an_exact_power_is_found_without_an_error(exponent: float, factor: float) -> None:
    found, error = fitted_power(Points(SIZES, [factor * size**exponent for size in SIZES]))
    assert found == pytest.approx(exponent, abs=1e-9)
    assert error == pytest.approx(0, abs=1e-6)


def test_the_error_is_that_of_least_squares() -> None:
    generator = np.random.default_rng(1)
    noisy = [size**1.5 * np.exp(generator.normal(0, 0.1)) for size in SIZES]
    (slope, _), covariance = np.polyfit(np.log(SIZES), np.log(noisy), 1, cov=True)
    assert fitted_power(Points(SIZES, noisy)) == pytest.approx((slope, covariance[0, 0] ** 0.5))


@pytest.mark.parametrize("sizes", [[1.0, 2.0], [3.0, 3.0, 3.0]])
def test_too_few_points_give_no_power(sizes: list[float]) -> None:
    with pytest.raises(ValueError, match="three points"):
        fitted_power(Points(sizes, sizes))


def test_the_picture_says_each_exponent_and_is_the_same_each_time() -> None:
    line = PowerLine("time", Points(SIZES, [size**1.5 for size in SIZES]), 1.5)
    flat = PowerLine("memory", Points(SIZES, [5.0] * 4), 0.0)
    panels = [Panel("batch", [line, flat])] * 4
    assert growth_figure(panels) == growth_figure(panels)
    assert growth_figure(panels[:1]) != growth_figure(panels)
