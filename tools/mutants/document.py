"""The page that says what was broken and what noticed it."""

from __future__ import annotations

from collections.abc import Sequence

from mutants.trials import Trial

WIDEST = 160


def page(trials: Sequence[Trial], command: str) -> str:
    """A page in Markdown."""
    noticed = sum(trial.noticed_by is not None for trial in trials)
    unrun = sum(not trial.was_run for trial in trials)
    share, survived = noticed / max(1, len(trials)), len(trials) - noticed
    return "\n".join([
        "# Lines broken on purpose",
        "",
        "Lines of the core, chosen at random, are broken by one small change each: does the short suite notice?",
        "",
        f"    {command}",
        "",
        f"{noticed} of {len(trials)} were noticed, {share:.0%}; {survived} survived, {unrun} where no test runs.",
        "",
        "| line | before | after | noticed by |",
        "|---|---|---|---|",
        *map(_row, trials),
        "",
    ])  # fmt: skip


def _row(trial: Trial) -> str:
    mutant = trial.mutant
    verdict = _verdict(trial)
    return f"| {mutant.file}:{mutant.change.line} | {_code(mutant.before())} | {_code(mutant.after())} | {verdict} |"


def _verdict(trial: Trial) -> str:
    if trial.noticed_by is not None:
        return _code(trial.noticed_by)
    return "**survived**" if trial.was_run else "**survived**: no test runs it"


def _code(text: str) -> str:
    """A text within a cell of a table; it may hold bars and backticks."""
    short = text if len(text) <= WIDEST else f"{text[:WIDEST]}…"
    return f"`` {short} ``".replace("|", "\\|") if "`" in short else f"`{short}`".replace("|", "\\|")
