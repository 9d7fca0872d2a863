"""``lstmdrop bench``: what it says, and what it refuses."""

from __future__ import annotations

import json
from typing import Any

import pytest

OLD = {
    "size", "device", "tokens_per_second", "plain_tokens_per_second", "ratio", "share_of_matrix_rate"
}  # fmt: skip
TINY = ["model.hidden_size=8", "data.vocabulary_size=50"]


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lstmdrop.training.bench.BLOCK_SECONDS", 0.0)
    monkeypatch.setattr("lstmdrop.training.limits.LIMIT_SECONDS", 0.0)
    monkeypatch.setattr("lstmdrop.training.limits.PRODUCT_SIZE", 64)
    monkeypatch.setattr("lstmdrop.training.limits.COPIED_BYTES", 1 << 16)


def test_rows_keep_their_fields_and_say_what_is_counted(lstmdrop: Any) -> None:
    outcome = lstmdrop("bench", "lm", "--sizes", "tiny", "--seconds", "0.001", "--json", settings=TINY)
    rows = [json.loads(line) for line in outcome.output.splitlines()]
    assert [(row["work"], row["unit"]) for row in rows] == [
        ("train", "tokens"), ("score", "tokens"), ("decode", "tokens")
    ]  # fmt: skip
    for row in rows:
        assert row.keys() >= OLD
        assert row["ratio"] == pytest.approx(row["tokens_per_second"] / row["plain_tokens_per_second"])
        assert row["spread"] >= 0 < row["num_steps"]
        assert row["peak_bytes"] is None


def test_kinds_of_work_are_chosen_and_a_line_says_it(lstmdrop: Any) -> None:
    words = ("--sizes", "tiny", "--seconds", "0.001", "--work", "score")
    (line,) = lstmdrop("bench", "lm", *words, settings=TINY).output.splitlines()
    assert line.split()[:3] == ["lm", "tiny", "score"]
    assert "tokens/s" in line


def test_a_profile_names_parts_that_add_up_to_the_step(lstmdrop: Any) -> None:
    """Under a rule of the scan, which takes input products and recurrence one after the other."""
    outcome = lstmdrop(
        "bench", "lm", "--sizes", "tiny", "--profile", "--json", settings=[*TINY, "regularizer.rule=variational"]
    )
    rows = [json.loads(line) for line in outcome.output.splitlines()]
    forward = {"embedding", "dropout", "input products", "recurrence", "softmax and loss"}
    backward = {f"backward: {part}" for part in ("embedding", "recurrence", "softmax and loss")}
    assert {row["part"] for row in rows} >= {*forward, *backward, "clipping", "optimiser", "data"}
    assert sum(row["share"] for row in rows) == pytest.approx(1)
    assert [row["seconds"] for row in rows] == sorted((row["seconds"] for row in rows), reverse=True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("lm", "--work", "scores"), "--work scores; did you mean 'score'?: it is one or more of train, score, decode"),
        (("lm", "--profile", "--grow"), "--profile and --grow: one of them"),
        (("lm", "--axes", "batch"), "--axes has an effect only with --grow"),
        (("lm", "--grow", "--memory"), "--memory has an effect only without --profile and --grow"),
        (("lm", "--profile", "--work", "train"), "--work has an effect only without --profile and --grow"),
        (("lm", "--profile", "--seconds", "3"), "--seconds has an effect only without --profile"),
        (("lm", "--grow", "--axes", "batches"), "--grow batches; did you mean 'batch'?: lm has hidden size, layers"),
        (("mt", "--grow"), "--grow: the task mt does not say which of its sizes may grow"),
        (("all", "--sizes", "smal"), "did you mean 'small'"),
        (("lm", "--sizes", "smal"), "did you mean 'small'"),
    ],
)
def test_what_has_no_effect_or_is_not_there_is_refused_in_a_line(lstmdrop: Any, words: Any, said: str) -> None:
    refused = lstmdrop("bench", *words)
    assert (refused.code in (2, 3), refused.output, len(refused.messages.splitlines())) == (True, "", 1)
    assert said in refused.messages
