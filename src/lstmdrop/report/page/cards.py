"""A card for each task: its datasets, and of each the curves, the rules side by side and their numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from html import escape
from itertools import groupby
from pathlib import Path

from lstmdrop.metrics.score import metric_title
from lstmdrop.report.changes import Change, changes, in_reading_order, known_dataset, scored_split, task_title
from lstmdrop.report.forest import group_name, rules_forest, short_name
from lstmdrop.report.page.grid import Head, Value, grid_html, notes_html
from lstmdrop.report.page.intervals import forest_html
from lstmdrop.report.runs import RunSummary
from lstmdrop.report.scores import (
    difference,
    difference_text,
    gap_text,
    mean_text,
    pool_gap,
    pool_score,
    signature_notes,
)
from lstmdrop.report.tables import Group, Line, lines_of

Lines = Mapping[Line, Sequence[RunSummary]]
NUM_COLORS = 8
"""That the style sheet names; the first is for a rule without dropout."""


def cards_html(runs: Sequence[RunSummary], with_curves: Set[Path]) -> str:
    """The cards; ``with_curves`` are the directories of runs whose curves the page's script can draw."""
    numbers = {run.directory: number for number, run in enumerate(runs) if run.directory in with_curves}
    groups = in_reading_order(runs)
    cards = []
    for task, keys in groupby(groups, key=lambda key: key.task):
        members = list(keys)
        parts = (_group(key, groups[key], numbers, is_open=key.data == members[0].data) for key in members)
        title = escape(task_title(task))
        cards.append(f'<section class="card" id="task-{escape(task)}"><h2>{title}</h2>{"".join(parts)}</section>')
    return "".join(cards)


def _group(key: Group, group: Sequence[RunSummary], numbers: Mapping[Path, int], *, is_open: bool) -> str:
    known = known_dataset(key.task, key.data)
    about = f'<p class="key">{escape(known.summary)}</p>' if known else ""
    name = f"{group_name(key)}: {metric_title(key.metric)}"
    lines, found = lines_of(group), sorted(changes(group), key=lambda change: -change.gain)
    told = "".join(f" <span>{escape(f'{short_name(best.line)}: {best.in_words}')}</span>" for best in found[:1])
    has_curves = any(run.directory in numbers for run in group)
    curves = (
        '<figure><h4>&#160;</h4><div class="chart curves"></div><figcaption class="key">&#160;</figcaption></figure>'
    )
    return (
        f'<details class="group"{" open" if is_open else ""}><summary><h3>{escape(name)}</h3>{told}</summary>{about}'
        f'<div class="pair">{curves if has_curves else ""}{_rules(key, lines, found, numbers)}</div>'
        f"{_table(key, group, lines, name)}</details>"
    )


def _rules(key: Group, lines: Lines, found: Sequence[Change], numbers: Mapping[Path, int]) -> str:
    """The scores of the rules, each with a box for every seed whose curves can be drawn."""
    forest, chosen = rules_forest(key, lines), first_choice(lines, found, numbers)
    colors = [f' style="--color:var(--c{_color(place, lines)})"' for place in range(len(lines))]
    boxes = [_boxes(line, runs, numbers, chosen) for line, runs in lines.items()]
    title = f"{metric_title(key.metric)[0].upper()}{metric_title(key.metric)[1:]} by rule"
    return f'<figure class="rules"><h4>{escape(title)}</h4>{forest_html(forest, colors, boxes)}</figure>'


def _color(place: int, lines: Mapping[Line, object]) -> int:
    has_plain = next(iter(lines)).rule == "none"
    return (place if has_plain else place + 1) % NUM_COLORS


def _boxes(line: Line, runs: Sequence[RunSummary], numbers: Mapping[Path, int], chosen: Set[int]) -> str:
    boxes = "".join(
        f'<label><input type="checkbox" value="{number}" aria-label="{escape(short_name(line))}, seed {run.seed}"'
        f"{' checked' if number in chosen else ''}>{run.seed}</label>"
        for run in sorted(runs, key=lambda run: run.seed)
        if (number := numbers.get(run.directory)) is not None
    )
    return f'<span class="seeds">curves of seed {boxes}</span>' if boxes else ""


def first_choice(lines: Lines, found: Sequence[Change], numbers: Mapping[Path, int]) -> set[int]:
    """The runs whose curves are drawn at first: one of the best rule with dropout, and one of the same without.

    ``found`` is in order, the best first.
    """
    drawable = {line: run for line, runs in lines.items() if (run := _first(runs, numbers)) is not None}
    pairs = [(change.line.without_dropout, change.line) for change in found]
    best = next((pair for pair in pairs if drawable.keys() >= set(pair)), None)
    return {drawable[line] for line in best} if best else set(list(drawable.values())[:1])


def _first(runs: Sequence[RunSummary], numbers: Mapping[Path, int]) -> int | None:
    drawable = [run for run in runs if run.directory in numbers]
    return numbers[min(drawable, key=lambda run: run.seed).directory] if drawable else None


def _table(key: Group, group: Sequence[RunSummary], lines: Lines, name: str) -> str:
    split = scored_split(key, group)
    rows = [_row(key.metric, split, line, lines) for line in lines]
    heads = [
        Head("rule", is_text=True), Head("p"), Head(split), Head("change"), Head("p-value"), Head("gap"), Head("seeds"),
    ]  # fmt: skip
    notes = signature_notes(group, {(split, key.metric)})
    return grid_html(name, heads, rows) + notes_html(tuple(notes))


def _row(metric: str, split: str, line: Line, lines: Lines) -> list[Value]:
    runs, plain = lines[line], lines.get(line.without_dropout, []) if line != line.without_dropout else []
    ours, none = pool_score(runs, split, metric), pool_score(plain, split, metric)
    change = difference(ours, none) if ours and none else None
    gap = pool_gap(runs)
    rates = [rate for rate in (line.dropout, line.recurrent_dropout) if rate is not None]
    rule = short_name(line._replace(dropout=None, recurrent_dropout=None))
    return [
        Value(rule, rule),
        Value(", ".join(format(rate, "g") for rate in rates), rates[0] if rates else None),
        Value(mean_text(metric, ours), ours.mean if ours else None),
        Value(difference_text(metric, change), change.value if change else None),
        Value(f"{change.p_value:.2g}", change.p_value) if change and change.p_value is not None else Value(),
        Value(gap_text(runs, ""), gap.mean if gap else None),
        Value(str(len({run.seed for run in runs})), len({run.seed for run in runs})),
    ]
