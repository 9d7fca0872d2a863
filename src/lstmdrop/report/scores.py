"""What tables say of scores: how they were made and which way is better."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence

from lstmdrop.metrics.score import Score
from lstmdrop.report.summary import RunSummary
from lstmdrop.report.table import Note

# Settings that change no result, and those that a line of a table states itself
_NEUTRAL = ("seed", "training.log_every", "training.save_minutes", "regularizer.")
# Parts of the first score's signature that are as good as settings: numbers that differ in them have no common mean
_TELLING = ("tok", "case", "vocabulary")


def better_direction(score: Score) -> str:
    """Which values of the score are better, in one word."""
    return "higher" if score.higher_is_better else "lower"


def signature_notes(runs: Iterable[RunSummary], scores: Collection[tuple[str, str]]) -> Iterable[Note]:
    """How the numbers of a table were made; more than one way for one number is worth a warning."""
    names: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for run in runs:
        for entry in run.scores:
            if (entry.split, entry.score.name) in scores:
                what = f"{run.task} {run.data} {entry.split} {entry.score.name}"
                names[what][_way(entry.score)].append(run.directory.name)
    for what, signatures in names.items():
        for number, (signature, directories) in enumerate(signatures.items(), start=1):
            which = f", way {number} of {len(signatures)} ({', '.join(directories)})"
            yield Note(f"{what}{which if len(signatures) > 1 else ''}:", signature)


def signatures(runs: Iterable[RunSummary], split: str, metric: str) -> str:
    """How the numbers of one cell were made, as one line."""
    return " or ".join(dict.fromkeys(score.signature for run in runs if (score := run.score(split, metric))))


def _way(score: Score) -> str:
    """A signature without its number of models, which every line of a table states: that alone is no second way."""
    return re.sub(r"\|?\bmodels:\d+", "", score.signature)


def differing_settings(runs: Iterable[RunSummary]) -> list[str]:
    """The settings in which runs differ besides rule and seed; one that a run does not know has no say."""
    values: dict[str, list[object]] = defaultdict(list)
    for run in runs:
        for key in _known(run):
            if not key.startswith(_NEUTRAL) and (value := setting(run, key)) not in values[key]:
                values[key].append(value)
    return sorted(key for key, known in values.items() if len(known) > 1)


def telling_settings(runs: Sequence[RunSummary]) -> list[str]:
    """As few of `differing_settings` as tell the same runs apart: one that follows another says nothing new."""
    keys = sorted(differing_settings(runs), key=lambda key: not key.startswith("model."))
    chosen: list[str] = []
    for key in keys:
        if _num_kinds(runs, [*chosen, key]) > _num_kinds(runs, chosen):
            chosen.append(key)
    return sorted(chosen)


def _num_kinds(runs: Iterable[RunSummary], keys: Sequence[str]) -> int:
    return len({tuple(str(setting(run, key)) for key in keys) for run in runs})


def setting(run: RunSummary, key: str) -> object:
    """A setting as tables tell it; ``?`` where it is not known.

    Of the run that training started from only that there was one: every seed starts from its own.
    """
    value = _known(run).get(key, "?")
    return "RUN" if key == "start_from" and value not in (None, "?") else value


def _known(run: RunSummary) -> dict[str, object]:
    """Settings by dotted key, with what the signature tells beside them."""
    signature = run.scores[0].score.signature if run.scores else ""
    parts = {key: value for key, _, value in (part.partition(":") for part in signature.split("|"))}
    return {**run.settings, **{key: parts[key] for key in _TELLING if key in parts}}
