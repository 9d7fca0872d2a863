"""Several references: scored with all of them, in eval, in comparisons and in what a report shows."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lstmdrop.commands.compare import compare
from lstmdrop.report.rescore import rescore, scored_items
from lstmdrop.report.runs import read_summary


@pytest.mark.slow
def test_every_score_counts_all_references(
    lstmdrop: Callable[..., Any], toy_pairs: Path, toys: dict[str, tuple[str, list[str]]], tmp_path: Path
) -> None:
    data = shutil.copytree(toy_pairs, tmp_path / "data")
    references = (data / "test.fr").read_text(encoding="utf-8").splitlines()
    others = [" ".join(reversed(line.split())) for line in references]
    (data / "test.fr").rename(data / "test.fr0")
    (data / "test.fr1").write_text("\n".join(["", *others[1:]]) + "\n", encoding="utf-8")
    settings = [*toys["mt"][1], "training.epochs=1"]
    for seed in (1, 2):
        outcome = lstmdrop(
            "train", "mt", "--size", "tiny", "--data", data, "--out", tmp_path / str(seed), "--seed", seed,
            settings=settings,
        )  # fmt: skip
        assert outcome.code == 0, outcome.messages
    run = read_summary(tmp_path / "1")
    for name in ("bleu", "chrf"):
        score = run.score("test", name)
        assert score is not None
        assert score.signature.startswith("nrefs:var|")
        assert rescore(run, name).value == pytest.approx(score.value, rel=1e-4)
    assert [list(item.references) for item in scored_items(run)] == [
        [first, *([other] if number else [])]
        for number, (first, other) in enumerate(zip(references, others, strict=True))
    ]
    compared = compare(tmp_path / "1", tmp_path / "2", num_resamples=20, num_shuffles=20).scores
    assert all("nrefs:var" in one.first.signature for one in compared if one.first.name in ("bleu", "chrf"))
    examples = [json.loads(line) for line in (tmp_path / "1" / "examples.jsonl").read_text().splitlines()]
    assert examples[1]["references"] == [references[1], others[1]]
    (data / "test.fr1").write_text("\n".join(others) + "\n", encoding="utf-8")
    scored = lstmdrop("eval", "mt", "--run", tmp_path / "1")
    assert "nrefs:2" in scored.output + scored.messages
    (data_hash,) = {part for part in score.signature.split("|") if part.startswith("data:")}
    assert data_hash not in scored.output + scored.messages, "other references are other test data"
