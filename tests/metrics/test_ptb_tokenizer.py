"""Laws of caption tokens, and how far the Python tokeniser agrees with Stanford's."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstmdrop.metrics.java import find_java
from lstmdrop.metrics.ptb_tokenizer import PUNCTUATION, java_tokenizer, python_tokenize, tokenize_captions

java = pytest.mark.skipif(find_java() is None, reason="no Java here: Stanford's tokeniser cannot be asked")

CASES = {
    # contractions and possessives
    "She can't, doesn't and WON'T.": "she ca n't does n't and wo n't",
    "I'm sure he's gone; they've left, we'll go, I'd stay": "i 'm sure he 's gone they 've left we 'll go i 'd stay",
    "He should've, shouldn't've": "he should 've should n't 've",
    "the dog's ball, the dogs' balls, James's": "the dog 's ball the dogs balls james 's",
    "don’t touch the dog’s ball": "do n't touch the dog 's ball",
    "cannot gonna wanna gotta gimme lemme": "can not gon na wan na got ta gim me lem me",
    "'tis the '90s, rock 'n' roll o'clock": "'t is the '90s rock 'n' roll o'clock",
    "rock'n'roll, ma'am, d'angelo, O'Neil": "rock 'n' roll ma'am d'angelo o'neil",
    # abbreviations
    "the u.s. flag, the U.K., washington d.c.": "the u.s. flag the u.k. washington d.c.",
    "mr. smith, Dr. Who and St. Louis jr.": "mr. smith dr. who and st. louis jr.",
    "at 5 p.m. or 5pm or 5 a.m.": "at 5 p.m. or 5pm or 5 a.m.",
    "e.g. this, etc. vs. that": "e.g. this etc. vs. that",
    "the sun. no. it is no. 5": "the sun no it is no. 5",
    "a sick man. Ill. in Mass. and mass.": "a sick man ill. in mass. and mass",
    "letter B. The dog": "letter b the dog",
    "letter B. another": "letter b. another",
    # numbers
    "1,000 people, 3.5 miles, 12:30": "1,000 people 3.5 miles 12:30",
    "1/2 a pie, 3 1/2 pies, ½ a cup": "1/2 a pie 3\xa01/2 pies 1/2 a cup",
    "3.5mm, 3:30pm, 2nd, 4x4": "3.5 mm 3:30 pm 2nd 4x4",
    "50% off, $5, £5 and €5.50": "50 % off $ 5 # 5 and $ 5.50",
    "555-1234 or (555) 555-1234": "555-1234 or -lrb-555-rrb-\xa0555-1234",
    "6'2\" tall": "6 2 tall",
    # marks
    "\"quoted\" and 'single' “curly” ‘ones’": "quoted and single curly ones",
    "(round) [square] {curly}": "-lrb- round -rrb- -lsb- square -rsb- -lcb- curly -rcb-",
    "wait ... what... well…": "wait what well",
    "a dash - and -- and – and — there": "a dash and and and there",
    "what?! no!! yes!": "what ?! no !! yes",
    "one; two: three, four.": "one two three four",
    "salt & pepper, at&t, AT&T, q&a": "salt & pepper at & t at&t q & a",
    "a/b, and/or, w/ a dog": "a/b and/or w / a dog",
    "#1 #winning @home a*b x=y": "# 1 #winning @home a * b x = y",
    ":) :-( ;D <3": ":-rrb- :--lrb- ;d < 3",
    # words
    "a well-known T-shirt, mother-in-law, 3-year-old": "a well-known t-shirt mother-in-law 3-year-old",
    "a grey colour in the centre of the theatre": "a grey colour in the centre of the theatre",
    "www.a.com, http://www.a.com/b?c, me@a.com": "www.a.com http://www.a.com/b?c me@a.com",
    "un café à l'été": "un café à l'été",
    "a 😀 face": "a face",
    "A child in a pink dress .": "a child in a pink dress",
    "": "",
    " . ": "",
}


@pytest.mark.parametrize("caption", CASES)
def test_tokens_by_the_python_tokeniser(caption: str) -> None:
    assert python_tokenize(caption) == CASES[caption]


@java
def test_tokens_by_stanfords_tokeniser() -> None:
    tokenised = tokenize_captions(list(CASES))
    assert dict(zip(CASES, tokenised.lines, strict=True)) == CASES
    assert tokenised.tokenizer == "java-3.4.1"


@pytest.mark.slow
@java
def test_both_agree_on_every_caption_of_flickr8k(shared_data: Path) -> None:
    with (shared_data / "flickr8k" / "captions.txt").open(encoding="utf-8", newline="") as file:
        captions = [row["caption"] for row in csv.DictReader(file)]
    assert len(captions) == 40455
    pairs = zip(tokenize_captions(captions).lines, map(python_tokenize, captions), strict=True)
    assert [(theirs, ours) for theirs, ours in pairs if theirs != ours] == []


@java
@pytest.mark.parametrize(
    "line_break", ["\n", "\r", "\r\n", "\v", "\f", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"]
)
def test_a_line_break_inside_a_caption_is_a_blank(line_break: str) -> None:
    captions = [f"a dog{line_break}runs{line_break}", "", f"{line_break}a cat"]
    assert tokenize_captions(captions).lines == ["a dog runs", "", "a cat"]
    assert [python_tokenize(caption) for caption in captions] == ["a dog runs", "", "a cat"]


@java
def test_half_a_character_is_dropped() -> None:
    assert tokenize_captions(["a \ud83d dog", "a cat"]).lines == ["a dog", "a cat"]
    assert python_tokenize("a \ud83d dog") == "a dog"


def test_without_java_the_python_tokeniser_is_used_and_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    tokenised = tokenize_captions(["The dog's ball.", "two"])
    assert (tokenised.lines, tokenised.tokenizer) == (["the dog 's ball", "two"], "python")


STUB = "echo Unable to locate a Java Runtime. >&2; exit 1"
WORKS_ONCE = 'if [ -e "$0.tried" ]; then exit 137; fi; touch "$0.tried"; echo "a dog \'s ."'


@pytest.mark.parametrize("program", [STUB, "sleep 30", "echo a; echo b", "printf '\\377\\n'", ""])
def test_a_java_that_does_not_run_is_named_once_and_python_tokenises(
    program: str, fake_java: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("lstmdrop.metrics.java.FIRST_ANSWER", 0.3)
    path = fake_java(program)
    for _ in range(2):
        tokenised = tokenize_captions(["The dog's ball.", "two"])
        assert (tokenised.lines, tokenised.tokenizer) == (["the dog 's ball", "two"], "python")
    assert caplog.text.count(f"{path} does not run (") == 1


def test_a_java_that_stops_later_loses_no_score(
    fake_java: Callable[[str], Path], caplog: pytest.LogCaptureFixture
) -> None:
    fake_java(WORKS_ONCE)
    assert java_tokenizer() is not None
    tokenised = tokenize_captions(["The dog's ball.", "two"])
    assert (tokenised.lines, tokenised.tokenizer) == (["the dog 's ball", "two"], "python")
    assert "java stopped (exit code 137): these captions are tokenised in Python" in caplog.text


@given(st.text() | st.text("ab'’.,-n 1/2:)(&<>$\"TIS"))
def test_any_text_gives_tokens_in_lower_case_without_punctuation(text: str) -> None:
    tokenised = python_tokenize(text)
    assert tokenised == tokenised.lower()
    assert tokenised == tokenised.strip(" ")
    assert not PUNCTUATION & set(tokenised.split(" "))


@pytest.mark.parametrize(
    "caption",
    [
        "தமிழ் மொழி பேசு", "বাংলা ভাষা", "తెలుగు", "မြန်မာ", "ខ្មែរ", "ਪੰਜਾਬੀ", "සිංහල", "नमस्ते दुनिया", "ภาษาไทยที่",
        "ọjọ́ rọ̀rùn", "עִבְרִית", "مُحَمَّدٌ",
    ],
)  # fmt: skip
def test_words_of_every_script_keep_their_marks(caption: str) -> None:
    """Of Tamil, Stanford's tokeniser leaves consonants: captions that differ in their vowels would be the same."""
    assert python_tokenize(caption) == caption
    assert tokenize_captions([caption]).lines == [caption]


def test_what_stanfords_tokeniser_would_cut_is_left_to_python() -> None:
    assert tokenize_captions(["தமிழ்", "a dog"]).tokenizer == "python"
