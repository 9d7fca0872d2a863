from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from lstmdrop.errors import DataError
from lstmdrop.metrics.score import Score
from lstmdrop.report.summary import Curves, read_curves, read_summaries

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
LOG = """\
{"event": "logged", "step": 1, "epoch": 1, "loss": 6.0, "rate": 1.0, "gradient_norm": 2.0, "seconds": 1.0}
{"event": "evaluated", "step": 2, "epoch": 1, "split": "valid", "training_loss": 5.0,
 "scores": [{"name": "perplexity", "value": 140.5, "higher_is_better": false, "signature": ""}]}
{"event": "evaluated", "step": 4, "epoch": 2, "split": "valid", "training_loss": 4.0,
 "scores": [{"name": "bleu", "value": 1.0, "higher_is_better": true, "signature": ""},
            {"name": "perplexity", "value": 120.25, "higher_is_better": false, "signature": ""}]}
{"event": "evaluated", "step": 4, "epoch": 2, "split": "train", "training_loss": 9.0,
 "scores": [{"name": "perplexity", "value": 70.5, "higher_is_better": false, "signature": ""}]}
""".replace(",\n ", ", ").replace("           {", "{")


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


def write_log(directory: Path, text: str) -> Path:
    directory.mkdir()
    (directory / "log.jsonl").write_text(text)
    return directory


def test_curves_are_perplexities_by_epoch(tmp_path: Path) -> None:
    found = read_curves(write_log(tmp_path / "a", LOG))
    assert found == Curves("a", (1, 2), (math.exp(5.0), math.exp(4.0)), (140.5, 120.25))


def test_a_line_that_is_being_written_is_left_out(tmp_path: Path) -> None:
    found = read_curves(write_log(tmp_path / "a", LOG + '{"event": "eval'))
    assert found.epochs == (1, 2)


def test_a_diverged_epoch_is_infinite(tmp_path: Path) -> None:
    found = read_curves(write_log(tmp_path / "a", LOG.replace('"training_loss": 4.0', '"training_loss": 1000.0')))
    assert found.training == (math.exp(5.0), math.inf)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (LOG + "nonsense\n", "log.jsonl, line 5: not an event"),
        (LOG + '{"step": 3}\n', "log.jsonl, line 5: not an event"),
        (LOG.replace('"training_loss": 5.0', '"training_loss": null'), "log.jsonl, line 2: not an event"),
        (LOG.replace("perplexity", "bleu"), "no epoch with a validation perplexity yet"),
    ],
)
def test_a_damaged_or_empty_log_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read_curves(write_log(tmp_path / "a", text))


def test_a_missing_log_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"log\.jsonl cannot be read"):
        read_curves(tmp_path)


def test_the_report_needs_neither_torch_nor_rich_nor_matplotlib() -> None:
    modules = "lstmdrop.commands.report, lstmdrop.report.formats, lstmdrop.report.plots"
    heavy = "{'torch', 'rich', 'matplotlib', 'plotext', 'numpy'}"
    code = f"import sys, {modules}; print(sorted({heavy} & set(sys.modules)))"
    path = f"import sys; sys.path[:0] = {sys.path!r}; "
    done = subprocess.run([sys.executable, "-c", path + code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
