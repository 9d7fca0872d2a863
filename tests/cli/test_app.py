"""The command line keeps its contract: exit codes, plain messages, results alone on standard output."""

from __future__ import annotations

import json
import math
import re
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., Any]


@pytest.fixture
def training(toy_corpus: Path, toy_settings: list[str]) -> list[str]:
    """The arguments of a toy training."""
    settings = [*toy_settings, "training.epochs=1"]
    given = [part for setting in settings for part in ("--set", setting)]
    return ["train", "lm", "--size", "tiny", "--data", str(toy_corpus), *given]


@pytest.fixture(scope="module")
def finished(toy_corpus: Path, toy_settings: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was trained; not to be changed."""
    from lstmdrop import train

    out = tmp_path_factory.mktemp("runs") / "finished"
    return train("lm", size="tiny", data=str(toy_corpus), overrides=toy_settings, out=out).directory


def test_training_prints_its_scores_alone_and_writes_what_it_promises(
    lstmdrop: Command, training: list[str], tmp_path: Path
) -> None:
    outcome = lstmdrop(*training, "--out", tmp_path / "run", "--seed", 3)
    assert outcome.code == 0
    valid, test = outcome.output.splitlines()
    assert re.fullmatch(r"valid perplexity \d+\.\d{4}", valid)
    assert re.fullmatch(r"test perplexity \d+\.\d{4}", test)
    assert str(tmp_path / "run") in outcome.messages
    assert "\x1b" not in outcome.messages  # a pipe gets no control characters
    names = {path.name for path in (tmp_path / "run").iterdir()}
    promised = {
        "config.json",
        "log.jsonl",
        "result.json",
        "last.safetensors",
        "last.json",
        "best.safetensors",
        "assets",
    }
    assert promised <= names
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert [f"{score['split']} {score['name']} {score['value']:.4f}" for score in result["scores"]] == [valid, test]
    assert (result["task"], result["size"], result["seed"], result["regularizer"]) == ("lm", "tiny", 3, "zaremba")
    fields = "num_parameters train_seconds tokens_per_second epochs version git torch device config_sha256 data_sha256"
    assert set(fields.split()) <= result.keys()
    again = lstmdrop("eval", "lm", "--run", tmp_path / "run")
    assert again.output.startswith(f"{test}  tokens:")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["trian", "lm"], 2, "trian"),
        (["train"], 2, "TASK"),
        (["train", "lm", "--nonsense"], 2, "--nonsense"),
        (["train", "lmm"], 2, "no task 'lmm'; did you mean 'lm'?"),
        (["predict", "lmm"], 2, "no task 'lmm'"),
        (["train", "lm", "--device", "abacus"], 2, "abacus"),
        (["train", "lm", "--device", "meta"], 2, "--device meta"),
        (["train", "lm", "--seed", "-1"], 2, "--seed"),
        (["train", "lm", "--seed", "4294967297"], 2, "--seed 4294967297 is no seed: they go from 0 to 4294967295"),
        (["train", "lm", "--seed", "18446744073709551616"], 2, "from 0 to 4294967295"),
        (["predict", "lm", "--seed", "18446744073709551616"], 3, "from 0 to 4294967295"),
        (["eval", "lm", "--split", "tset"], 2, "no split 'tset': one of train, valid, test"),
        (["train", "lm", "--size", "larg"], 3, "did you mean 'large'?"),
        (["train", "lm", "--set", "training.rat=1"], 3, "did you mean 'training.rate'?"),
        (["train", "lm", "--set", "training.rate=fast"], 3, "training.rate = 'fast'"),
        (["train", "lm", "--set", "training.accumulate=3"], 3, "accumulate = 3 does not divide batch_size = 20"),
        (["train", "lm", "--set", "training.rate"], 3, "write section.field=value"),
        (["train", "lm", "--regularizer", "zarembra"], 3, "'zaremba'"),
        (["train", "lm", "--preset", "nowhere.toml"], 3, "nowhere.toml"),
        (["predict", "lm", "--temperature", "0"], 3, "temperature"),
        (["train", "lm", "--data", "nowhere/text"], 4, "nowhere/text"),
        (["eval", "lm", "--run", "nowhere"], 4, "nowhere is not a run"),
        (["eval", "lm"], 4, "train one with 'lstmdrop train lm'"),
        (["predict", "lm", "--prompt", "the"], 4, "no finished run of lm"),
    ],
)
def test_a_mistake_is_named_in_plain_lines_with_its_exit_code(
    lstmdrop: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = lstmdrop(*arguments)
    assert outcome.code == code
    assert message in outcome.messages
    assert outcome.output == ""
    assert "Traceback" not in outcome.messages


def test_the_list_of_datasets_has_the_demo_of_every_task(lstmdrop: Command, tmp_path: Path) -> None:
    rows = [line.split() for line in lstmdrop("data", "list", "--data-dir", tmp_path).output.splitlines()]
    assert {tuple(row[:4]) for row in rows} >= {("lm", "demo", "built", "in"), ("mt", "demo", "built", "in")}


@pytest.mark.parametrize("verb", ["prepare", "verify"])
def test_of_a_built_in_dataset_there_is_nothing_to_fetch(lstmdrop: Command, tmp_path: Path, verb: str) -> None:
    outcome = lstmdrop("data", verb, "demo", "--data-dir", tmp_path)
    assert (outcome.code, outcome.output) == (0, "")
    assert re.fullmatch("demo is built in.*nothing to fetch\n", outcome.messages)


def test_what_is_refused_leaves_no_run_behind(
    lstmdrop: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for mistake in (["--set", "a.b=1"], ["--size", "x"], ["--data", "nowhere"], ["--device", "abacus"]):
        assert lstmdrop("train", "lm", *mistake).code != 0
        assert list(tmp_path.iterdir()) == [], mistake  # or the corrected command would be refused


@pytest.mark.parametrize("verb", ["train", "eval"])
def test_a_mistake_among_a_tasks_options_points_to_the_help_that_has_them(lstmdrop: Command, verb: str) -> None:
    messages = lstmdrop(verb, "mt", "--pear", "en-fr").messages.splitlines()
    assert messages[0] == f"Usage: lstmdrop {verb} mt [OPTIONS]"
    assert messages[1].startswith(f"Try 'lstmdrop {verb} mt -")
    assert "--pair" in messages[-1]
    assert f"Try 'lstmdrop {verb} -" in lstmdrop(verb, "--pear").messages


def test_a_damaged_checkpoint_is_named(lstmdrop: Command, finished: Path, tmp_path: Path) -> None:
    run = tmp_path / "damaged"
    shutil.copytree(finished, run)
    path = run / "best.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    for verb in ("eval", "predict"):
        outcome = lstmdrop(verb, "lm", "--run", run)
        assert outcome.code == 4
        assert f"{path} is damaged" in outcome.messages
        assert len(outcome.messages.splitlines()) <= 2


def test_a_run_that_overflows_ends_with_1_and_says_where(
    lstmdrop: Command, training: list[str], tmp_path: Path
) -> None:
    outcome = lstmdrop(
        *training, "--set", "training.rate=1e37", "--set", "training.clip=1e30", "--out", tmp_path / "run"
    )
    assert outcome.code == 1
    assert re.search(r"^lstmdrop: step \d+: .*not finite", outcome.messages, re.MULTILINE)
    assert "Traceback" not in outcome.messages


@pytest.mark.parametrize("position", ["before", "after"])
def test_debug_shows_the_traceback_and_keeps_the_exit_code(lstmdrop: Command, position: str) -> None:
    verb = ["train", "lm", "--size", "larg"]
    outcome = lstmdrop(*(["--debug", *verb] if position == "before" else [*verb, "--debug"]))
    assert outcome.code == 3
    assert "Traceback (most recent call last)" in outcome.messages
    assert "did you mean 'large'?" in outcome.messages


def test_a_bound_that_was_missed_ends_with_6_after_the_score(lstmdrop: Command, finished: Path) -> None:
    kept = lstmdrop("eval", "lm", "--run", finished, "--fail-under", "1e9")
    missed = lstmdrop("eval", "lm", "--run", finished, "--fail-under", "1")
    assert lstmdrop("eval", "lm", "--run", finished, "--fail-under", "nan").code == 2
    assert (kept.code, missed.code) == (0, 6)
    assert kept.output == missed.output != ""
    assert "is over the bound 1" in missed.messages


def test_json_is_json_and_says_what_the_plain_form_says(lstmdrop: Command, finished: Path) -> None:
    (score,) = json.loads(lstmdrop("eval", "lm", "--run", finished, "--split", "valid", "--json").output)
    plain = lstmdrop("eval", "lm", "--run", finished, "--split", "valid").output
    assert plain == f"valid perplexity {score['value']:.4f}  {score['signature']}\n"
    facts = json.loads(lstmdrop("info", "--json").output)
    assert {"lstmdrop", "python", "torch", "device"} <= facts.keys()
    sampled = ["predict", "lm", "--run", finished, "--prompt", "the cat", "--length", 5, "--num-samples", 2]
    sampled += ["--ban", "<eos>"]  # a line each
    lines = [json.loads(line) for line in lstmdrop(*sampled, "--json").output.splitlines()]
    assert [line["text"] for line in lines] == lstmdrop(*sampled).output.splitlines()
    assert len(lines) == 2
    assert all(len(line["tokens"]) == 5 for line in lines)


@pytest.fixture
def pipe_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[bytes], None]]:
    """Makes something standard input."""
    with ExitStack() as stack:

        def pipe(content: bytes) -> None:
            (tmp_path / "input").write_bytes(content)
            monkeypatch.setattr(sys, "stdin", stack.enter_context((tmp_path / "input").open(encoding="utf-8")))

        yield pipe


def test_lines_of_standard_input_are_scored(
    lstmdrop: Command, finished: Path, pipe_in: Callable[[bytes], None]
) -> None:
    pipe_in("\ufeffthe cat sees the moon\r\n\nnobody knows".encode())  # a mark of some editors, and no last line end
    outcome = lstmdrop("predict", "lm", "--run", finished, "--score", "--json")
    assert outcome.code == 0
    found = [json.loads(line) for line in outcome.output.splitlines()]
    assert [line["tokens"] for line in found] == [
        ["the", "cat", "sees", "the", "moon", "<eos>"],
        ["<eos>"],
        ["nobody", "<unk>", "<eos>"],
    ]
    for line in found:
        assert line["log_prob"] == pytest.approx(math.fsum(line["token_log_probs"]))
        assert line["log_prob"] < 0


def test_a_run_predicts_without_the_data_it_was_trained_on(
    lstmdrop: Command, finished: Path, toy_corpus: Path, tmp_path: Path
) -> None:
    run = tmp_path / "moved"
    shutil.copytree(finished, run)
    config = (run / "config.json").read_text()
    (run / "config.json").write_text(config.replace(json.dumps(str(toy_corpus)), '"/nowhere/text"'))
    assert lstmdrop("predict", "lm", "--run", run).output == lstmdrop("predict", "lm", "--run", finished).output != ""
    outcome = lstmdrop("eval", "lm", "--run", run)
    assert outcome.code == 4
    assert "/nowhere/text" in outcome.messages
    assert lstmdrop("eval", "lm", "--run", run, "--data", toy_corpus).code == 0


def test_a_split_is_scored_where_the_others_are_missing(
    lstmdrop: Command, finished: Path, toy_corpus: Path, tmp_path: Path
) -> None:
    shutil.copy(toy_corpus / "test.txt", tmp_path)
    alone = lstmdrop("eval", "lm", "--run", finished, "--data", tmp_path, "--split", "test")
    assert alone.output == lstmdrop("eval", "lm", "--run", finished).output != ""
    missing = lstmdrop("eval", "lm", "--run", finished, "--data", tmp_path, "--split", "valid")
    assert missing.code == 4
    assert f"{tmp_path / 'valid.txt'}: no such file" in missing.messages


def test_options_of_a_prediction_arrive(lstmdrop: Command, finished: Path) -> None:
    sampled = ["predict", "lm", "--run", finished, "--length", 60, "--json", "--seed", 0]
    first = lstmdrop(
        *sampled, "--ban", "the", "--ban", "<eos>", "--temperature", "2.5", "--top-k", 12, "--top-p", "0.95"
    )
    assert first.code == 0
    tokens = json.loads(first.output)["tokens"]
    assert len(tokens) == 60
    assert not {"the", "<eos>"} & set(tokens)
    assert len(set(tokens)) > 3
    greedy = json.loads(lstmdrop(*sampled, "--top-k", 1).output)["tokens"]
    assert greedy == json.loads(lstmdrop(*sampled[:-1], 9, "--top-k", 1).output)["tokens"]


def test_a_dry_run_trains_nothing_and_leaves_nothing(
    lstmdrop: Command, training: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = lstmdrop(*training, "--dry-run", "--out", tmp_path / "run")
    assert outcome.code == 0
    assert list(tmp_path.iterdir()) == []
    rows = dict(re.split(r"\s{2,}", line.strip(), maxsplit=1) for line in outcome.output.splitlines())
    vocabulary = int(rows["vocabulary"].split()[0])
    assert rows["parameters"] == f"{vocabulary * 8 + 2 * 4 * (8 * 8 + 8 * 8 + 8 + 8) + vocabulary * 9:,}"
    tokens = int(rows["train"].split()[0])
    assert rows["steps"].startswith(f"{math.ceil((tokens // 4 - 1) / 5)} an epoch")


def test_without_a_name_the_newest_finished_run_is_used(
    lstmdrop: Command, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(finished, tmp_path / "runs" / "some-run")
    assert lstmdrop("eval", "lm").output == lstmdrop("eval", "lm", "--run", finished).output != ""


def test_a_run_of_another_task_is_refused(lstmdrop: Command, finished: Path, tmp_path: Path) -> None:
    run = tmp_path / "other"
    shutil.copytree(finished, run)
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps({**config, "task": "mt"}))
    outcome = lstmdrop("eval", "lm", "--run", run)
    assert (outcome.code, outcome.output) == (2, "")
    assert "is a run of mt, not of lm" in outcome.messages


@pytest.mark.parametrize("no_color", [False, True])
def test_no_color_is_kept_on_a_terminal(
    lstmdrop: Command, training: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_color: bool
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # as if standard error were a terminal
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    if no_color:
        monkeypatch.setenv("NO_COLOR", "1")
    outcome = lstmdrop(*training, "--out", tmp_path / "run")
    coloured = re.search(r"\x1b\[[0-9;]*(3[0-9]|9[0-7]|4[0-9])[0-9;]*m", outcome.messages)
    assert outcome.code == 0
    assert "\x1b" not in outcome.output
    assert bool(coloured) != no_color


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["eval", "--help"], ["data", "--help"]])
def test_help_names_what_there_is(lstmdrop: Command, arguments: list[str]) -> None:
    outcome = lstmdrop(*arguments)
    assert outcome.code == 0
    assert outcome.output.startswith("Usage: ")
    assert "--help" in outcome.output
    assert outcome.messages == ""


def test_help_of_a_prediction_shows_the_tasks_own_options(lstmdrop: Command) -> None:
    outcome = lstmdrop("predict", "lm", "--help")
    assert outcome.code == 0
    for option in ("--prompt", "--temperature", "--top-k", "--top-p", "--ban", "--num-samples", "--score", "--json"):
        assert option in outcome.output


@pytest.mark.slow
def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom lstmdrop.cli import main\ntry:\n    main(['--help'])\nexcept SystemExit: pass\n"
        "print(sorted({'torch', 'numpy', 'rich', 'pydantic', 'safetensors'} & set(sys.modules)), file=sys.stderr)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stderr.strip() == "[]"
    assert "train" in ended.stdout


@pytest.mark.slow
def test_help_takes_less_than_three_tenths_of_a_second() -> None:
    taken = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "lstmdrop", "--help"], capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        taken.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(taken) < 0.3


def test_version_is_the_installed_one(lstmdrop: Command) -> None:
    from importlib.metadata import version

    assert lstmdrop("--version").output == f"{version('lstmdrop')}\n"


def test_standard_input_that_is_closed_is_said_to_be(
    lstmdrop: Command, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    outcome = lstmdrop("predict", "lm", "--run", finished, "--score")
    assert outcome.code == 2
    assert "standard input is closed" in outcome.messages


def test_standard_input_that_is_not_utf8_is_refused_with_its_line(
    lstmdrop: Command, finished: Path, pipe_in: Callable[[bytes], None]
) -> None:
    pipe_in(b"the cat\ncaf\xe9\n")
    outcome = lstmdrop("predict", "lm", "--run", finished, "--score")
    assert outcome.code == 4
    assert "standard input:2: byte 0xe9 is not UTF-8" in outcome.messages
