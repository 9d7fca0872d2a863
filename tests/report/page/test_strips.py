"""Labels of frames above each other."""

from __future__ import annotations

import re

from lstmdrop.report.page.examples import Example, examples_html
from lstmdrop.report.page.strips import strips_html


def pieces(html: str) -> list[tuple[bool, int, str]]:
    found = re.findall(r'<i( class=off)? style="--n:(\d+)" title="([^,]*), ', html)
    return [(bool(off), int(length), label) for off, length, label in found]


def test_frames_with_the_same_label_are_one_piece_until_they_are_wrong() -> None:
    html = strips_html(["A", "A", "A", "B", "B", "C"], ["A", "A", "B", "B", "B", "B"])
    assert pieces(html) == [
        (False, 2, "A"), (False, 4, "B"),  # what there was
        (False, 2, "A"), (True, 1, "A"), (False, 2, "B"), (True, 1, "C"),
    ]  # fmt: skip
    assert "6 frames, 66.7% right" in html
    assert 'aria-label="model: A B C"' in html


def test_both_strips_are_as_wide_as_their_frames() -> None:
    html = strips_html(["A"] * 7, ["A"] * 5)
    assert sum(length for _, length, _ in pieces(html)) == 12
    assert "--frames:7" in html
    assert (True, 2, "A") in pieces(html), "frames that there were not are wrong"


def test_without_a_reference_nothing_is_wrong() -> None:
    html = strips_html(["A", "<B>"])
    assert pieces(html) == [(False, 1, "A"), (False, 1, "&lt;B&gt;")]
    assert "right" not in html
    assert "reference" not in html
    assert "0 frames" in strips_html([])


def test_a_label_is_written_where_it_fits() -> None:
    assert ">AA</i>" in strips_html(["AA"] * 4)
    assert "></i>" in strips_html(["AA"] * 2)


def test_an_example_of_frames_is_strips_under_its_name() -> None:
    example = Example("LJ1 A A B", references=("LJ1 A B B",), is_framewise=True)
    html = examples_html("run", [example])
    assert "<p>LJ1</p>" in html
    assert "<mark" not in html
    assert "66.7% right" in html
    assert "0 frames" in examples_html("run", [Example("", is_framewise=True)])
