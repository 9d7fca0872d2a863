"""Laws of frame labels."""

from __future__ import annotations

from itertools import accumulate
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstmdrop.errors import DataError
from lstmdrop_tasks.asr.corpora.alignment import (
    SILENCE,
    Alignment,
    Interval,
    frame_labels,
    read_alignment,
    read_textgrid,
)
from lstmdrop_tasks.asr.corpora.utterances import Utterance

TEXTGRID = """File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0.0
xmax = 0.1
tiers? <exists>
size = 2
item []:
\titem [1]:
\t\tclass = "IntervalTier"
\t\tname = "words"
\t\txmin = 0.0
\t\txmax = 0.1
\t\tintervals: size = 1
\t\t\tintervals [1]:
\t\t\t\txmin = 0.000
\t\t\t\txmax = 0.100
\t\t\t\ttext = "in"
\titem [2]:
\t\tclass = "IntervalTier"
\t\tname = "phones"
\t\txmin = 0.0
\t\txmax = 0.1
\t\tintervals: size = 3
\t\t\tintervals [1]:
\t\t\t\txmin = 0.000
\t\t\t\txmax = 0.030
\t\t\t\ttext = "IH1"
\t\t\tintervals [2]:
\t\t\t\txmin = 0.030
\t\t\t\txmax = 0.080
\t\t\t\ttext = "N"
\t\t\tintervals [3]:
\t\t\t\txmin = 0.080
\t\t\t\txmax = 0.100
\t\t\t\ttext = ""
"""


@pytest.fixture
def textgrid(tmp_path: Path) -> Path:
    path = tmp_path / "a.TextGrid"
    path.write_text(TEXTGRID)
    return path


def test_a_textgrid_gives_the_phones_without_stress(textgrid: Path) -> None:
    found = read_textgrid(textgrid)
    assert found.intervals == [Interval(0.0, 0.03, "IH"), Interval(0.03, 0.08, "N"), Interval(0.08, 0.1, "")]
    assert found.end == 0.1


def test_a_frame_has_the_phone_at_its_middle(textgrid: Path) -> None:
    labels = frame_labels(read_textgrid(textgrid), 10, 0.1, 0.01)
    assert labels == ["IH"] * 3 + ["N"] * 5 + [""] * 2
    assert frame_labels(read_textgrid(textgrid), 5, 0.1, 0.02) == ["IH", "N", "N", "N", ""]  # 0.03 begins N


def test_a_ctm_of_many_utterances_leaves_gaps_silent(tmp_path: Path) -> None:
    ctm = tmp_path / "phones.ctm"
    ctm.write_text("other 1 0.0 0.5 AA\nmine 1 0.02 0.03 S 0.9\nmine 1 0.06 0.02 T\n")
    utterance = Utterance("mine", Path("a.wav"), alignment=ctm)
    labels = frame_labels(read_alignment(utterance), 10, 0.1, 0.01)
    assert labels == ["sil", "sil", "S", "S", "S", "sil", "T", "T", "sil", "sil"]


@pytest.mark.parametrize("seconds", [0.2, 0.01])
def test_an_alignment_of_another_length_is_refused(textgrid: Path, seconds: float) -> None:
    with pytest.raises(DataError, match=r"the alignment is 0\.10 s long, the sound"):
        frame_labels(read_textgrid(textgrid), 10, seconds, 0.01)


def test_a_ctm_may_end_before_the_sound_but_not_after(tmp_path: Path) -> None:
    early = Alignment([Interval(0.0, 0.05, "A")], None)
    assert frame_labels(early, 10, 0.1, 0.01) == ["A"] * 5 + ["sil"] * 5
    with pytest.raises(DataError, match="long"):
        frame_labels(Alignment([Interval(0.0, 0.5, "A")], None), 10, 0.1, 0.01)


