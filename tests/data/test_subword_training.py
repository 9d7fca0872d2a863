"""Laws of learning subwords."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstmdrop.data.tokenizers import subword_training
from lstmdrop.data.tokenizers.subword_training import _character_counts, _sentences


@given(lines=st.lists(st.text(alphabet="ab é\U0001f600\u2028", max_size=8), max_size=9))
def test_characters_are_counted_as_one_by_one(tmp_path_factory: pytest.TempPathFactory, lines: list[str]) -> None:
    text = tmp_path_factory.mktemp("text") / "text.txt"
    text.write_text("".join(f"{line}\n" for line in [*lines, "the last, which is long: " + "ab " * 500]), "utf-8")
    expected: Counter[str] = Counter()
    for sentence in _sentences(text):
        expected.update(sentence + " ")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subword_training, "COUNTED_AT_ONCE", 2)
        assert _character_counts(text) == expected
