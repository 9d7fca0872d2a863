"""Laws of learning subwords."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstmdrop.data.tokenizers import subwords
from lstmdrop.data.tokenizers.subwords import _count, _drawn, _sentences


@given(lines=st.lists(st.text(alphabet="ab é\U0001f600\u2028", max_size=8), max_size=9))
def test_characters_are_counted_as_one_by_one(tmp_path_factory: pytest.TempPathFactory, lines: list[str]) -> None:
    text = tmp_path_factory.mktemp("text") / "text.txt"
    text.write_text("".join(f"{line}\n" for line in [*lines, "the last, which is long: " + "ab " * 500]), "utf-8")
    expected: Counter[str] = Counter()
    for sentence in _sentences(text):
        expected.update(sentence + " ")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subwords, "COUNTED_AT_ONCE", 2)
        assert _count(text) == (expected, len(list(_sentences(text))))


@pytest.mark.slow
def test_a_large_text_gives_the_same_model_in_every_process(tmp_path: Path) -> None:
    text = tmp_path / "large.txt"
    words = [f"{onset}{vowel}{coda}" for onset in "bdfgklmnprst" for vowel in "aeiou" for coda in "bdfgklmnprst"]
    text.write_text(
        "".join(f"{words[i * i % 720]} {words[i * 7 % 719]}\n" for i in range(subwords.MAX_SENTENCES + 9_000))
    )
    code = "import sys, pathlib; from lstmdrop.data.tokenizers.subwords import train_model; "
    code += "sys.stdout.buffer.write(train_model(pathlib.Path(sys.argv[1]), 'bpe', 200))"
    models = [subprocess.run([sys.executable, "-c", code, text], capture_output=True, check=True).stdout for _ in "ab"]
    assert models[0]
    assert models[0] == models[1]


@given(num=st.integers(0, 40), wanted=st.integers(1, 40))
def test_a_draw_has_as_many_as_are_wanted_and_keeps_their_order(num: int, wanted: int) -> None:
    sentences = [str(i) for i in range(num)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subwords, "MAX_SENTENCES", wanted)
        drawn = list(_drawn(iter(sentences), num))
    assert len(drawn) == min(num, wanted)
    assert drawn == [sentence for sentence in sentences if sentence in drawn]


def test_every_sentence_is_drawn_as_often_as_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subwords, "MAX_SENTENCES", 3_000)
    drawn = np.array([int(sentence) for sentence in _drawn(iter(map(str, range(30_000))), 30_000)])
    tenths = np.bincount(drawn // 3_000, minlength=10)
    assert abs(tenths - 300).max() < 60, "3.8 standard deviations"
