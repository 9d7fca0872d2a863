"""An average of runs is a result that a report reads, and it stands only in the row that it fits."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lstmdrop.cli import main
from lstmdrop.commands.average import average
from lstmdrop.commands.evaluate import evaluate, require_bound
from lstmdrop.commands.report import report
from lstmdrop.commands.train import train
from lstmdrop.errors import BoundMissedError, DataError, UsageError
from lstmdrop.metrics.score import Score
from lstmdrop.report.beside_paper import paper_table
from lstmdrop.report.paper import TABLE_1
from lstmdrop.report.table import Cell
from lstmdrop.run import Run
from lstmdrop.training.checkpoint import Checkpoint, read_checkpoint, write_checkpoint


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory, toy_corpus: Path) -> Path:
    """Where a toy text goes by the name of the paper's."""
    folder = tmp_path_factory.mktemp("data")
    shutil.copytree(toy_corpus, folder / "ptb")
    return folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, data_dir: Path, toy_settings: list[str]) -> dict[str, Path]:
    """Toy runs that say they are of the paper's sizes; not to be changed."""
    root = tmp_path_factory.mktemp("runs")

    def trained(name: str, size: str, seed: int, *settings: str) -> Path:
        overrides = [*toy_settings, "training.epochs=1", *settings]
        train("lm", size=size, data="ptb", data_dir=data_dir, seed=seed, overrides=overrides, out=root / name)
        return root / name

    return {
        "first": trained("first", "small", 4, "regularizer.rule=none"),
        "second": trained("second", "small", 3, "regularizer.rule=none"),
        "medium": trained("medium", "medium", 1),
        "medium, other p": trained("other", "medium", 2, "regularizer.dropout=0.3"),
    }


def averaged(out: Path, data_dir: Path, *runs: Path) -> dict[str, Any]:
    average("lm", out, runs=runs, data_dir=data_dir)
    result: dict[str, Any] = json.loads((out / "result.json").read_text())
    return result


def filled_rows(out: Path) -> list[tuple[Cell, ...]]:
    """Of Table 1, were the paper's networks and text as small as the toy runs'."""
    rows = (replace(row, target=row.target and replace(row.target, settings={}, measured={})) for row in TABLE_1.rows)
    table = paper_table(report([out]).runs, replace(TABLE_1, rows=tuple(rows)))
    seeds = [column.name for column in table.columns].index("seeds")
    return [row for row in table.rows if row[seeds]]


def test_an_average_fills_its_row_of_the_papers_table(runs: dict[str, Path], data_dir: Path, tmp_path: Path) -> None:
    members = [runs["first"], runs["second"]]
    result = averaged(tmp_path / "deep" / "average", data_dir, *members)
    valid, test = (evaluate("lm", runs=members, split=split, data_dir=data_dir)[0] for split in ("valid", "test"))
    (row,) = filled_rows(tmp_path / "deep" / "average")
    assert (row[0], row[2], row[5]) == ("averaging 2 non-regularised LSTMs", valid.value, test.value)
    assert (result["size"], result["regularizer"], result["data"], result["seed"]) == ("small", "none", "ptb", 3)
    assert (result["num_models"], result["runs"], result["epochs"]) == (2, [str(run) for run in members], 1)
    assert result["num_parameters"] == Run(members[0]).result()["num_parameters"]
    assert result["settings"]["training.num_steps"] == 5
    assert "seed" not in result["settings"]
    log_probs = np.load(tmp_path / "deep" / "average" / "log_probs.npz")["log_probs"].astype(np.float64)
    assert np.exp(-log_probs.mean()) == pytest.approx(test.value, rel=1e-6)


def kept(run: Path, folder: Path, *without: str) -> Path:
    """A run as results are kept for the record: neither weights nor assets."""
    return Path(shutil.copytree(run, folder, ignore=shutil.ignore_patterns("*.safetensors", "assets", *without)))


def test_runs_without_weights_are_averaged_by_what_they_answered(
    runs: dict[str, Path], data_dir: Path, tmp_path: Path
) -> None:
    members = [runs["first"], kept(runs["second"], tmp_path / "kept")]
    whole = averaged(tmp_path / "whole", data_dir, runs["first"], runs["second"])
    recalled = averaged(tmp_path / "recalled", data_dir, *members)
    assert [row["signature"] for row in recalled["scores"]] == [row["signature"] for row in whole["scores"]]
    for ours, theirs in zip(recalled["scores"], whole["scores"], strict=True):
        assert ours["value"] == pytest.approx(theirs["value"], rel=1e-6)


