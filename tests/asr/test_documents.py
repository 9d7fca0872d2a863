"""Laws of subtitles and other documents made of transcripts."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import webvtt
from hypothesis import given
from hypothesis import strategies as st

from lstmdrop_tasks.asr.config import ASRPrediction
from lstmdrop_tasks.asr.documents import LEAST_SECONDS, MOST_SECONDS, Document, Output, cues
from lstmdrop_tasks.asr.recordings import Recording

LENGTH, PAUSE = 20, 0.5


def timed(*words: tuple[str, float, float]) -> list[dict[str, Any]]:
    return [{"word": word, "start": start, "end": end, "confidence": 0.5} for word, start, end in words]


@st.composite
def speech(draw: Any) -> list[dict[str, Any]]:
    words, now = [], 0.0
    for letters in draw(st.lists(st.integers(1, 30), max_size=40)):
        start = round(now + draw(st.sampled_from([0.0, 0.03, 0.3, 0.5, 4.0])), 3)
        now = round(start + draw(st.sampled_from([0.03, 0.2, 1.0])), 3)
        words.append(("x" * letters, start, now))
    return timed(*words)


@given(speech())
def test_subtitles_say_all_words_in_lines_that_can_be_read(words: list[dict[str, Any]]) -> None:
    found = list(cues(words, PAUSE, LENGTH))
    said = [word for cue in found for line in cue.lines for word in line.split()]
    assert said == [word["word"] for word in words]
    assert all(one.end <= other.start for one, other in pairwise(found))
    first = 0
    for cue in found:
        own = words[first : first + sum(len(line.split()) for line in cue.lines)]
        first += len(own)
        assert cue.start == own[0]["start"]
        assert own[-1]["end"] <= cue.end <= max(own[-1]["end"], cue.start + LEAST_SECONDS)
        assert all(other["start"] - one["end"] < PAUSE for one, other in pairwise(own)), "a pause parts subtitles"
        assert len(own) == 1 or len(cue.lines) <= 2
        assert all(len(line) <= LENGTH or " " not in line for line in cue.lines)
        assert len(own) == 1 or own[-1]["end"] - own[0]["start"] <= MOST_SECONDS


def test_what_is_too_long_is_cut_at_the_longest_breath_and_lines_are_of_like_length() -> None:
    words = timed(*((f"word{n}", n + 0.4 * (n >= 4), n + 0.9 + 0.4 * (n >= 4)) for n in range(9)))
    assert [cue.lines for cue in cues(words, 2.0, 24)] == [
        ["word0 word1 word2 word3"], ["word4 word5 word6", "word7 word8"]
    ]  # fmt: skip


def test_a_short_subtitle_stands_until_it_is_read_or_the_next_one_comes() -> None:
    found = list(cues(timed(("a", 0.0, 0.1), ("b", 0.7, 0.8), ("c", 9.0, 9.1)), PAUSE, LENGTH))
    assert [(cue.start, cue.end) for cue in found] == [
        (0.0, 0.7),
        (0.7, 0.7 + LEAST_SECONDS),
        (9.0, 9.0 + LEAST_SECONDS),
    ]


WORDS = timed(("a<b>&c", 0.5, 1.25), ("ja", 1.5, 3.0), ("3", 3599.9994, 3600.4), ("late", 363599.0, 363600.25))


@pytest.mark.parametrize("form", ["srt", "vtt"])
@pytest.mark.parametrize("parts", [1, 3])
def test_a_reader_of_subtitles_finds_the_words_and_their_times(form: Any, parts: int, tmp_path: Path) -> None:
    document = Document(Recording("talk.wav"), ASRPrediction(format=form, pause=PAUSE))
    sizes = [len(WORDS)] if parts == 1 else [2, 1, 1]
    starts = [sum(sizes[:n]) for n in range(parts)]
    text = "".join(
        document.add({"words": WORDS[at : at + size]}) + "\n" for at, size in zip(starts, sizes, strict=True)
    )
    path = tmp_path / f"talk.{form}"
    path.write_text(text)
    found = webvtt.read(str(path)) if form == "vtt" else webvtt.from_srt(str(path))
    escaped = "a&lt;b&gt;&amp;c ja" if form == "vtt" else "a<b>&c ja"
    assert [cue.raw_text for cue in found] == [escaped, "3", "late"]
    assert [cue.start for cue in found] == ["00:00:00.500", "00:59:59.999", "100:59:59.000"]
    assert [cue.end for cue in found] == ["00:00:03.000", "01:00:00.833", "101:00:00.250"]


def test_ctm_has_six_fields_a_word() -> None:
    document = Document(Recording("my talks/first one.wav", channel=1), ASRPrediction(format="ctm"))
    assert document.add({"words": WORDS[:2]}).splitlines() == [
        "first_one.1 2 0.500 0.750 a<b>&c 0.5000", "first_one.1 2 1.500 1.500 ja 0.5000"
    ]  # fmt: skip
    phones = [{"phone": phone, "start": 0.0, "end": 1.0, "confidence": 1.0} for phone in ("", "AH")]
    assert document.add({"phones": phones}) == "first_one.1 2 0.000 1.000 AH 1.0000"


def test_silence_makes_a_document_that_is_one(tmp_path: Path) -> None:
    silent = {"text": "", "words": []}
    for form, content in (("vtt", "WEBVTT\n\n"), ("srt", ""), ("ctm", "")):
        output = Output(ASRPrediction(format=form, out=tmp_path), ["a.wav"])
        output.begin(Recording("a.wav"))
        assert output.of(silent)["plain"] == str(tmp_path / f"a.{form}")
        assert (tmp_path / f"a.{form}").read_text() == content


def test_of_several_files_each_line_names_its_own(lstmdrop: Callable[..., Any], trained: Any, toys: Any) -> None:
    folder = Path(toys["asr"][0])
    one, other = folder / "test0.npy", folder / "test1.npy"
    both = lstmdrop("predict", "asr", "--run", trained("asr"), one, other).output.split("\n")
    alone = [lstmdrop("predict", "asr", "--run", trained("asr"), path).output for path in (one, other)]
    assert both == [f"{one}\t{alone[0]}".rstrip("\n"), f"{other}\t{alone[1]}".rstrip("\n"), ""]
    named = [
        lstmdrop("predict", "asr", "--run", trained("asr"), "--names", *paths).output for paths in ([one, other], [one])
    ]
    assert named == ["\n".join(both), f"{both[0]}\n"], "once is enough"
    in_json = lstmdrop("predict", "asr", "--run", trained("asr"), "--format", "json", "--num-best", "2", one, other)
    found = [json.loads(line) for line in in_json.output.splitlines()]
    assert [(each["audio"], each["text"], len(each["hypotheses"])) for each in found] == [
        (str(path), each["text"], 2) for path, each in zip((one, other), found, strict=True)
    ]
    assert "plain" not in lstmdrop("predict", "asr", "--run", trained("asr"), "--json", one, other).output


def test_each_input_has_a_file_of_its_own_and_two_of_one_name_are_refused(
    lstmdrop: Callable[..., Any], trained: Any, toys: Any, tmp_path: Path
) -> None:
    folder = Path(toys["asr"][0])
    one, other, out = folder / "test0.npy", folder / "test1.npy", tmp_path / "new" / "folder"
    made = lstmdrop("predict", "asr", "--run", trained("asr"), "--format", "vtt", "--out", out, one, other)
    assert made.output.splitlines() == [str(out / "test0.vtt"), str(out / "test1.vtt")]
    assert all(Path(path).read_text(encoding="utf-8").startswith("WEBVTT\n") for path in made.output.splitlines())
    refused = lstmdrop("predict", "asr", "--run", trained("asr"), "--format", "srt", one, other)
    assert (refused.code, refused.output) == (2, "")
    assert "--out FOLDER" in refused.messages
    same = tmp_path / "test0.npy"
    same.write_bytes(one.read_bytes())
    again = lstmdrop("predict", "asr", "--run", trained("asr"), "--out", out, one, same)
    assert (again.code, again.output) == (2, f"{out / 'test0.txt'}\n")
    assert f"for {one} and for {same}" in again.messages
