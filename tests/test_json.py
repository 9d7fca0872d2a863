"""All JSON that leaves this toolkit is JSON: no infinity, no NaN, which few readers take."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lstmdrop.metrics.score import Score
from lstmdrop.report.curves import read_curves
from lstmdrop.report.runs import read_summary
from lstmdrop.run import Run
from lstmdrop.training.progress import Progress

ROOT = Path(__file__).parents[1]
ONE_PLACE = "parsing.py"


def strict(text: str) -> Any:
    """What a reader that keeps to the standard makes of it."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(text, parse_constant=refuse)


def _careless(tree: ast.AST) -> list[int]:
    """The lines that make JSON with what may be infinite; but for that of a hash, which nobody reads."""
    found = []
    for node in ast.iter_child_nodes(tree):
        name = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
        if name in ("json.dump", "json.dumps") and "allow_nan=False" not in ast.unparse(node):
            found.append(node.lineno if isinstance(node, ast.Call) else 0)
        if name != "hashlib.sha256":
            found += _careless(node)
    return found


@pytest.mark.parametrize("folder", ["src", "tasks"])
def test_one_place_writes_json(folder: str) -> None:
    files = [path for path in (ROOT / folder).rglob("*.py") if path.name != ONE_PLACE]
    assert files
    for path in files:
        for line in _careless(ast.parse(path.read_text(encoding="utf-8"))):
            pytest.fail(f"{path}, line {line}: lstmdrop.parsing.to_json writes JSON")


@pytest.mark.parametrize("task", ["lm", "mt", "asr", "caption"])
def test_every_json_file_of_a_run_is_json(task: str, trained: Callable[[str], Path]) -> None:
    files = [path for path in trained(task).rglob("*") if path.suffix in (".json", ".jsonl")]
    assert {"config.json", "result.json", "last.json", "log.jsonl"} <= {path.name for path in files}
    for path in files:
        text = path.read_text(encoding="utf-8")
        for part in [text] if path.suffix == ".json" else text.splitlines():
            strict(part)


COMMANDS = (
    "info",
    "data cache",
    "eval lm --run RUN",
    "predict lm --run RUN --num-samples 2",
    "predict lm --run RUN --score --text TEXT",
    "report RUN --format json",
    "compare RUN RUN --format json",
    pytest.param("bench lm --sizes tiny --seconds 0.001", marks=pytest.mark.slow),
    pytest.param("export lm --run RUN --out OUT", marks=pytest.mark.slow),
)


@pytest.mark.usefixtures("symbolic_sizes")
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_answers_in_json(
    command: str, trained: Callable[[str], Path], lstmdrop: Callable[..., Any], tmp_path: Path
) -> None:
    places = {"RUN": str(trained("lm")), "OUT": str(tmp_path / "out"), "TEXT": "the cat sees a dog"}
    words = [places.get(word, word) for word in command.split()]
    outcome = lstmdrop(*words, *([] if "--format" in words else ["--json"]))
    assert outcome.code == 0, outcome.messages
    assert outcome.output.strip()
    try:
        strict(outcome.output)
    except json.JSONDecodeError:  # an object a line
        for line in outcome.output.splitlines():
            strict(line)


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan")])
def test_scores_of_a_model_that_diverged_are_kept_and_read(
    value: float, trained: Callable[[str], Path], tmp_path: Path, lstmdrop: Callable[..., Any]
) -> None:
    """In the result, the log and the state; shown by every command."""
    old = Run(trained("lm"))
    run = Run.create(tmp_path / "run", old.config())
    result = old.result()
    for row in result["scores"]:
        row["value"] = value
    run.finish(result)
    score = {"name": "perplexity", "value": value, "higher_is_better": False, "signature": ""}
    event = {"event": "evaluated", "step": 3, "epoch": 1, "split": "valid", "scores": [score], "training_loss": value}
    run.record(event)
    for name in ("result.json", "log.jsonl"):
        strict((run.directory / name).read_text(encoding="utf-8"))
    assert [repr(row["value"]) for row in run.result()["scores"]] == [repr(value)] * len(result["scores"])
    summary = read_summary(run.directory)
    assert {repr(entry.score.value) for entry in summary.scores} == {repr(value)}
    assert repr(read_curves(run.directory).validation[0]) == repr(value)
    for shown in ("table", "json", "html"):
        outcome = lstmdrop("report", run.directory, "--format", shown)
        assert outcome.code == 0, outcome.messages
        assert str(value) in outcome.output
    kept = Progress(best=(Score(**{**score, "value": str(value)}),)).as_json()  # as a checkpoint has it
    assert repr(Progress.from_json(kept).best[0].value) == repr(value)
