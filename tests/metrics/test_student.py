from __future__ import annotations

import math

import pytest

from lstmdrop.metrics.student import student_cdf, student_quantile

TABLE = [  # two-sided 95%, degrees of freedom: from the tables of any textbook
    (1, 12.706204736), (2, 4.302652730), (3, 3.182446305), (4, 2.776445105), (9, 2.262157163), (30, 2.042272456),
    (1000, 1.962339081),
]  # fmt: skip


@pytest.mark.parametrize(("degrees", "value"), TABLE)
def test_quantiles_are_those_of_the_tables(degrees: int, value: float) -> None:
    assert student_quantile(0.975, degrees) == pytest.approx(value, rel=1e-9)
    assert student_quantile(0.025, degrees) == pytest.approx(-value, rel=1e-9)


@pytest.mark.parametrize("t", [-1e4, -30.0, -2.5, -0.1, 0.0, 0.4, 3.0, 500.0])
def test_one_and_two_degrees_have_closed_forms(t: float) -> None:
    assert student_cdf(t, 1) == pytest.approx(0.5 + math.atan(t) / math.pi, rel=1e-6, abs=1e-15)
    assert student_cdf(t, 2) == pytest.approx(0.5 + t / (2 * math.sqrt(2 + t * t)), rel=1e-6, abs=1e-15)


@pytest.mark.parametrize("degrees", [1.0, 1.6, 4.3, 57.0])
def test_the_quantile_is_the_inverse_and_the_tails_are_alike(degrees: float) -> None:
    for probability in (0.001, 0.2, 0.5, 0.9, 0.9995):
        assert student_cdf(student_quantile(probability, degrees), degrees) == pytest.approx(probability, rel=1e-9)
    assert student_cdf(-1.7, degrees) + student_cdf(1.7, degrees) == pytest.approx(1.0)


@pytest.mark.parametrize(("probability", "degrees"), [(0.0, 3), (1.0, 3), (0.5, 0)])
def test_what_has_no_quantile_is_refused(probability: float, degrees: float) -> None:
    with pytest.raises(ValueError, match="no quantile"):
        student_quantile(probability, degrees)
