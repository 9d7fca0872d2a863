"""A published folder is the run for everyone else: equal scores, equal predictions, nothing that runs code."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from lstmdrop.commands.evaluate import evaluate
from lstmdrop.commands.predict import predict
from lstmdrop.commands.publish import publish
from lstmdrop.errors import DataError, UsageError
from lstmdrop.plugin import installed_tasks
from lstmdrop.run import Run

Toys = dict[str, tuple[str, list[str]]]
Trained = Callable[[str], Path]


def inputs(task: str, data: Path) -> tuple[list[str], dict[str, Any]]:
    """Something for each kind of model to work on."""
    if task == "lm":
        return ["the cat sees the moon", "nobody"], {"score": True}
    if task == "mt":
        return ["the red house", "one cat sleeps"], {"num_best": 2}
    folder = data if data.is_dir() else data.parent
    return sorted(map(str, folder.glob("test*.npy")))[:3], {}


def metadata(folder: Path) -> dict[str, Any]:
    _, head, _ = (folder / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    return dict(yaml.safe_load(head))


@pytest.mark.parametrize("task", installed_tasks())
def test_what_is_published_scores_and_predicts_as_its_run(
    task: str, trained: Trained, toys: Toys, tmp_path: Path
) -> None:
    run, data = trained(task), toys[task][0]
    folder = Path(publish(run, to=tmp_path / "model"))
    own, others = (evaluate(task, runs=[each], data=data) for each in (run, folder))
    assert own == others
    lines, options = inputs(task, Path(data))
    own_outputs, outputs = (list(predict(task, runs=[each], inputs=lines, **options)) for each in (run, folder))
    for output in (*own_outputs, *outputs):
        output.pop("real_time_factor", None)  # type: ignore[attr-defined]
    assert len(outputs) == len(lines)
    assert own_outputs == outputs


@pytest.mark.parametrize("task", installed_tasks())
def test_a_published_folder_holds_tensors_json_and_text_and_no_place_of_this_machine(
    task: str, trained: Trained, tmp_path: Path
) -> None:
    folder = Path(publish(trained(task), to=tmp_path / "model"))
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} <= {".json", ".safetensors", ".md", ".txt", ".model", ".yaml"}
    assert {"config.json", "model.safetensors", "README.md", "scores.json"} <= {path.name for path in files}
    assert [path for path in files if str(tmp_path.parent).encode() in path.read_bytes()] == []


def test_the_card_says_the_scores_as_the_hub_reads_them(trained: Trained, tmp_path: Path) -> None:
    run = trained("mt")
    folder = Path(publish(run, to=tmp_path / "model", licence="mit", benchmark="someone/pairs:en-fr"))
    about, rows = metadata(folder), Run(run).result()["scores"]
    assert (about["license"], about["language"], about["pipeline_tag"]) == ("mit", ["en", "fr"], "translation")
    (model,) = about["model-index"]
    told = {
        (one["dataset"]["split"], metric["name"]): (metric["value"], metric["args"]["signature"])
        for one in model["results"]
        for metric in one["metrics"]
    }
    assert told == {(row["split"], row["name"]): (row["value"], row["signature"]) for row in rows}
    assert about["metrics"] == list(dict.fromkeys(row["name"] for row in rows))
    saved = json.loads((folder / "scores.json").read_text())
    assert saved["scores"] == rows
    assert saved["commands"]["train"].startswith("lstmdrop train mt --preset config.json --data ")
    (result,) = yaml.safe_load((folder / ".eval_results" / "someone--pairs.yaml").read_text())
    first = next(row for row in rows if row["split"] == "test")
    assert result["dataset"] == {"id": "someone/pairs", "task_id": "en-fr"}
    assert result["value"] == first["value"]
    assert first["signature"] in result["notes"]


def test_a_licence_is_the_users_to_choose(trained: Trained, tmp_path: Path) -> None:
    folder = Path(publish(trained("lm"), to=tmp_path / "model"))
    assert "license" not in metadata(folder)
    assert not (folder / ".eval_results").exists()  # no dataset of the Hub was named
    assert "No licence was chosen" in (folder / "README.md").read_text(encoding="utf-8")


def test_nothing_that_may_run_code_is_published(trained: Trained, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(trained("lm"), run)
    (run / "assets" / "extra.pkl").write_bytes(b"\x80\x04.")
    with pytest.raises(DataError, match=r"assets/extra\.pkl: a \.pkl file may run code"):
        publish(run, to=tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_nothing_is_overwritten_and_an_unfinished_run_is_named(trained: Trained, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a").touch()
    with pytest.raises(UsageError, match="full is not an empty folder"):
        publish(trained("lm"), to=tmp_path / "full")
    run = tmp_path / "run"
    shutil.copytree(trained("lm"), run)
    (run / "result.json").unlink()
    with pytest.raises(DataError, match=r"result\.json does not exist: the run has not got so far"):
        publish(run)


def test_what_is_published_is_no_second_run_in_reports_and_as_the_newest(trained: Trained, tmp_path: Path) -> None:
    run = tmp_path / "runs" / "run"
    shutil.copytree(trained("lm"), run)
    assert publish(run) == str(run / "published")
    assert Run.newest("lm", tmp_path / "runs").directory == run


def test_damaged_weights_are_named(trained: Trained, tmp_path: Path) -> None:
    folder = Path(publish(trained("lm"), to=tmp_path / "model"))
    content = bytearray((folder / "model.safetensors").read_bytes())
    content[-3] ^= 1
    (folder / "model.safetensors").write_bytes(content)
    with pytest.raises(DataError, match=r"model\.safetensors is damaged"):
        list(predict("lm", runs=[folder]))


def test_the_command_says_where_the_model_is(lstmdrop: Callable[..., Any], trained: Trained, tmp_path: Path) -> None:
    done = lstmdrop("publish", "--run", trained("lm"), "--to", tmp_path / "model", "--language", "en")
    assert (done.code, done.output) == (0, f"{tmp_path / 'model'}\n")
    assert metadata(tmp_path / "model")["language"] == ["en"]