def test_a_split_of_which_nothing_was_kept_is_left_out_of_an_average(
    runs: dict[str, Path], data_dir: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    members = [runs["first"], kept(runs["second"], tmp_path / "kept", "valid")]
    assert {row["split"] for row in averaged(tmp_path / "out", data_dir, *members)["scores"]} == {"test"}
    assert "kept no outputs of valid" in caplog.text
    bare = [kept(run, tmp_path / f"bare{run.name}", "valid", "log_probs.npz") for run in members]
    with pytest.raises(DataError, match=r"without weights .* nothing to average"):
        averaged(tmp_path / "none", data_dir, *bare)
    assert not (tmp_path / "none").exists()


def test_what_was_answered_on_other_data_is_refused(runs: dict[str, Path], data_dir: Path, tmp_path: Path) -> None:
    other = tmp_path / "data"
    shutil.copytree(data_dir, other)
    for path in (other / "ptb").rglob("*.txt"):
        path.write_text(path.read_text() + path.read_text())
    with pytest.raises(DataError, match="of other data than ptb"):
        averaged(tmp_path / "out", other, kept(runs["first"], tmp_path / "a"), kept(runs["second"], tmp_path / "b"))


def test_members_of_different_recipes_stand_in_no_row(runs: dict[str, Path], data_dir: Path, tmp_path: Path) -> None:
    sizes = averaged(tmp_path / "sizes", data_dir, runs["first"], runs["medium"])
    assert (sizes["size"], sizes["regularizer"]) == ("small+medium", "none+zaremba")
    rates = averaged(tmp_path / "rates", data_dir, runs["medium"], runs["medium, other p"])
    assert (rates["size"], rates["regularizer"]) == ("medium", "zaremba")
    assert filled_rows(tmp_path) == []


def test_an_average_on_other_data_than_it_was_trained_on_stands_in_no_row(
    runs: dict[str, Path], toy_corpus: Path, tmp_path: Path
) -> None:
    average("lm", tmp_path / "out", runs=[runs["first"], runs["second"]], data=str(toy_corpus))
    assert json.loads((tmp_path / "out" / "result.json").read_text())["data"] == f"ptb+{toy_corpus}"
    assert filled_rows(tmp_path) == []


def test_what_is_no_average_is_refused_and_leaves_nothing(
    runs: dict[str, Path], data_dir: Path, tmp_path: Path
) -> None:
    first = runs["first"]
    copy = tmp_path / "copy"
    shutil.copytree(first, copy)
    for members in ([first], [first, first], [first, copy]):
        with pytest.raises(UsageError, match="two or more --run"):
            averaged(tmp_path / "out", data_dir, *members)
    (copy / "result.json").unlink()
    with pytest.raises(DataError, match=r"result\.json does not exist"):
        averaged(tmp_path / "out", data_dir, copy, runs["second"])
    assert not (tmp_path / "out").exists()
    with pytest.raises(UsageError, match="not an empty folder"):
        averaged(copy, data_dir, first, runs["second"])


def test_the_command_prints_what_it_writes(
    runs: dict[str, Path], data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["eval", "lm", "--run", str(runs["first"]), "--run", str(runs["second"]), "--data-dir", str(data_dir)]
    with pytest.raises(SystemExit) as ended:
        main([*command, "--out", str(tmp_path / "out"), "--json"])
    assert not ended.value.code
    scores = json.loads((tmp_path / "out" / "result.json").read_text())["scores"]
    assert json.loads(capsys.readouterr().out) == scores
    assert [score["split"] for score in scores] == ["valid", "test"]
    between = (scores[0]["value"] + scores[1]["value"]) / 2
    with pytest.raises(SystemExit) as ended:
        main([*command, "--out", str(tmp_path / "bound"), "--fail-under", str(between)])
    assert (ended.value.code or 0) == (6 if scores[1]["value"] > between else 0)
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main([*command, "--out", str(tmp_path / "other"), "--split", "test"])
    assert ended.value.code == 2
    assert "leave --split out" in capsys.readouterr().err


@pytest.mark.parametrize("higher_is_better", [True, False])
def test_what_is_no_number_keeps_no_bound(higher_is_better: bool) -> None:
    with pytest.raises(BoundMissedError, match="bleu is not a number, and the bound is 5"):
        require_bound(Score("bleu", math.nan, higher_is_better, ""), 5.0)
    require_bound(Score("bleu", 5.0, higher_is_better, ""), 5.0)


@pytest.mark.parametrize("more", [1, 1 << 20])
def test_weights_that_do_not_fit_their_configuration_are_named(
    runs: dict[str, Path], tmp_path: Path, more: int
) -> None:
    altered = altered_run(runs["first"], tmp_path / "altered", more)
    with pytest.raises(DataError, match=r"was trained with model.hidden_size="):  # before a network takes its memory
        evaluate("lm", runs=[altered])


def test_so_are_weights_that_do_not_say_with_what_they_were_trained(runs: dict[str, Path], tmp_path: Path) -> None:
    altered = altered_run(runs["first"], tmp_path / "altered", 1)
    write_checkpoint(altered / "best.safetensors", Checkpoint(read_checkpoint(altered / "best.safetensors").tensors))
    with pytest.raises(DataError, match=r"altered: its weights are not of the network"):
        evaluate("lm", runs=[altered])


def altered_run(run: Path, altered: Path, more: int) -> Path:
    """A copy with so many more units in its configuration than in its weights."""
    shutil.copytree(run, altered)
    config = json.loads((altered / "config.json").read_text())
    config["model"]["hidden_size"] += more
    (altered / "config.json").write_text(json.dumps(config))
    return altered
