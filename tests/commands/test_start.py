"""A run that begins with the weights of a trained one: what it takes over, what it needs, and what tells of it."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lstmdrop.commands.average import average
from lstmdrop.commands.publish import publish
from lstmdrop.commands.train import train
from lstmdrop.dry_run import plan
from lstmdrop.errors import ConfigError, DataError, LstmdropError, UsageError
from lstmdrop.plugin import installed_tasks, load_plugin
from lstmdrop.report.paper import TABLE_1
from lstmdrop.report.runs import read_summary
from lstmdrop.report.scores import setting, telling_settings
from lstmdrop.report.tables import run_table
from lstmdrop.run import Run
from lstmdrop.settings import default_name
from lstmdrop.start import started_config
from lstmdrop.training.checkpoint import read_checkpoint
from lstmdrop.training.progress import Started, Stepped

STILL = ("training.optimizer=sgd", "training.rate=1e-30", "training.epochs=1")
"""Steps that move no weight."""

Outcome = Any


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def weights(run: Path) -> dict[str, torch.Tensor]:
    return dict(read_checkpoint(run / "best.safetensors").tensors)


def are_equal(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(value, second[name]) for name, value in first.items())


def scores(run: Path) -> list[dict[str, Any]]:
    return list(json.loads((run / "result.json").read_text())["scores"])


@pytest.mark.parametrize("task", installed_tasks())
def test_without_a_step_that_counts_it_is_the_run_that_it_began_with(
    task: str, trained: Callable[[str], Path], tmp_path: Path
) -> None:
    """To the last digit and signature, where the data is the same: and it needs no setting to be named again."""
    source = trained(task)
    out = train(task, start=source, overrides=STILL, out=tmp_path / "run").directory
    assert are_equal(weights(out), weights(source))
    assert scores(out) == scores(source)
    left = set(load_plugin(task).assets_for_training)
    ours, theirs = files(out / "assets"), files(source / "assets")
    assert {name: ours[name] for name in theirs if name not in left} == {
        name: content for name, content in theirs.items() if name not in left
    }
    row = {name: value for name, value, *_ in run_table(read_summary(out)).rows}
    assert row["start"] == read_summary(out).start == f"{task}-tiny-{Path(read_summary(source).data).name}"


@pytest.fixture
def other(make_corpus: Callable[..., Path]) -> Path:
    """Another text, with some words of its own."""
    folder = make_corpus("other", seed=7)
    text = (folder / "train.txt").read_text(encoding="utf-8")
    (folder / "train.txt").write_text(text.replace("moon", "planet"), encoding="utf-8")
    return folder


def test_on_other_data_it_keeps_its_vocabulary_and_says_what_that_lacks(
    trained: Callable[[str], Path], other: Path, tmp_path: Path
) -> None:
    source, told = trained("lm"), dict[str, str]()

    def listener(event: object) -> None:
        if isinstance(event, Started):
            told.update(event.summary)

    run = train("lm", start=source, data=other, regularizer="variational", out=tmp_path / "run", listener=listener)
    assert files(run.assets) == files(source / "assets")
    num_lacking = (other / "train.txt").read_text(encoding="utf-8").count("planet")
    num_tokens = len((other / "train.txt").read_text(encoding="utf-8").replace("\n", " <eos> ").split())
    assert num_lacking > 0
    assert told["not known"].startswith(f"{num_lacking} of {num_tokens} training tokens")
    assert str(source) in told["start"]
    config = run.config()
    assert (config["data"]["name"], config["regularizer"]["rule"]) == (str(other), "variational")
    assert config["start"]["run"] == str(source)
    summary = read_summary(run.directory)
    assert setting(summary, "start") != setting(read_summary(source), "start") == "no"
    assert not any(row.target and row.target.matches(summary) for row in TABLE_1.rows)
    assert "start" in telling_settings([summary, read_summary(source)])


def test_it_ends_alike_from_a_copy_interrupted_and_with_its_start_gone(
    trained: Callable[[str], Path], other: Path, tmp_path: Path
) -> None:
    """The same seed and the same weights give the same weights, wherever these lay."""
    moved = Path(shutil.copytree(trained("lm"), tmp_path / "moved"))
    fixed = partial(train, "lm", data=other, seed=5, overrides=["training.kernel=native"], device="cpu")
    fixed(start=trained("lm"), out=tmp_path / "first")

    def stop(event: object) -> None:
        if isinstance(event, Stepped) and event.step == 4:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(KeyboardInterrupt):
        fixed(start=moved, out=tmp_path / "second", listener=stop)
    shutil.rmtree(moved)
    fixed(start=moved, out=tmp_path / "second", resume=True)
    assert are_equal(weights(tmp_path / "first"), weights(tmp_path / "second"))
    results = [json.loads((tmp_path / name / "result.json").read_text()) for name in ("first", "second")]
    assert results[0]["config_sha256"] == results[1]["config_sha256"]
    with pytest.raises(ConfigError, match=r"began with .*moved, whose weights are not those of"):
        fixed(start=tmp_path / "second", out=tmp_path / "second", resume=True)
    with pytest.raises(ConfigError, match="began from scratch"):
        train("lm", start=tmp_path / "first", out=trained("lm"), resume=True)


def test_killed_before_its_first_checkpoint_it_begins_again(trained: Callable[[str], Path], tmp_path: Path) -> None:
    run = tmp_path / "run"
    source = Path(shutil.copytree(trained("lm"), tmp_path / "source"))
    config = started_config(load_plugin("lm"), source, None, None, None, None, None, STILL)
    Run.create(run, config.model_dump(mode="json"))  # all that a kill leaves
    (run / "assets" / "vocabulary.json").write_text("{")
    train("lm", start=source, out=run, resume=True)
    assert are_equal(weights(run), weights(source))


def test_where_its_start_has_become_another_it_does_not_begin_again(
    trained: Callable[[str], Path], tmp_path: Path
) -> None:
    source = Path(shutil.copytree(trained("lm"), tmp_path / "source"))
    run = Run.create(
        tmp_path / "run",
        started_config(load_plugin("lm"), source, None, None, None, None, None, STILL).model_dump(mode="json"),
    )
    changed = Run(source).load_best()
    name, value = next(iter(changed.tensors.items()))
    Run(source).save_best(type(changed)({**changed.tensors, name: value + 1}, changed.values))
    with pytest.raises(DataError, match="has other weights than when this run was begun"):
        train("lm", out=run.directory, resume=True)


@pytest.mark.parametrize(
    ("task", "override", "told"),
    [
        ("lm", "model.hidden_size=9", "model.hidden_size: 8 there, 9 here"),
        ("lm", "data.min_count=2", "data.min_count: 1 there, 2 here"),
        ("mt", "data.joint=true", "data.joint: False there, True here"),
        ("asr", "model.stack=4", "model.stack: 3 there, 4 here"),
        ("caption", "model.architecture=show-tell", "model.architecture: attend there, show-tell here"),
    ],
)
def test_what_belongs_to_the_weights_cannot_be_another(
    task: str, override: str, told: str, trained: Callable[[str], Path], tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=told):
        train(task, start=trained(task), overrides=[override], out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_start_that_is_none_is_refused_in_a_line(trained: Callable[[str], Path], tmp_path: Path) -> None:
    source = Path(shutil.copytree(trained("lm"), tmp_path / "source"))
    unweighted = Path(shutil.copytree(source, tmp_path / "unweighted"))
    (unweighted / "best.safetensors").unlink()
    damaged = Path(shutil.copytree(source, tmp_path / "damaged"))
    (damaged / "best.safetensors").write_bytes((source / "best.safetensors").read_bytes()[:-9])
    bare = Path(shutil.copytree(source, tmp_path / "bare"))
    shutil.rmtree(bare / "assets")
    refused: list[tuple[str, Path, type[LstmdropError], str]] = [
        ("lm", tmp_path / "nowhere", DataError, "is not a run"),
        ("mt", source, UsageError, "this is a run of lm, not of mt"),
        ("lm", unweighted, DataError, "there are no weights in it"),
        ("lm", damaged, DataError, "is damaged"),
        ("lm", bare, DataError, "assets is empty"),
    ]
    for task, start, kind, reason in refused:
        with pytest.raises(kind, match=reason):
            train(task, start=start, out=tmp_path / "run")
    with pytest.raises(UsageError, match="is where the new run would be: --resume goes on with it"):
        train("lm", start=source, out=source)
    assert not (tmp_path / "run").exists()
    assert files(source) == files(trained("lm"))


def test_translators_start_in_their_own_direction(trained: Callable[[str], Path], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"data\.pair = fr-en: the run that this one starts from translates en-fr"):
        train("mt", start=trained("mt"), overrides=["data.pair=fr-en"], out=tmp_path / "run")


def test_how_other_data_is_read_is_not_as_it_was_there(toy_pairs: Path, toys: Any, tmp_path: Path) -> None:
    """A table of other columns: the pair of languages stays, which the run itself remembers."""
    french = {"one": "un", "cat": "chat", "red": "rouge", "sees": "voit", "house": "maison"}
    sentences = list(itertools.permutations(french, 4))
    rows = [(" ".join(words), " ".join(french[word] for word in words)) for words in sentences]
    table = tmp_path / "table.tsv"
    table.write_text("".join(f"{n}\t{one}\t{other}\n" for n, (one, other) in enumerate(rows)), encoding="utf-8")
    settings = [*toys["mt"][1], "training.epochs=1", "data.columns=2,3"]
    first = train("mt", size="tiny", data=table, overrides=settings, out=tmp_path / "first").directory
    config = started_config(load_plugin("mt"), first).model_dump()
    assert (config["data"]["columns"], config["data"]["pair"]) == ((2, 3), "en-fr")
    second = train("mt", start=first, data=toy_pairs, overrides=STILL, out=tmp_path / "second")
    assert (second.config()["data"]["columns"], second.config()["data"]["pair"]) == (None, None)
    assert "pair.txt" in files(second.assets)


def test_a_speech_model_is_not_given_features_of_another_size(
    trained: Callable[[str], Path], toy_speech: Path, tmp_path: Path
) -> None:
    narrow = Path(shutil.copytree(toy_speech, tmp_path / "narrow"))
    for path in narrow.glob("*.npy"):
        np.save(path, np.load(path)[:, :4])
    with pytest.raises(DataError, match=r"its features are 4 numbers a frame, and those of the run .* 6"):
        train("asr", start=trained("asr"), data=narrow, out=tmp_path / "run")


def test_a_captioner_goes_on_to_its_second_stage(trained: Callable[[str], Path], tmp_path: Path) -> None:
    config = started_config(
        load_plugin("caption"), trained("caption"), None, None, None, None, None, ["objective=self-critical"]
    )
    assert (config.model_dump()["objective"], config.model_dump()["start_from"]) == ("self-critical", None)
    with pytest.raises(ConfigError, match="names a run already"):
        train("caption", start=trained("caption"), overrides=[f"start_from={tmp_path}"], out=tmp_path / "run")


@pytest.mark.slow
def test_killed_it_goes_on_to_the_same_weights(trained: Callable[[str], Path], other: Path, tmp_path: Path) -> None:
    settings = ["training.kernel=native", "training.save_minutes=0", "training.epochs=4"]
    whole = train("lm", start=trained("lm"), data=other, overrides=settings, out=tmp_path / "whole", device="cpu")
    command = ["train", "lm", "--from", trained("lm"), "--data", other, "--out", tmp_path / "run", "--device", "cpu"]
    command += [part for setting in settings for part in ("--set", setting)]
    process = subprocess.Popen(
        [sys.executable, "-m", "lstmdrop", *map(str, command)], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    while process.poll() is None and not (tmp_path / "run" / "previous.safetensors").exists():
        time.sleep(0.001)
    process.kill()
    process.wait()
    assert process.returncode == -signal.SIGKILL, "the process ended before it was killed"
    train("lm", out=tmp_path / "run", resume=True, device="cpu")
    assert are_equal(weights(tmp_path / "run"), weights(whole.directory))
    assert (tmp_path / "run" / "result.json").exists()


def test_from_a_published_model_it_is_the_same_run(trained: Callable[[str], Path], other: Path, tmp_path: Path) -> None:
    published = publish(trained("lm"), to=tmp_path / "published")
    runs = [
        train(
            "lm",
            start=start,
            data=other,
            overrides=["training.epochs=1", "training.kernel=native"],
            out=tmp_path / name,
        )
        for name, start in (("first", trained("lm")), ("second", published))
    ]
    assert are_equal(weights(runs[0].directory), weights(runs[1].directory))
    assert runs[0].result()["config_sha256"] == runs[1].result()["config_sha256"]


def test_an_average_with_such_a_run_is_no_plain_one(trained: Callable[[str], Path], tmp_path: Path) -> None:
    second = train("lm", start=trained("lm"), overrides=STILL, seed=2, out=tmp_path / "second").directory
    average("lm", tmp_path / "average", runs=[trained("lm"), second])
    assert read_summary(tmp_path / "average").start == "no+lm-tiny-toy"


def test_a_plan_tells_it_and_trains_nothing(trained: Callable[[str], Path], other: Path) -> None:
    plugin, source = load_plugin("lm"), trained("lm")
    before = files(source)
    config = started_config(plugin, source, None, other)
    planned = plan(plugin, config, "cpu")
    assert str(source) in planned["start"]
    assert "training tokens" in planned["not known"]
    assert files(source) == before
    assert default_name(config.model_dump()) == "lm-tiny-other-from-lm-tiny-toy-s1"


def test_on_the_command_line_it_is_from(
    lstmdrop: Callable[..., Outcome], trained: Callable[[str], Path], tmp_path: Path
) -> None:
    outcome = lstmdrop("train", "lm", "--from", trained("lm"), "--out", tmp_path / "run", settings=STILL)
    assert outcome.code == 0
    assert "best weights of" in outcome.messages
    preset = tmp_path / "run" / "config.json"  # a preset is settings alone
    again = lstmdrop("train", "lm", "--preset", preset, "--dry-run")
    assert again.code == 0
    assert "best weights of" not in again.output
    assert lstmdrop("train", "lm", settings=["start.run=x"]).code == ConfigError.exit_code