def test_what_is_damaged_is_named(textgrid: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no tier 'tones'"):
        read_textgrid(textgrid, "tones")
    ctm = tmp_path / "bad.ctm"
    ctm.write_text("a 1 0.0 0.1 AA\na 1 x 0.1 AA\n")
    with pytest.raises(DataError, match=r"bad.ctm:2: not 'utterance channel"):
        read_alignment(Utterance("a", Path("a.wav"), alignment=ctm))
    with pytest.raises(DataError, match="no alignment, and the frames objective needs one"):
        read_alignment(Utterance("a", Path("a.wav")))
    ctm.write_text("a 1 0.0 0.1 AA\n")
    (tmp_path / "b.ctm").write_text("a 1 0.0 0.1 AA\n")
    with pytest.raises(DataError, match="nothing about z"):
        read_alignment(Utterance("z", Path("z.wav"), alignment=tmp_path / "b.ctm"))


@pytest.mark.parametrize(
    ("number", "other"), [("0.1\n1\n0\n0.1", "0.1\n1e400\n0\n0.1"), ("0.1\n1\n0\n0.1", "0.1\n1\n0.1\n0.05")]
)
def test_numbers_that_no_textgrid_has_are_a_damaged_file(tmp_path: Path, number: str, other: str) -> None:
    """Infinitely many intervals; one alone that ends before it begins."""
    path = tmp_path / "a.TextGrid"
    assert number in SHORT
    path.write_text(SHORT.replace(number, other, 1))
    with pytest.raises(DataError, match="a damaged one"):
        read_textgrid(path)


SHORT = """File type = "ooTextFile"
Object class = "TextGrid"

0
0.1
<exists>
3
"IntervalTier"
"words"
0
0.1
1
0
0.1
"in"
"TextTier"
"clicks"
0
0.1
1
0.05
"click"
"IntervalTier"
"phones"
0
0.1
3
0
0.030
"IH1"
0.030
0.080
"N"
0.080
0.100
""
"""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("text", [TEXTGRID, SHORT, TEXTGRID.replace('"in"', '"xmin = 5 ""in"" 7"')])
def test_praat_writes_long_and_short_and_in_several_encodings(
    tmp_path: Path, textgrid: Path, text: str, line_end: str, encoding: str
) -> None:
    path = tmp_path / "b.TextGrid"
    marks = {"utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}
    path.write_bytes(marks.get(encoding, b"") + text.replace("\n", line_end).encode(encoding))
    assert read_textgrid(path) == read_textgrid(textgrid)


@pytest.mark.parametrize(
    "text",
    [SHORT[: len(SHORT) // 2], "hello", SHORT.replace("0.080\n0.100", "0.010\n0.020"), SHORT.replace("0.080", "x")],
)
def test_a_damaged_textgrid_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "b.TextGrid"
    path.write_text(text)
    with pytest.raises(DataError, match=r"b.TextGrid: not a TextGrid, or a damaged one"):
        read_textgrid(path)


def test_comments_and_blank_lines_of_a_ctm_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "a.ctm"
    path.write_text(";; made by hand\n# or not\n\na 1 0.0 0.5 AA1 0.9\na 1 0.5 0.5 B\n ;; end\n")
    found = read_alignment(Utterance("a", Path("a.wav"), alignment=path))
    assert found.intervals == [Interval(0.0, 0.5, "AA"), Interval(0.5, 1.0, "B")]


@pytest.mark.parametrize("line", ["a 1 -0.5 1 B", "a 1 0 -1 B", "a 1 nan 1 B", "a 1 0 inf B", "a 1 0"])
def test_times_of_a_ctm_are_times(tmp_path: Path, line: str) -> None:
    path = tmp_path / "a.ctm"
    path.write_text(f"a 1 0 0.5 AA\n{line}\n")
    with pytest.raises(DataError, match=r"a.ctm:2: "):
        read_alignment(Utterance("a", Path("a.wav"), alignment=path))


LENGTHS = st.lists(st.tuples(st.integers(1, 9), st.sampled_from(["AA1", 'say ""x""', "", "B 2.5 C", "é"])), min_size=1)


@settings(deadline=None, max_examples=50)
@given(LENGTHS, st.booleans())
def test_a_textgrid_that_is_written_is_read_again(
    tmp_path_factory: pytest.TempPathFactory, phones: list[tuple[int, str]], is_long: bool
) -> None:
    ends = list(accumulate(length / 100 for length, _ in phones))
    rows = list(zip([0.0, *ends[:-1]], ends, (label for _, label in phones), strict=True))
    names = ("\t\txmin = ", "\t\txmax = ", "\t\ttext = ") if is_long else ("", "", "")
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "0", str(ends[-1]), "<exists>", "1"]
    lines += ['"IntervalTier"', '"phones"', "0", str(ends[-1]), str(len(rows))]
    for start, end, label in rows:
        lines += [f"{names[0]}{start}", f"{names[1]}{end}", f'{names[2]}"{label}"']
    path = tmp_path_factory.mktemp("grids") / "a.TextGrid"
    path.write_text("\n".join(lines), encoding="utf-8")
    found = read_textgrid(path)
    labels = [{"AA1": "AA"}.get(label, label.replace('""', '"')) for _, _, label in rows]
    assert found.intervals == [(*times, label) for (*times, _), label in zip(rows, labels, strict=True)]
    assert found.end == ends[-1]


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 9)), min_size=1, max_size=5), st.integers(1, 40))
def test_each_frame_is_labelled_as_a_plain_search_would(gaps: list[tuple[int, int]], num_frames: int) -> None:
    intervals, place = [], 0.0
    for number, (gap, length) in enumerate(gaps):
        intervals.append(Interval((place + gap) / 100, (place + gap + length) / 100, f"p{number}"))
        place += gap + length
    expected = []
    for frame in range(num_frames):
        middle = (frame + 0.5) * 0.01
        expected.append(next((one.label for one in intervals if one.start <= middle < one.end), SILENCE))
    seconds = max(num_frames, place) / 100
    assert frame_labels(Alignment(intervals, None), num_frames, seconds, 0.01) == expected


@pytest.mark.parametrize(("seconds", "fits"), [(0.94, False), (0.96, True), (1.04, True), (1.06, False)])
def test_an_alignment_may_differ_from_its_sound_by_a_twentieth_of_a_second(seconds: float, fits: bool) -> None:
    whole = Alignment([Interval(0.0, 1.0, "A")], 1.0)
    if fits:
        assert frame_labels(whole, 104, seconds, 0.01) == ["A"] * 104, "the last phone goes on to the end"
    else:
        with pytest.raises(DataError, match=r"the alignment is 1\.00 s long"):
            frame_labels(whole, 104, seconds, 0.01)
