"""Two runs on the same test data, with significance tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lstmdrop.errors import DataError, UsageError, as_list
from lstmdrop.metrics.score import Score
from lstmdrop.metrics.significance import SEED, Bootstrap, paired_bootstrap, paired_randomisation
from lstmdrop.metrics.text_units import UNITS
from lstmdrop.report.rescore import made_score, rescore, scorable
from lstmdrop.report.runs import RunSummary, read_summary
from lstmdrop.report.scores import better_direction, measured
from lstmdrop.report.table import Cell, Column, Note, Table
from lstmdrop.settings import AnyPath

SIGNIFICANT = 0.05
_IDENTITY = ("data", "fingerprint", "norm", "tokens", "vocabulary", "unit", "tok", "case")
"""Parts of a signature that must be alike, or the numbers measure different things."""

_SAID_LATER = ("fingerprint", "norm", "tok", "case")
"""Parts that earlier versions did not write: where one run lacks it, the others decide."""


@dataclass(frozen=True, slots=True)
class ComparedScore:
    """One test score of two runs."""

    first: Score
    second: Score
    bootstrap: Bootstrap
    """Of second minus first."""
    p_randomisation: float

    @property
    def difference(self) -> float:
        """Second minus first."""
        return self.second.value - self.first.value

    @property
    def is_significant(self) -> bool:
        """Whether both tests call the difference significant at 5%."""
        return max(self.bootstrap.p_value, self.p_randomisation) < SIGNIFICANT


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs side by side."""

    first: Path
    second: Path
    scores: tuple[ComparedScore, ...]
    left_out: tuple[str, ...]
    """One line about each score that could not be compared."""
    num_resamples: int
    num_shuffles: int
    seed: int
    begun: tuple[Note, ...] = ()
    """What is to be known of a run that is no plain one of its settings."""


def compare(
    first: AnyPath,
    second: AnyPath,
    *,
    metrics: Sequence[str] = (),
    num_resamples: int = 1000,
    num_shuffles: int = 10000,
    seed: int = SEED,
    data_dir: Path | None = None,
) -> Comparison:
    """Every test score that both runs have, or those of ``metrics``, on the predictions that the runs kept.

    Language models of different vocabularies are compared by the characters, bytes and words of their text.

    Raises:
        UsageError: they are of different tasks, or have no such score in common.
        DataError: their test data differ, or a file is missing, damaged or does not give the run's own score.
    """
    first, second = Path(first), Path(second)
    runs = read_summary(first), read_summary(second)
    if runs[0].task != runs[1].task:
        raise UsageError(f"{first} is a run of {runs[0].task}, {second} one of {runs[1].task}: they share no score")
    names = list(as_list("metrics", metrics)) or _common(*runs)
    found: list[ComparedScore] = []
    left_out: list[str] = []
    for name in names:
        try:
            _require_same_test(*runs, name)
            found.append(_compared(*runs, name, num_resamples, num_shuffles, seed, data_dir))
        except DataError as error:
            if metrics or len(names) == 1:
                raise
            left_out.append(f"{name}: {error}")
    if not found:
        reason = next(iter(left_out), f"{first} and {second} have no test score in common that can be compared")
        raise DataError(reason)
    begun = (*_begun("A", first), *_begun("B", second))
    return Comparison(first, second, tuple(found), tuple(left_out), num_resamples, num_shuffles, seed, begun)


def _common(first: RunSummary, second: RunSummary) -> list[str]:
    """What both can be scored by; what neither was is left out where their tokens are the same."""
    theirs = scorable(second)
    names = [name for name in scorable(first) if name in theirs]
    both = [{entry.score.name for entry in run.scores} for run in (first, second)]
    if names and len({_identity(run, names[0]).get("fingerprint") for run in (first, second)}) == 1:
        names = [name for name in names if name in both[0] | both[1]]
    return names


def _compared(
    first: RunSummary, second: RunSummary, name: str, num_resamples: int, num_shuffles: int, seed: int,
    data_dir: Path | None,
) -> ComparedScore:  # fmt: skip
    segments = rescore(first, name, data_dir), rescore(second, name, data_dir)
    try:
        bootstrap = paired_bootstrap(*segments, num_resamples, seed)
        p_randomisation = paired_randomisation(*segments, num_shuffles, seed)
    except ValueError as error:
        raise DataError(f"{first.directory} and {second.directory}: {error}") from None
    return ComparedScore(_score(first, name), _score(second, name), bootstrap, p_randomisation)


