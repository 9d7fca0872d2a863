"""What a run said of the test split, read again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lstmdrop.errors import DataError
from lstmdrop.metrics.perplexity import read_log_probs
from lstmdrop.report.rescore import read_predictions


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("one\ntwo\n", ["one", "two"]),
        ("one\n\n", ["one", ""]),
        ("a\u2028b\x0bc\r\nd", ["a\u2028b\x0bc\r", "d"]),
        ("", [""]),
    ],
)
def test_a_line_ends_at_a_line_feed_and_nowhere_else(tmp_path: Path, text: str, lines: list[str]) -> None:
    (tmp_path / "predictions.txt").write_bytes(text.encode())
    assert read_predictions(tmp_path) == lines


def test_predictions_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"predictions\.txt does not exist: the run kept no predictions"):
        read_predictions(tmp_path)
    (tmp_path / "predictions.txt").write_bytes(b"caf\xe9\n")
    with pytest.raises(DataError, match=r"predictions\.txt cannot be read: .*utf-8"):
        read_predictions(tmp_path)


def test_log_probabilities_come_with_the_lengths_where_they_are_known(tmp_path: Path) -> None:
    values = np.array([-1.0, -2.5, -0.5], np.float32)
    np.savez_compressed(tmp_path / "log_probs.npz", log_probs=values)
    log_probs, lengths = read_log_probs(tmp_path)
    assert (log_probs.tolist(), lengths) == ([-1.0, -2.5, -0.5], None)
    np.savez_compressed(tmp_path / "log_probs.npz", log_probs=values, lengths=np.array([1, 2]))
    assert read_log_probs(tmp_path).lengths == [1, 2]


def test_log_probabilities_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the run kept no log-probabilities"):
        read_log_probs(tmp_path)
    np.savez_compressed(tmp_path / "log_probs.npz", other=np.zeros(2))
    with pytest.raises(DataError, match=r"log_probs\.npz cannot be read"):
        read_log_probs(tmp_path)
    np.savez_compressed(tmp_path / "log_probs.npz", log_probs=np.array([object()]))  # would run code when it is read
    with pytest.raises(DataError, match=r"log_probs\.npz cannot be read"):
        read_log_probs(tmp_path)
