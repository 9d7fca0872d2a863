"""A golden output; blanks at line ends are dropped."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import pytest

from lstmdrop.cli.terminal_plot import curves
from lstmdrop.errors import UsageError
from lstmdrop.report.curves import Curves

PLAIN = Curves("none-s1", (1, 2, 3, 4), (300.0, 80.0, 40.0, 30.0), (250.0, 120.0, 130.0, 180.0))
DROPPED = Curves("zaremba-s1", (1, 2, 3, 4), (400.0, 110.0, 90.0, 70.0), (320.0, 105.0, 95.0, 95.5))

CURVES = """\
Perplexity by epoch
   ┌───────────────────────────────────────────────────────┐
400┤---                                                    │
300┤xxxx---                                                │
200┤ooooxxxxx--                                            │
150┤      .ooxxxx--                            oooooooooooo│
   │          ...xxxxx-oooooooooooooooooooooooo            │
100┤              ....xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx│
 70┤                  .......                  ------------│
 50┤                         ........                      │
 40┤                                 .............         │
 30┤                                              .........│
   └┬─────────────────┬─────────────────┬─────────────────┬┘
    1                 2                 3                 4
              epoch (perplexity on a log scale)
  . none-s1, training, dropout on: lowest 30.00, epoch 4
  o none-s1, validation: lowest 120.00, epoch 2
  - zaremba-s1, training, dropout on: lowest 70.00, epoch 4
  x zaremba-s1, validation: lowest 95.00, epoch 3
  Where curves meet, the last named is seen."""


def test_curves_can_be_told_apart_without_colour() -> None:
    text = curves("Perplexity by epoch", [PLAIN, DROPPED], width=60, height=14)
    assert "\n".join(line.rstrip() for line in text.split("\n")) == CURVES


def test_colour_changes_no_character() -> None:
    plain, colored = (curves("a", [PLAIN, DROPPED], color=color) for color in (False, True))
    assert "\x1b" not in plain
    assert "\x1b[38;5;" in colored
    assert re.sub(r"\x1b\[[0-9;]*m", "", colored) == plain


def test_curves_have_the_width_that_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.setenv("LINES", "8")
    plot = curves("a", [PLAIN], width=100, height=20).split("\n")[1:-3]
    assert (len(plot), {len(line) for line in plot}) == (20, {100})


def test_points_that_cannot_be_drawn_are_left_out() -> None:
    diverged = Curves("a", (1, 2), (math.inf, math.inf), (250.0, math.nan))
    assert curves("Title", [diverged]).split("\n")[-1] == "  o a, validation: lowest 250.00, epoch 1"
    assert "training" not in curves("Title", [diverged])
    assert (
        curves("Title", [replace(diverged, validation=(math.inf, math.nan))]) == "Title: no finite perplexity to draw"
    )


def test_characters_are_not_used_twice() -> None:
    for runs in ([], [PLAIN] * 6):
        with pytest.raises(UsageError, match=f"{len(runs)} runs with curves: a plot shows 1 to 5"):
            curves("Title", runs)
