from __future__ import annotations

from lstmdrop.data.work_progress import listening, report_work


def test_the_innermost_listener_hears_and_afterwards_nobody() -> None:
    outer: list[tuple[str, int, int]] = []
    inner: list[tuple[str, int, int]] = []
    report_work("before", 0, 1)
    with listening(lambda *work: outer.append(work)):
        report_work("one", 0, 2)
        with listening(lambda *work: inner.append(work)):
            report_work("two", 1, 2)
        report_work("three", 2, 2)
    report_work("after", 1, 1)
    assert outer == [("one", 0, 2), ("three", 2, 2)]
    assert inner == [("two", 1, 2)]
