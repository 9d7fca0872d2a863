from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lstmdrop.metrics.score import Score
from lstmdrop.report.runs import read_summaries

RESULT = """{
  "task": "lm", "data": "ptb", "size": "medium", "regularizer": "zaremba", "seed": 3,
  "scores": [
    {"split": "valid", "name": "perplexity", "value": 86.5, "higher_is_better": false, "signature": "tokens:73760"},
    {"split": "test", "name": "perplexity", "value": 82, "higher_is_better": false, "signature": "tokens:82430"}
  ],
  "num_parameters": 19780000, "train_seconds": 3600.5, "tokens_per_second": 10000.0, "epochs": 39,
  "version": "0.1.0", "git": null, "torch": "2.6.0", "device": "cpu", "config_sha256": "c0", "data_sha256": "d0"
}"""
CONFIG = """{
  "task": "lm", "size": "medium", "seed": 3, "data": {"name": "ptb"},
  "regularizer": {"rule": "zaremba", "dropout": 0.5, "recurrent_dropout": null}, "training": {"epochs": 39}
}"""


def write_run(directory: Path, *, result: str | None = RESULT, config: str | None = CONFIG) -> Path:
    directory.mkdir(parents=True)
    for name, text in (("result.json", result), ("config.json", config)):
        if text is not None:
            (directory / name).write_text(text)
    return directory


def edited(**changes: object) -> str:
    return json.dumps(json.loads(RESULT) | changes)


def test_a_run_is_read_whole(tmp_path: Path) -> None:
    (run,), problems = read_summaries([write_run(tmp_path / "a")])
    assert problems == ()
    assert (run.directory, run.task, run.data, run.size) == (tmp_path / "a", "lm", "ptb", "medium")
    assert (run.regularizer, run.dropout, run.recurrent_dropout, run.seed) == ("zaremba", 0.5, None, 3)
    assert (run.num_models, run.num_parameters, run.epochs) == (1, 19_780_000, 39)
    assert (run.train_seconds, run.tokens_per_second) == (3600.5, 10000.0)
    assert run.score("test", "perplexity") == Score("perplexity", 82.0, False, "tokens:82430")
    assert run.score("valid", "perplexity") == Score("perplexity", 86.5, False, "tokens:73760")
    assert run.score("test", "bleu") is None
    assert run.provenance["torch"] == "2.6.0"
    assert "git" not in run.provenance
    assert run.settings["training.epochs"] == 39


def test_a_folder_is_searched_and_a_run_reached_twice_counts_once(tmp_path: Path) -> None:
    write_run(tmp_path / "runs" / "a")
    write_run(tmp_path / "runs" / "deep" / "er" / "b")
    summaries, problems = read_summaries(
        [tmp_path / "runs", tmp_path / "runs" / "a", tmp_path / "runs" / "a" / ".." / "deep"]
    )
    assert [run.directory.name for run in summaries] == ["a", "b"]
    assert problems == ()


def test_recurrent_dropout_and_ensembles_are_read(tmp_path: Path) -> None:
    config = CONFIG.replace("null", "0.25")
    (run,), _ = read_summaries([write_run(tmp_path / "a", result=edited(num_models=10), config=config)])
    assert (run.num_models, run.recurrent_dropout) == (10, 0.25)


def test_the_rule_none_has_no_p_whatever_the_configuration_says(tmp_path: Path) -> None:
    (run,), _ = read_summaries([write_run(tmp_path / "a", result=edited(regularizer="none"))])
    assert run.dropout is None


def test_a_result_without_configuration_is_still_a_result(tmp_path: Path) -> None:
    (run,), problems = read_summaries([write_run(tmp_path / "a", config=None)])
    assert (run.dropout, dict(run.settings), problems) == (None, {}, ())


MISSING = json.dumps({key: value for key, value in json.loads(RESULT).items() if key != "seed"})


@pytest.mark.parametrize(
    ("result", "config", "said"),
    [
        (None, CONFIG, "bad: not finished, it has no result.json"),
        (RESULT[:100], CONFIG, "bad/result.json: invalid json"),
        ("[]", CONFIG, "bad/result.json: input should be"),
        (MISSING, CONFIG, "bad/result.json: seed: field required"),
        (edited(seed="3"), CONFIG, "bad/result.json: seed: input should be a valid integer"),
        (RESULT.replace("86.5", "null"), CONFIG, "bad/result.json: scores.0.value: input should be a valid number"),
        (RESULT, "{", "bad/config.json: invalid json"),
    ],
)
def test_a_run_that_cannot_be_shown_is_named_and_skipped(
    tmp_path: Path, result: str | None, config: str, said: str
) -> None:
    write_run(tmp_path / "good")
    write_run(tmp_path / "bad", result=result, config=config)
    summaries, problems = read_summaries([tmp_path])
    assert [run.directory.name for run in summaries] == ["good"]
    assert len(problems) == 1
    assert f"{tmp_path}/{said}" in problems[0]


def test_a_directory_without_runs_is_named(tmp_path: Path) -> None:
    summaries, problems = read_summaries([tmp_path, tmp_path / "absent"])
    assert summaries == ()
    assert problems == (f"{tmp_path}: no run in it", f"{tmp_path / 'absent'}: no such directory")


@pytest.mark.slow
def test_the_report_needs_neither_torch_nor_rich_nor_matplotlib() -> None:
    modules = "lstmdrop.commands.report, lstmdrop.report.table, lstmdrop.report.plots"
    heavy = "{'torch', 'rich', 'matplotlib', 'plotext', 'numpy'}"
    code = f"import sys, {modules}; print(sorted({heavy} & set(sys.modules)))"
    path = f"import sys; sys.path[:0] = {sys.path!r}; "
    done = subprocess.run([sys.executable, "-c", path + code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_result_beside_the_configuration_of_another_run_is_in_no_table(tmp_path: Path) -> None:
    runs, problems = read_summaries([write_run(tmp_path / "a", result=edited(seed=4))])
    assert runs == ()
    assert problems == (f"{tmp_path / 'a'}: result.json has seed 4, and config.json 3: one is of another run",)
