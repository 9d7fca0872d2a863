"""docs/results/speed.md and its picture, made of what tools/speed.py has measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lstmdrop.commands.growth import GrowthRow, growth_fits
from lstmdrop.report.power import Panel, Points, PowerLine, growth_figure
from lstmdrop.report.table import Cell, Column, Table, to_markdown

Rows = Sequence[Mapping[str, Any]]

MEGA, GIGA = 1e6, 1e9
NOTHING = "Not measured yet."

HEAD = """# Speed

How fast each task trains, scores and decodes, beside the plainest PyTorch loop for the same network; what memory
that takes, where a step's time goes, and how all of it grows. This file is written by code, from the records in
`{records}/`:

```console
$ make bench              # a machine that does nothing else: all but the last table, about a quarter of an hour
$ make bench-shared       # the last table: trainings beside a busy process, and two at once
```

[Measuring speed](../bench.md) says what each number is.
"""


def document(records: Mapping[str, Rows], folder: str) -> str:
    """The whole text; what was not measured is said."""
    growth = NOTHING
    if records["growth"]:
        growth = (
            f"{_body(_growth_table(records['growth']))}\n![time and memory against each size]({folder}/growth.svg)\n"
        )
    profile = "\n".join(_profiles(records["profile"])) if records["profile"] else NOTHING
    sections = {
        "Machine": _machine(records["machine"]) if records["machine"] else NOTHING,
        "Training, scoring, decoding": _body(_speed_table(records["speed"])) if records["speed"] else NOTHING,
        "Where a training step's time goes": profile,
        "As work grows": growth,
        "Not alone on the machine": _shared(records["shared"]) if records["shared"] else NOTHING,
    }
    parts = [HEAD.format(records=folder), *(f"## {title}\n\n{body.rstrip()}\n" for title, body in sections.items())]
    return "\n".join(parts)


def _body(table: Table) -> str:
    """Without the heading, which the text has."""
    return to_markdown([table]).split("\n", 2)[2]


def _machine(rows: Rows) -> str:
    (row,) = rows[-1:]
    load = "unknown" if row["load"] is None else f"{row['load'][0]:.1f} in the minute before"
    memory = "unknown" if row["memory_bytes"] is None else f"{row['memory_bytes'] / GIGA:.0f} GB"
    facts = {
        "processor": row["processor"],
        "instructions that matter": ", ".join(row["instructions"]) or "none known",
        "PyTorch uses": row["capability"],
        "cores": row["cores"],
        "memory": memory,
        "GPU": row["gpu"] or "none",
        "threads": row["threads"],
        "torch": row["torch"],
        "python": row["python"],
        "system": row["system"],
        "measured": row["when"],
        "load": load,
    }
    return "\n".join(f"- {name}: {value}" for name, value in facts.items())


def _speed_table(rows: Rows) -> Table:
    columns = (
        Column("task", is_text=True), Column("size", is_text=True), Column("work", is_text=True),
        Column("unit", is_text=True), Column("ours, a second", None, 4), Column("± %", 0),
        Column("plain loop", None, 4), Column("± %", 0), Column("ratio"), Column("of the matrix rate, %", 0),
        Column("of the bandwidth, %", 0), Column("memory, MB", 0), Column("plain, MB", 0),
    )  # fmt: skip
    return Table("", columns, tuple(_speed_row(row) for row in rows))


def _speed_row(row: Mapping[str, Any]) -> tuple[Cell, ...]:
    work = row["work"] if row["beam"] is None else f"{row['work']}, beam {row['beam']}"
    ours, plain = row["tokens_per_second"], row["plain_tokens_per_second"]
    peaks = [None if row[key] is None else row[key] / MEGA for key in ("peak_bytes", "plain_peak_bytes")]
    has_products = row["share_of_matrix_rate"] > 0
    return (
        row["task"], row["size"], work, row["unit"], ours, 50 * row["spread"] / ours, plain,
        50 * row["plain_spread"] / plain, row["ratio"], 100 * row["share_of_matrix_rate"] if has_products else None,
        100 * row["share_of_bandwidth"] if has_products else None, *peaks,
    )  # fmt: skip


def _profiles(rows: Rows) -> list[str]:
    """A table of each network."""
    found = []
    for task, size in dict.fromkeys((row["task"], row["size"]) for row in rows):
        own = [row for row in rows if (row["task"], row["size"]) == (task, size)]
        columns = (Column("part", is_text=True), Column("ms a step"), Column("%", 1))
        cells = tuple((row["part"], 1000 * row["seconds"], 100 * row["share"]) for row in own)
        total = ("all of the step", 1000 * sum(row["seconds"] for row in own), 100 * sum(row["share"] for row in own))
        table = _body(Table("", columns, (*cells, total)))
        usual = 1000 * own[0]["step_seconds"]
        found.append(f"**{task} {size}**: {usual:.2f} ms a step when nothing but the whole is measured.\n\n{table}")
    return found


def _growth_rows(rows: Rows) -> list[GrowthRow]:
    return [GrowthRow(**row) for row in rows]


def _growth_table(rows: Rows) -> Table:
    columns = (
        Column("what grows", is_text=True), Column("from", 0), Column("to", 0), Column("quantity", is_text=True),
        Column("expected exponent"), Column("fitted"), Column("standard error"),
    )  # fmt: skip
    values = {row["axis"]: [other["value"] for other in rows if other["axis"] == row["axis"]] for row in rows}
    cells = tuple(
        (fit.axis, min(values[fit.axis]), max(values[fit.axis]), fit.quantity, fit.expected, fit.exponent,
         fit.standard_error)
        for fit in growth_fits(_growth_rows(rows))
    )  # fmt: skip
    return Table("", columns, cells)


def picture(rows: Rows) -> str:
    """Time and memory against each size that grew, as SVG."""
    points = _growth_rows(rows)
    fits = {(fit.axis, fit.quantity): fit.expected for fit in growth_fits(points)}
    panels = []
    for axis in dict.fromkeys(axis for axis, _ in fits):
        own = [row for row in points if row.axis == axis]
        sizes = [float(row.value) for row in own]
        time = Points(sizes, [row.seconds for row in own])
        memory = Points(sizes, [float(max(1, row.memory_bytes)) for row in own])
        lines = [PowerLine(name, one, fits[axis, name]) for name, one in (("time", time), ("memory", memory))]
        panels.append(Panel(axis, lines))
    return growth_figure(panels)


def _shared(rows: Rows) -> str:
    columns = (
        Column("task", is_text=True), Column("size", is_text=True), Column("situation", is_text=True),
        Column("training", 0), Column("tokens a second", 0), Column("of what it reaches alone"),
    )  # fmt: skip
    cells = tuple(
        (row["task"], row["size"], row["situation"], number, rate, share)
        for row in rows
        for number, (rate, share) in enumerate(zip(row["tokens_per_second"], row["shares"], strict=True), 1)
    )
    return f"{_body(Table('', columns, cells))}\n{_machine(rows)}"
