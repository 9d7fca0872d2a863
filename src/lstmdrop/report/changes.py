"""What dropout changed: each rule beside the same network without dropout."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lstmdrop.data.registry import Dataset
from lstmdrop.plugin import installed_tasks, load_plugin
from lstmdrop.report.paper import PAPER_TABLES
from lstmdrop.report.runs import RunSummary
from lstmdrop.report.scores import Difference, Pooled, difference, pool_score
from lstmdrop.report.tables import Group, Line, grouped, lines_of


@dataclass(frozen=True, slots=True)
class Change:
    """A rule and the rule ``none`` with everything else the same."""

    group: Group
    line: Line
    ours: Pooled
    plain: Pooled
    """Without dropout."""
    higher_is_better: bool

    @property
    def difference(self) -> Difference:
        """Of the two means, in the score's own unit."""
        return difference(self.ours, self.plain)

    @property
    def gain(self) -> float:
        """In per cent of the score without dropout; above 0 is better, whichever way the score goes."""
        return (1 if self.higher_is_better else -1) * self._percent(self.difference.value)

    @property
    def margin(self) -> float | None:
        """Half of the 95% interval of `gain`: that of the difference, in the same per cent."""
        margin = self.difference.margin
        return None if margin is None else self._percent(margin)

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves out 0; of one seed nothing is clear."""
        return self.margin is not None and abs(self.gain) > self.margin

    @property
    def in_words(self) -> str:
        """``13.5% better``."""
        shown = format(abs(self.gain), ".1f")
        return "the same" if float(shown) == 0 else f"{shown}% {'better' if self.gain > 0 else 'worse'}"

    @property
    def can_be_told(self) -> bool:
        """Whether there is a change in per cent: not of a score that diverged, or that is 0 without dropout."""
        return math.isfinite(self.ours.mean) and math.isfinite(self.plain.mean) and self.plain.mean != 0

    def _percent(self, value: float) -> float:
        return 100 * value / abs(self.plain.mean)


def changes(runs: Iterable[RunSummary]) -> list[Change]:
    """Every rule that was run beside a ``none`` of its own, in the order of `in_reading_order`.

    One that cannot be told in per cent is left out.
    """
    groups = in_reading_order(runs)
    return [change for key, group in groups.items() for change in _changes(key, group) if change.can_be_told]


def _changes(key: Group, group: Sequence[RunSummary]) -> Iterable[Change]:
    split, higher_is_better = scored_split(key, group), group[0].scores[0].score.higher_is_better
    lines = lines_of(group)
    for line, runs in lines.items():
        ours = pool_score(runs, split, key.metric)
        plain = pool_score(lines.get(line.without_dropout, []), split, key.metric)
        if ours and plain and line != line.without_dropout:
            yield Change(key, line, ours, plain, higher_is_better)


def scored_split(key: Group, group: Iterable[RunSummary]) -> str:
    """The split whose scores are drawn: that of the test, or of validation where no run has a test score."""
    return "test" if any(run.score("test", key.metric) for run in group) else "valid"


def in_reading_order(runs: Iterable[RunSummary]) -> dict[Group, list[RunSummary]]:
    """Groups by task, as the paper's tables follow each other; in each the dataset with most runs first, demos last."""
    groups = grouped(runs)
    sizes: Counter[tuple[str, str]] = Counter()
    for key, group in groups.items():
        sizes[key.task, key.data] += len(group)
    tasks = list(dict.fromkeys(row.target.task for table in PAPER_TABLES for row in table.rows if row.target))

    def place(key: Group) -> tuple[int, str, bool, int, str]:
        number = tasks.index(key.task) if key.task in tasks else len(tasks)
        return number, key.task, is_demo(key), -sizes[key.task, key.data], key.data

    return {key: groups[key] for key in sorted(groups, key=place)}


def known_dataset(task: str, name: str) -> Dataset | None:
    """What is known of a dataset; None of one's own data, and of a task that is not installed."""
    if task not in installed_tasks():
        return None
    return next((dataset for dataset in load_plugin(task).datasets if dataset.name == name), None)


def is_demo(key: Group) -> bool:
    """Whether the data is built in: made to try the toolkit with, and not to learn from the numbers."""
    dataset = known_dataset(key.task, key.data)
    return dataset is not None and not dataset.files


def without_demos(runs: Sequence[RunSummary]) -> Sequence[RunSummary]:
    """The runs on data to learn from; all of them where there is nothing but demos."""
    groups = grouped(runs)
    return [run for key, group in groups.items() if not is_demo(key) for run in group] or runs


def task_title(task: str) -> str:
    """``language modelling`` for ``lm``."""
    return load_plugin(task).summary.partition(":")[0] if task in installed_tasks() else task


def headline(found: Sequence[Change]) -> str:
    """The answer in a sentence; nothing where no rule has a ``none`` beside it."""
    if not found:
        return ""
    counts = Counter(change.gain > 0 for change in found)
    clear = Counter(change.gain > 0 for change in found if change.is_clear)
    several = sum(change.margin is not None for change in found)
    beyond = f"; by more than chance {clear[True]} better and {clear[False]} worse, of {several} with several seeds"
    return f"{counts[True]} of {len(found)} scores are better with dropout{beyond if several else ''}."
