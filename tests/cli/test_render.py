"""Golden outputs, at the widths of half a screen, a plain terminal and a wide one; blanks at line ends are dropped."""

from __future__ import annotations

import io
import math
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from lstmdrop.cli.render import curves, print_tables
from lstmdrop.errors import UsageError
from lstmdrop.metrics.score import Score
from lstmdrop.report.paper import TABLE_1
from lstmdrop.report.summary import Curves, RunSummary, SplitScore
from lstmdrop.report.table import Column, Note, Table, paper_table, rule_table, run_table

SIGNATURE = "tokens:{}|vocabulary:10000|stream:single|state:carried|models:1|data:9edb66ae0d4a|version:0.1.0"
PAPER = replace(TABLE_1, rows=(TABLE_1.rows[1], TABLE_1.rows[0], TABLE_1.rows[8]), notes=TABLE_1.notes[:1])


def run(rule: str, dropout: float | None, seed: int, valid: float, test: float, size: str = "medium") -> RunSummary:
    scores = (
        SplitScore("valid", Score("perplexity", valid, False, SIGNATURE.format(73760))),
        SplitScore("test", Score("perplexity", test, False, SIGNATURE.format(82430))),
    )
    directory = Path(f"runs/lm-{size}-ptb-{rule}-s{seed}")
    return RunSummary(directory, "lm", "ptb", size, rule, seed, scores, dropout=dropout, num_parameters=len(size))


RUNS = (
    run("none", None, 1, 120.512, 114.623, "small"),
    run("none", None, 1, 121.9, 117.2),
    run("none", None, 2, 122.4, 118.03),
    run("zaremba", 0.5, 1, 86.41, 82.93),
    run("zaremba", 0.5, 2, 86.02, 82.55),
    run("weight-drop", 0.5, 1, 88.2, 84.9),
)
TABLES = (paper_table(RUNS, PAPER), rule_table(RUNS))


def printed(tables: tuple[Table, ...], width: int) -> str:
    file = io.StringIO()
    print_tables(tables, Console(file=file, width=width))
    lines = file.getvalue().split("\n")
    assert max(map(len, lines)) <= width
    return "\n".join(line.rstrip() for line in lines)