def _require_same_test(first: RunSummary, second: RunSummary, name: str) -> None:
    ours, theirs = _identity(first, name), _identity(second, name)
    for run, identity in ((first, ours), (second, theirs)):
        if "data" not in identity:
            raise DataError(f"{run.directory} does not say on which data {name} was measured: it cannot be compared")
    differing = [
        key
        for key in ours.keys() | theirs.keys()
        if ours.get(key) != theirs.get(key) and not (key in _SAID_LATER and (key not in ours or key not in theirs))
    ]
    is_of_one = ("vocabulary" in ours) != ("vocabulary" in theirs)  # one model lacks some of the text
    if "fingerprint" in differing or is_of_one or _may_differ_in_vocabulary(first, second, ours, theirs):
        raise DataError(
            f"{first.directory} and {second.directory} have different vocabularies: they predict different tokens, and "
            f"the one that knows fewer looks better\n{_advice(first, second)}"
        )
    if differing:
        listed = ", ".join(f"{key} {ours.get(key)} and {theirs.get(key)}" for key in sorted(differing))
        raise DataError(
            f"{first.directory} and {second.directory} were not tested on the same data: {name} over {listed}\n"
            "their numbers cannot be compared"
        )


def _advice(first: RunSummary, second: RunSummary) -> str:
    units = [name for name in UNITS if name in scorable(first) and name in scorable(second)]
    if units and not any("|vocabulary:" in _score(run, units[0]).signature for run in (first, second)):
        return f"what can be compared: {', '.join(f'--metric {name}' for name in units)}"
    return "train both on one text with the same data settings"


def _may_differ_in_vocabulary(
    first: RunSummary, second: RunSummary, ours: Mapping[str, str], theirs: Mapping[str, str]
) -> bool:
    """Of runs that do not name their vocabulary: whether they learnt it from different texts."""
    if "vocabulary" not in ours or {"fingerprint"} <= ours.keys() & theirs.keys():
        return False
    texts = {run.provenance.get("data_sha256") for run in (first, second)}
    return None not in texts and len(texts) > 1


def _identity(run: RunSummary, name: str) -> dict[str, str]:
    """What was tested on: the hash in the score's signature, else that of all the run's data."""
    pairs = (part.partition(":") for part in _score(run, name).signature.split("|"))
    parts = {key: value for key, _, value in pairs}
    identity = {key: parts[key] for key in _IDENTITY if key in parts}
    all_data = run.provenance.get("data_sha256")
    return identity if all_data is None else {"data": all_data, **identity}


def _score(run: RunSummary, name: str) -> Score:
    score = made_score(run, name)
    if score is None:
        names = ", ".join(scorable(run)) or "none"
        raise UsageError(f"{run.directory} has no test score {name!r}; those that can be compared: {names}")
    return score


_COLUMNS = (
    Column("test score", is_text=True),
    Column("A"),
    Column("B"),
    Column("B minus A", is_signed=True),
    Column("95% from", is_signed=True, rank=3),
    Column("95% to", is_signed=True, rank=3),
    Column("p bootstrap", decimals=None, significant=2, rank=2),
    Column("p randomisation", decimals=None, significant=2, rank=1),
    Column("better", is_text=True),
    Column("signature A", is_text=True, for_programs=True),
    Column("signature B", is_text=True, for_programs=True),
)


def comparison_table(comparison: Comparison) -> Table:
    """One line a score; the notes say what A and B are and how the numbers were made."""
    how = (
        f"95% and p bootstrap: paired bootstrap, {comparison.num_resamples:,} resamples; p randomisation: paired "
        f"approximate randomisation, {comparison.num_shuffles:,} shuffles; seed {comparison.seed}. "
        f"better: where both p are under {SIGNIFICANT:g}."
    )
    return Table(
        title="Two runs on the same test data",
        columns=_COLUMNS,
        rows=tuple(_row(score) for score in comparison.scores),
        notes=(
            Note("A:", str(comparison.first)),
            Note("B:", str(comparison.second)),
            *comparison.begun,
            *([Note("A and B are the same run.")] if comparison.first.samefile(comparison.second) else []),
            Note(how),
            *(note for score in comparison.scores for note in _signatures(score)),
            *(Note(f"left out: {line}") for line in comparison.left_out),
        ),
    )


def _row(score: ComparedScore) -> tuple[Cell, ...]:
    first, second = score.first, score.second
    better = "neither" if not score.is_significant else "B" if second.is_better_than(first) else "A"
    values = (first.value, second.value, score.difference, score.bootstrap.low, score.bootstrap.high)
    p_values = (score.bootstrap.p_value, score.p_randomisation)
    made = (first.signature, second.signature)
    return (first.name, *(measured(first.name, value) for value in values), *p_values, better, *made)


def _begun(label: str, directory: Path) -> list[Note]:
    """That a run is no plain one of its settings, if it is not."""
    run = read_summary(directory)
    found = {"began with the weights of": run.start, "went on under other settings:": run.changes}
    return [Note(f"{label} {what}", value) for what, value in found.items() if value]


def _signatures(score: ComparedScore) -> list[Note]:
    what = f"{score.first.name} ({better_direction(score.first)} is better)"
    if score.first.signature == score.second.signature:
        return [Note(f"{what}:", score.first.signature)]
    return [Note(f"{what}, A:", score.first.signature), Note(f"{what}, B:", score.second.signature)]
