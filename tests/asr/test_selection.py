"""Which utterances can be used, and what is said of the others."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from lstmdrop.errors import DataError
from lstmdrop_tasks.asr.audio.reading import TOLERANCE
from lstmdrop_tasks.asr.corpora.utterances import (
    Selection,
    SpeechCorpus,
    Utterance,
    hold_out,
    require_different_ids,
    with_held_out,
)
from lstmdrop_tasks.asr.recordings import NUM_NAMED, misplaced, usable
from lstmdrop_tasks.asr.scoring import NUM_FREQUENT, NUM_WORST, error_report
from lstmdrop_tasks.asr.speech import listed

Times = tuple[float | None, float | None]


def of(name: str, text: str | None = "a", speaker: str | None = None, times: Times = (None, None)) -> Utterance:
    return Utterance(name, Path(f"{name}.wav"), text, speaker, start=times[0], end=times[1], where=f"list:{name}")


@pytest.mark.parametrize(
    ("times", "wrong"),
    [
        ((None, None), ""), ((0.0, 2.0), ""), ((None, 2.0 + TOLERANCE), ""), ((1.99, None), ""), ((0.5, 0.6), ""),
        ((None, 2.01 + TOLERANCE), "it reaches beyond the sound: from 0 s to 2.06 s of u.wav, which is 2.00 s long"),
        ((2.0, None), "it reaches beyond the sound: from 2 s to the end of u.wav"),
        ((2.0, 2.01), "it reaches beyond the sound"), ((-0.1, 1.0), "a time is negative"),
        ((None, -1.0), "a time is negative"), ((1.0, 1.0), "it is of no length"), ((None, 0.0), "it is of no length"),
        ((1.0, 0.5), "it ends before it starts"), ((math.nan, 1.0), "a time is not a number"),
        ((0.0, math.nan), "a time is not a number"), ((math.inf, None), "it is of no length"),
    ],
)  # fmt: skip
def test_times_lie_in_their_sound(times: Times, wrong: str) -> None:
    found = misplaced(of("u", times=times), lambda path: 2.0)
    assert found.startswith(wrong)
    assert bool(found) is bool(wrong)


def test_of_a_sound_that_tells_no_length_only_the_times_themselves_are_checked() -> None:
    assert misplaced(of("u", times=(5.0, 9.0)), lambda path: None) == ""
    assert misplaced(of("u", times=(9.0, 5.0)), lambda path: None).endswith("from 9 s to 5 s of u.wav")


@pytest.mark.parametrize("times", [(0.0, None), (None, 1.0)])
def test_ready_made_features_have_no_use_for_times(times: Times) -> None:
    utterance = Utterance("u", Path("u.npy"), "a", start=times[0], end=times[1])
    assert "ready-made features" in misplaced(utterance, lambda path: 2.0)


def test_transcripts_are_needed_where_they_are_learnt_alone(caplog: pytest.LogCaptureFixture) -> None:
    splits = {"train": (of("a"), of("b", None), of("c", "")), "test": (of("d"),)}
    corpus = SpeechCorpus("mine", splits)  # type: ignore[arg-type]
    found = usable(corpus, "ctc")
    assert [utterance.id for utterance in found.splits["train"]] == ["a", "c"]
    assert found.left_out == {"train": {"b": "list:b: b: it has no text"}, "test": {}}
    assert caplog.messages == [
        "left out of train: list:b: b: it has no text",
        "1 of 3 train utterances are left out, neither trained on nor scored",
    ]
    assert usable(corpus, "frames").splits == splits


def test_many_that_cannot_be_used_are_counted_and_the_first_named(caplog: pytest.LogCaptureFixture) -> None:
    bad = tuple(of(f"u{number}", None) for number in range(NUM_NAMED + 1))
    usable(SpeechCorpus("mine", {"valid": (*bad, of("good"))}), "ctc")
    assert len(caplog.messages) == NUM_NAMED + 1
    assert caplog.messages[-1].startswith(f"{NUM_NAMED + 1} of {NUM_NAMED + 2} valid utterances")
    with pytest.raises(
        DataError, match="none of 21 valid utterances can be used; the first:\nlist:u0: u0: it has no text"
    ):
        usable(SpeechCorpus("mine", {"valid": bad}), "ctc")


@pytest.mark.parametrize(("number", "held"), [(2, 1), (10, 1), (14, 1), (16, 2), (30, 3)])
def test_a_tenth_of_the_speakers_is_held_out_and_one_at_least(number: int, held: int) -> None:
    everyone = [of(f"u{n}-{take}", speaker=f"s{n}") for n in range(number) for take in range(3)]
    train, held_out = hold_out(everyone)
    assert len({utterance.speaker for utterance in held_out}) == held
    assert len(train) + len(held_out) == len(everyone)
    assert not {utterance.speaker for utterance in train} & {utterance.speaker for utterance in held_out}


def test_of_one_speaker_alone_the_utterances_are_dealt_out() -> None:
    train, held_out = hold_out([of(f"u{n}", speaker="me") for n in range(20)])
    assert (len(train), len(held_out)) == (18, 2)


def test_splits_that_are_given_stay_and_the_others_are_held_out_of_training() -> None:
    train, test = tuple(of(f"u{n}") for n in range(30)), (of("t"),)
    corpus = with_held_out("mine", {"train": train, "test": test})
    assert corpus.splits["test"] == test
    assert [len(corpus.splits[split]) for split in ("train", "valid")] == [27, 3]
    whole = with_held_out("mine", {"train": train})
    assert [len(whole.splits[split]) for split in ("train", "valid", "test")] == [24, 3, 3]
    assert with_held_out("mine", {"train": train, "test": test}, Selection(["test"])).splits == {"test": test}


@pytest.mark.parametrize(
    ("found", "scored", "said"),
    [
        ({}, (), "there is no training utterance; there are none"),
        ({"test": (of("t"),)}, (), "there is no training utterance; there are test"),
        ({"train": (of("a"),), "test": (of("t"),)}, (), "1 training utterances are too few to hold some out for valid"),
        ({"train": (of("a"),)}, ("test",), "there is no test utterance; there are train"),
        ({"train": (of("a"),), "test": ()}, ("test",), "there is no test utterance; there are train, test"),
        ({"train": (of("a"), of("b"), of("a"))}, (), "list:a: 'a' is in list:a already"),
    ],
)
def test_a_corpus_that_cannot_be_split_is_refused(
    found: dict[str, tuple[Utterance, ...]], scored: tuple[str, ...], said: str
) -> None:
    with pytest.raises(DataError, match=said):
        with_held_out("mine", found, Selection(scored))  # type: ignore[arg-type]


def test_a_corpus_of_one_speaker_may_share_it() -> None:
    both = {"train": (of("a", speaker="me"), of("b", speaker="me")), "test": (of("t", speaker="me"),)}
    with_held_out("mine", both | {"valid": (of("v", speaker="me"),)})  # type: ignore[arg-type]
    with pytest.raises(DataError, match="train and valid share speakers, such as 'me'"):
        with_held_out("mine", both | {"valid": (of("v", speaker="me"), of("w", speaker="you"))})  # type: ignore[arg-type]
    require_different_ids([of("a"), of("b")])


def test_the_first_of_those_left_out_are_named() -> None:
    reasons = {f"u{number}": "too long" for number in range(6)}
    assert listed({"u0": "too long", "u1": "empty"}) == "2: u0 (too long), u1 (empty)"
    assert listed(dict(list(reasons.items())[:5])).endswith("u4 (too long)")
    assert listed(reasons).endswith("u4 (too long), and 1 more: assets/left_out.txt in the run names all")


def test_an_error_report_counts_kinds_and_names_the_worst_first() -> None:
    pairs = [("a b c", "a x c"), ("a b", "a b"), ("a b c d", "x"), ("", "y"), ("b", "x")]
    lines = error_report(["one", "two", "three", "four", "five"], pairs).split("\n")
    assert lines[:2] == ["words 10  substitutions 3  insertions 1  deletions 3", "utterances 5  without an error 1"]
    begin, end = lines.index("most frequent mistakes (said > heard)"), lines.index("worst utterances")
    assert lines[begin + 1] == "     2  b > x"
    assert [line.split(":")[0] for line in lines[end + 1 :] if ":" in line] == ["three", "five", "four", "one"]
    assert lines[end + 1] == "three: 1 substituted, 0 inserted, 3 deleted of 4"
    assert lines[end + 2 : end + 4] == ["  said   a b c d", "  heard  x"]


def test_an_error_report_names_so_many_and_no_more() -> None:
    pairs = [(f"w{number}", f"v{number}") for number in range(NUM_WORST + NUM_FREQUENT)]
    text = error_report([f"u{number:02}" for number in range(len(pairs))], pairs)
    assert text.count(" substituted") == NUM_WORST
    assert text.count(" > v") == NUM_FREQUENT
    assert "\nu00: 1 substituted" in text
