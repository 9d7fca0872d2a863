"""Laws of frame labels."""

from __future__ import annotations

from pathlib import Path

import pytest

from lstmdrop.errors import DataError
from lstmdrop_tasks.asr.corpora.alignment import Alignment, Interval, frame_labels, read_alignment, read_textgrid
from lstmdrop_tasks.asr.corpora.utterance import Utterance

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
