"""Break lines of the core at random and see whether the short suite notices.

    python tools/mutation.py --number 40 --seed 1 --output docs/mutation.md

Everything happens on a copy. Which test runs which line is recorded once for a state of the tree, in ``.mutation``;
then each broken line meets the tests that run it, cheapest first, and where none of them fails, all others.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from mutants.document import page
from mutants.lines import CACHE, record_lines
from mutants.tree import BrokenSuiteError, Tree
from mutants.trials import Trial, choose, require_sound, tried

ENOUGH = 0.9
"""The share of the broken lines that must be noticed."""
TOO_FEW_NOTICED, SUITE_FAILS = 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page; 0 when enough was noticed, 1 when not, 2 when a test fails where nothing is broken."""
    options = _options().parse_args(arguments)
    try:
        trials = _trials(options)
    except BrokenSuiteError as error:
        print(f"with nothing broken, the short suite does not pass:\n{error}", file=sys.stderr)
        return SUITE_FAILS
    command = f"python tools/mutation.py --number {options.number} --seed {options.seed} --output {options.output}"
    options.output.write_text(page(trials, command), encoding="utf-8")
    noticed = sum(trial.noticed_by is not None for trial in trials)
    print(f"{noticed} of {len(trials)} were noticed")
    return 0 if noticed >= ENOUGH * len(trials) else TOO_FEW_NOTICED


def _trials(options: argparse.Namespace) -> list[Trial]:
    root, trials = options.root.resolve(), []
    with TemporaryDirectory() as folder:
        tree = Tree.copied(root, Path(folder).resolve())
        lines = record_lines(tree, options.source, root / CACHE)
        start = time.monotonic()
        for trial in tried(tree, lines, choose(tree.root, options.source, options.number, options.seed)):
            trials.append(trial)
            print(f"{len(trials)}/{options.number} {time.monotonic() - start:.0f} s {_said(trial)}", flush=True)
        require_sound(tree, lines, trials)
    return trials


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--number", type=int, default=40, help="of lines")
    parser.add_argument("--seed", type=int, default=1, help="of the choice of lines and changes")
    parser.add_argument("--output", type=Path, required=True, help="the page in Markdown")
    parser.add_argument("--source", default="src/lstmdrop", help="the folder whose lines are broken")
    parser.add_argument("--root", type=Path, default=Path(__file__).parents[1], help="the checkout")
    return parser


def _said(trial: Trial) -> str:
    mutant = trial.mutant
    verdict = trial.noticed_by or ("survived" if trial.was_run else "survived: no test runs it")
    return f"{mutant.file}:{mutant.change.line}: {mutant.before()} → {mutant.after()}: {verdict}"


if __name__ == "__main__":
    raise SystemExit(main())
