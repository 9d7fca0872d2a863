"""Laws of word and character error rates."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstmdrop.metrics.segments import edit_distance
from lstmdrop.metrics.word_error_rate import (
    NO_ERRORS,
    Errors,
    character_errors,
    normalise_transcript,
    transcript_scores,
    word_errors,
)

WORDS = st.lists(st.sampled_from(["a", "b", "ab", "é"]), max_size=6).map(" ".join)


def value(name: str, references: list[str], hypotheses: list[str]) -> float:
    return {score.name: score.value for score in transcript_scores(references, hypotheses, {})}[name]


def test_a_hand_worked_example() -> None:
    assert word_errors("a b c d", "a x c d e") == Errors(substitutions=1, insertions=1, deletions=0, length=4)
    assert value("wer", ["a b c d"], ["a x c d e"]) == 50.0
    assert value("cer", ["abcd"], ["abd"]) == 25.0


def test_errors_are_pooled_over_lines_not_averaged() -> None:
    assert value("wer", ["a", "b c d"], ["x", "b c d"]) == 25.0


def test_an_empty_hypothesis_counts_in_full() -> None:
    assert value("wer", ["a b", "c d"], ["", "c d"]) == 50.0


def test_words_where_none_were_said_are_insertions() -> None:
    assert value("wer", ["", "a b"], ["x", "a b"]) == 50.0


def test_an_error_rate_may_exceed_a_hundred() -> None:
    assert value("wer", ["a"], ["x y z"]) == 300.0


@pytest.mark.parametrize(
    ("text", "normalised"),
    [
        ("Hello,  World!", "hello world"),
        ("don’t - 'quote' it's", "don't quote it's"),
        ("ﬁne\tROCK’N’ROLL", "fine rock'n'roll"),
        ("...", ""),
        ("नमस्ते, दुनिया!", "नमस्ते दुनिया"),
        ("தமிழ் மொழி", "தமிழ் மொழி"),
        ("ภาษาไทยที่", "ภาษาไทยที่"),
        ("مُحَمَّدٌ", "مُحَمَّدٌ"),
        ("שָׁלוֹם עוֹלָם", "שָׁלוֹם עוֹלָם"),
        ("Ọjọ́ rọ̀rùn", "ọjọ́ rọ̀rùn"),
        ("Tie\u0302\u0301ng Vie\u0323\u0302t", "tiếng việt"),
        ("İstanbul'da", "istanbul'da"),
        ("ΟΔΥΣΣΕΥΣ", "οδυσσευς"),
        ("می\u200cخواهم", "می\u200cخواهم"),  # the Persian non-joiner is spelling
        ("ක්\u200dරි", "ක්\u200dරි"),  # and so is a joiner after a virama
        ("auf\u200clage 👩\u200d💻 a\u200db", "auflage ab"),  # elsewhere it shows nothing
        ("\ufeffco\u00adop zero\u200bwidth \u200eltr", "coop zerowidth ltr"),
        ("don’t don‘t donʼt don＇t don´t don`t", " ".join(["don't"] * 6)),
        ("צה״ל צ׳יפס", "צהל צ'יפס"),
        ("col·lecció · fi", "col·lecció fi"),
        ("1️⃣ two", "1 two"),
        ("a�b", "a�b"),
    ],
)
def test_what_cannot_be_heard_is_left_out(text: str, normalised: str) -> None:
    assert normalise_transcript(text) == normalised
    assert normalise_transcript(normalised) == normalised


def test_text_without_letters_beyond_ascii_takes_the_short_way_to_the_same_words() -> None:
    for text in ("it's 'so' _a-b_ 1.5", "rock 'n' roll`s", "A\tB  C.", "'", ""):
        assert normalise_transcript(f"{text} é") == f"{normalise_transcript(text)} é".strip()


def test_as_it_is_written_is_a_choice_and_the_signature_tells_them_apart() -> None:
    assert normalise_transcript(" Hello,  World! ", "none") == "Hello, World!"
    spoken, written = (transcript_scores(["Hello, A"], ["hello a"], {}, norm)[0] for norm in ("spoken", "none"))
    assert (spoken.value, written.value) == (0.0, 100.0)
    assert "norm:none" in written.signature
    assert "norm:none" not in spoken.signature


def test_marks_count_in_error_rates() -> None:
    assert value("wer", ["नमस्ते दुनिया"], ["नमसत दुनिया"]) == 50.0


def test_case_and_punctuation_are_no_errors_and_the_signature_says_so() -> None:
    wer, cer = transcript_scores(["Hello, world!"], ["hello world"], {"decoding": "greedy"})
    assert (wer.value, cer.value) == (0.0, 0.0)
    for part in ("words:2", "lines:1", "norm:nfkc+lowercase", "decoding:greedy", "jiwer:"):
        assert part in wer.signature
    assert not wer.higher_is_better


def test_lines_must_pair_up_and_say_something() -> None:
    with pytest.raises(ValueError, match="1 transcripts cannot be scored against 2"):
        transcript_scores(["a", "b"], ["a"], {})
    with pytest.raises(ValueError, match="at least one word"):
        transcript_scores(["", "."], ["a", ""], {})


@settings(deadline=None)
@given(WORDS, WORDS)
def test_errors_are_the_fewest_edits_and_account_for_every_unit(reference: str, hypothesis: str) -> None:
    for errors_of, units_of in ((word_errors, str.split), (character_errors, list)):
        errors, said, heard = errors_of(reference, hypothesis), units_of(reference), units_of(hypothesis)
        assert errors.total == edit_distance(said, heard)
        assert errors.length == len(said)
        assert errors.length - errors.deletions + errors.insertions == len(heard)


def test_what_is_heard_in_silence_is_inserted() -> None:
    assert word_errors(" ", "x yy z") == Errors(0, 3, 0, 0)
    assert character_errors("", "x yy") == Errors(0, 4, 0, 0)
    assert word_errors("", "") == character_errors("", "") == NO_ERRORS


def test_errors_add_up_kind_by_kind() -> None:
    total = sum([Errors(1, 2, 4, 8), Errors(16, 32, 64, 128)], NO_ERRORS)
    assert total == Errors(17, 34, 68, 136)
    assert total.total == 17 + 34 + 68


UNSEEN = [0x34F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180B, 0x180F, 0x3164, 0xFFA0, 0xFE00, 0xFE0F, 0xE0100, 0xE01EF]


@pytest.mark.parametrize("code_point", UNSEEN)
def test_fillers_and_variation_selectors_show_nothing_and_cut_no_word(code_point: int) -> None:
    assert normalise_transcript(f"a{chr(code_point)}b é") == "ab é"


@pytest.mark.parametrize("code_point", [0x350, 0x17B6, 0x180A, 0xFE10])
def test_the_neighbours_of_the_unseen_are_marks_or_punctuation_as_before(code_point: int) -> None:
    kept = {0x350: "a\u0350b", 0x17B6: "a\u17b6b"}.get(code_point, "a b")
    assert normalise_transcript(f"a{chr(code_point)}b é") == f"{kept} é"


@pytest.mark.parametrize("text", ["'là", "là'", "'là'", "·là", "là·"])
def test_an_apostrophe_or_a_dot_at_an_end_is_no_part_of_the_word(text: str) -> None:
    assert normalise_transcript(text) == "là"


@settings(deadline=None)
@given(st.text(max_size=8) | st.text("aé'’·\u200c\u200dक्ب \ufe0fAİ_-", max_size=8))
def test_what_is_normalised_stays_as_it_is_and_has_single_blanks(text: str) -> None:
    once = normalise_transcript(text)
    assert normalise_transcript(once) == once == " ".join(once.split())
