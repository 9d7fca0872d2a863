"""What pytest does for the check: it notes which test runs which line, or runs the tests that are chosen.

Loaded with ``-p mutants.plugin`` in the process that runs the tests of the copy.
"""

from __future__ import annotations

import json
import os
import resource
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from coverage import Coverage

LARGEST_MEMORY = 8 * 2**30
"""Bytes of data: a broken loop shall not take the machine with it."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Where the answer goes, and which tests are asked."""
    group = parser.getgroup("mutation")
    group.addoption("--record-lines", metavar="FILE", help="write which test runs which line")
    group.addoption("--source", help="the folder whose lines are recorded")
    group.addoption("--verdict", metavar="FILE", help="write the first test that fails")
    group.addoption("--tests", metavar="FILE", help="the tests to run, in their order, or those to leave out")


def pytest_configure(config: pytest.Config) -> None:
    """Take up the part that the options ask for."""
    if record := config.getoption("--record-lines"):
        config.pluginmanager.register(Recorder(Path(record), str(config.getoption("--source"))))
    if verdict := config.getoption("--verdict"):
        resource.setrlimit(resource.RLIMIT_DATA, (LARGEST_MEMORY, resource.getrlimit(resource.RLIMIT_DATA)[1]))
        asked = json.loads(Path(config.getoption("--tests")).read_text(encoding="utf-8"))
        config.pluginmanager.register(Selection(Path(verdict), asked["run"], asked["leave_out"]))


class Recorder:
    """Notes the lines of the source that each test runs, its fixtures included, and the seconds it takes."""

    def __init__(self, record: Path, source: str) -> None:
        self.record, self.source = record, source
        self.costs: dict[str, float] = {}
        self.coverage = Coverage(data_file=None, config_file=False, source=[source])
        self.coverage.start()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Record one test."""
        self.coverage.switch_context(item.nodeid)
        start = time.perf_counter()
        try:
            return (yield)
        finally:
            self.costs[item.nodeid] = time.perf_counter() - start
            self.coverage.switch_context("")

    def pytest_sessionfinish(self) -> None:
        """Write down what was noted: the seconds of each test, and for each line the numbers of its tests."""
        self.coverage.stop()
        data = self.coverage.get_data()
        numbers = {name: number for number, name in enumerate(self.costs)}
        lines = {
            os.path.relpath(file): {
                line: sorted(numbers[name] for name in names if name)
                for line, names in data.contexts_by_lineno(file).items()
            }
            for file in sorted(data.measured_files())
        }
        self.record.write_text(json.dumps({"costs": self.costs, "lines": lines}), encoding="utf-8")


class Selection:
    """Runs some of the tests, and writes down the first that fails."""

    def __init__(self, verdict: Path, run: list[str], leave_out: list[str]) -> None:
        self.verdict = verdict
        self.places = {name: place for place, name in enumerate(run)}
        self.left_out = set(leave_out)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Leave the chosen tests, in their order; where none are chosen, all that are not left out."""
        if self.places:
            items[:] = sorted(
                (item for item in items if item.nodeid in self.places), key=lambda item: self.places[item.nodeid]
            )
        else:
            items[:] = [item for item in items if item.nodeid not in self.left_out]

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A module that cannot be imported notices too."""
        self._note(report.failed, f"{report.nodeid} (when it is imported)")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A test that fails notices."""
        self._note(report.failed, report.nodeid)

    def _note(self, failed: bool, name: str) -> None:
        if failed and not self.verdict.exists():
            self.verdict.write_text(name, encoding="utf-8")
