"""The copy of the checkout that is broken, and its tests."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

TOOLS = Path(__file__).resolve().parents[1]
LEFT_BEHIND = (".git", ".venv*", ".*_cache", ".hypothesis", ".mutation", "__pycache__", "runs", "dist", "build")
SHORT_SUITE = ("-m", "not slow")
"""As in ``make test-short``."""
SECONDS_OF_A_TEST = 60
SECONDS_TO_START = 120


class BrokenSuiteError(Exception):
    """The tests fail, or cannot be run, though nothing has been broken."""


@dataclass(frozen=True, slots=True)
class Tree:
    """A copy of a checkout, in a folder that has its own home and its own place for what is temporary."""

    root: Path
    workplace: Path

    @classmethod
    def copied(cls, checkout: Path, workplace: Path) -> Tree:
        """Copy all that the tests may need."""
        root = workplace / "tree"
        shutil.copytree(checkout, root, ignore=shutil.ignore_patterns(*LEFT_BEHIND), symlinks=True)
        for name in ("home", "tmp"):
            (workplace / name).mkdir()
        return cls(root, workplace)

    @contextmanager
    def broken(self, file: str, source: str) -> Iterator[None]:
        """Another source in place of a file's own."""
        path = self.root / file
        own = path.read_text(encoding="utf-8")
        try:
            self._write(path, source)
            yield
        finally:
            self._write(path, own)

    def record(self, source: str, record: Path) -> None:
        """Run the short suite, and write which test runs which line.

        Raises:
            BrokenSuiteError: it does not pass.
        """
        command = [*_pytest(), f"--record-lines={record}", f"--source={self.root / source}"]
        process = subprocess.run(command, cwd=self.root, env=self._environment(), capture_output=True, encoding="utf-8")
        if process.returncode:
            raise BrokenSuiteError(f"{process.stdout[-3000:]}\n{process.stderr[-3000:]}")

    def first_to_notice(self, run: Sequence[str], leave_out: Sequence[str], seconds: float) -> str | None:
        """Run some tests, or all but some; the first that fails, and None where all pass."""
        tests, verdict = self.workplace / "tests.json", self.workplace / "verdict.txt"
        tests.write_text(json.dumps({"run": run, "leave_out": leave_out}), encoding="utf-8")
        verdict.unlink(missing_ok=True)
        files = sorted({name.partition("::")[0] for name in run})
        limits = ["-x", f"--timeout={SECONDS_OF_A_TEST}"]
        command = [*_pytest(), *limits, f"--verdict={verdict}", f"--tests={tests}", *files]
        code = self._code(command, SECONDS_TO_START + seconds)
        if verdict.exists():
            return verdict.read_text(encoding="utf-8")
        if code is None:
            return "it takes too long"
        passed = code in (0, 5)  # 5: there was no test to run
        return None if passed else "pytest cannot start"

    def _code(self, command: list[str], seconds: float) -> int | None:
        """How a process ended; None when it had to be ended, with all that it had started."""
        output = subprocess.DEVNULL
        with subprocess.Popen(
            command, cwd=self.root, env=self._environment(), stdout=output, stderr=output, start_new_session=True
        ) as process:
            try:
                return process.wait(seconds)
            except subprocess.TimeoutExpired:
                return None
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)

    def _environment(self) -> dict[str, str]:
        """Without the way to real data, or to anything that a broken line might damage."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("LSTMDROP_", "XDG_"))}
        places = [self.root / "src", self.root / "tasks", TOOLS]
        return {
            **kept,
            "PYTHONPATH": os.pathsep.join(map(str, places)),
            "HOME": str(self.workplace / "home"),
            "TMPDIR": str(self.workplace / "tmp"),
            "OMP_NUM_THREADS": "1",
            "COVERAGE_CORE": "ctrace",  # the other one knows no contexts
        }

    @staticmethod
    def _write(path: Path, source: str) -> None:
        path.write_text(source, encoding="utf-8")
        for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*"):
            compiled.unlink()  # a change of one character within a second would not be seen


def _pytest() -> list[str]:
    """The command; options are added as one word each, for a path in a word of its own would name tests."""
    quiet = ["-q", "-p", "no:cacheprovider", "--hypothesis-seed=0", "-p", "mutants.plugin"]
    return [sys.executable, "-m", "pytest", *SHORT_SUITE, *quiet]
