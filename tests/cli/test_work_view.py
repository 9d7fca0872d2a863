from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from lstmdrop.cli.views import WorkView, shown_work
from lstmdrop.data.work_progress import report_work


def work(total: int = 4) -> None:
    for done in range(total + 1):
        report_work("encoding images", done, total)


def test_short_work_in_a_pipe_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with shown_work():
        work()
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_long_work_in_a_pipe_is_a_plain_line_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = iter([0.0, 4.0, 11.0, 12.0, 22.0])
    monkeypatch.setattr("lstmdrop.cli.views.time.monotonic", lambda: next(now))
    view = WorkView(Progress(console=Console(stderr=True), disable=True))
    for done in range(5):
        view("encoding images", 1000 * done, 4000)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        "encoding images: 2,000 of 4,000, 182/s",
        "encoding images: 4,000 of 4,000, 182/s",
    ]


def test_on_a_terminal_a_bar_stands_as_long_as_the_work_lasts() -> None:
    screen = StringIO()
    console = Console(file=screen, force_terminal=True, width=80)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[speed]}"))
    with Progress(*columns, console=console, transient=True) as progress, shown_work(progress):
        report_work("encoding images", 0, 10)
        report_work("encoding images", 4, 10)
        assert [(task.description, task.completed, task.total) for task in progress.tasks] == [
            ("encoding images", 4, 10)
        ]
        report_work("encoding images", 10, 10)
        assert progress.tasks == []
        report_work("looking at files", 0, 5)
        assert [task.description for task in progress.tasks] == ["looking at files"]
    assert "encoding images" in screen.getvalue()
