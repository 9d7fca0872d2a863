"""Laws of what ``eval`` scores: which data, which split, how much of it, under which settings."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lstmdrop.commands.evaluate import evaluate, load_tasks, open_runs, tune
from lstmdrop.commands.report import load_runs
from lstmdrop.errors import ConfigError, DataError, LstmdropError, UsageError
from lstmdrop.metrics.score import Score
from lstmdrop.plugin import load_plugin
from lstmdrop.result import SCORED_SPLITS

Toys = dict[str, tuple[str, list[str]]]
Trained = Callable[[str], Path]
Command = Callable[..., Any]

TASKS = ("lm", "mt", "asr", "caption")
COUNTS = {"lm": ("tokens", 0), "mt": ("segments", 6), "asr": ("lines", 5), "caption": ("images", 5)}
"""Of each task's toy test split: what is counted, and how many there are; of lm, all tokens but the first."""


def in_one_piece(task: str, data: str, folder: Path, name: str = "mine") -> Path:
    """The test split of the toy data as one text, table, manifest or file of captions."""
    source = Path(data)
    if task == "lm":
        return Path(shutil.copy(source / "test.txt", folder / f"{name}.txt"))
    if task == "mt":
        sides = [(source / f"test.{language}").read_text().splitlines() for language in ("en", "fr")]
        lines = [f"{english}\t{french}" for english, french in zip(*sides, strict=True)]
    elif task == "asr":
        entries = map(json.loads, (source / "test.jsonl").read_text().splitlines())
        lines = [json.dumps({**entry, "features": str(source / entry["features"])}) for entry in entries]
    else:
        entries = (
            entry
            for line in source.read_text(encoding="utf-8").splitlines()
            if (entry := json.loads(line))["split"] == "test"
        )
        lines = [
            json.dumps({"image": str(source.parent / entry["image"]), "captions": entry["captions"]})
            for entry in entries
        ]
    piece = folder / f"{name}.{'tsv' if task == 'mt' else 'jsonl'}"
    piece.write_text("".join(f"{line}\n" for line in lines))
    return piece


def values(scores: Any) -> dict[str, float]:
    return {score.name: pytest.approx(score.value, rel=1e-5) for score in scores}


@pytest.mark.parametrize("task", TASKS)
def test_data_in_one_piece_is_the_split_that_is_asked_for_whole(
    task: str, trained: Trained, toys: Toys, tmp_path: Path
) -> None:
    run, piece = trained(task), in_one_piece(task, toys[task][0], tmp_path)
    expected = evaluate(task, runs=[run])
    for split in ("test", "valid"):
        scores = evaluate(task, runs=[run], data=str(piece), split=split)
        assert {score.name: score.value for score in scores} == values(expected)
    unit, number = COUNTS[task]
    found = scores[0].counts[unit]
    assert found == (number or sum(len(line.split()) + 1 for line in piece.read_text().splitlines()) - 1)


@pytest.mark.parametrize("task", TASKS)
def test_data_in_one_piece_is_no_two_splits(task: str, trained: Trained, toys: Toys, tmp_path: Path) -> None:
    run, piece = trained(task), in_one_piece(task, toys[task][0], tmp_path)
    plugin = load_plugin(task)
    tasks = load_tasks(plugin, open_runs(task, [run]), "cpu", str(piece), None, scored=SCORED_SPLITS)
    with pytest.raises(UsageError, match="in one piece and cannot be both valid and test"):
        plugin.evaluate(tasks, "test")  # as eval --out does
    if plugin.tune is not None:
        with pytest.raises(UsageError, match="in one piece and cannot be both valid and test"):
            tune(task, runs=[run], data=str(piece), split="valid", scored="test")


@pytest.mark.parametrize("task", ["lm", "mt", "asr"])
def test_of_a_folder_only_the_split_that_is_scored_need_be_there(
    task: str, trained: Trained, toys: Toys, tmp_path: Path
) -> None:
    for path in Path(toys[task][0]).glob("test*"):
        shutil.copy(path, tmp_path)
    scores = evaluate(task, runs=[trained(task)], data=str(tmp_path))
    assert {score.name: score.value for score in scores} == values(evaluate(task, runs=[trained(task)]))
    with pytest.raises(DataError, match="valid") as refused:
        evaluate(task, runs=[trained(task)], data=str(tmp_path), split="valid")
    assert "test" in str(refused.value)  # what it holds


def test_a_file_that_names_its_splits_is_scored_on_the_one_that_is_asked_for(
    trained: Trained, toys: Toys, tmp_path: Path
) -> None:
    run, source = trained("caption"), Path(toys["caption"][0])
    lines = [line for line in source.read_text(encoding="utf-8").splitlines() if '"test"' in line]
    alone = source.parent / "only-test.jsonl"
    alone.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    assert values(evaluate("caption", runs=[run], data=str(alone))) == values(evaluate("caption", runs=[run]))
    with pytest.raises(DataError, match=r"valid has 0 images with captions, .*; it holds test"):
        evaluate("caption", runs=[run], data=str(alone), split="valid")


@pytest.mark.parametrize("task", TASKS)
def test_eval_says_how_many_it_scored(task: str, lstmdrop: Command, trained: Trained, tmp_path: Path) -> None:
    unit, number = COUNTS[task]
    scored = lstmdrop("eval", task, "--run", trained(task), "--json")
    counts = json.loads(scored.output)[0]["counts"]
    assert re.search(rf"^scored on test: .*\b{counts[unit]:,} {unit}\b", scored.messages, re.MULTILINE)
    assert number in (0, counts[unit])


def test_a_signature_says_its_counts() -> None:
    score = Score("bleu", 1.0, True, "nrefs:1|tok:13a|segments:1200|length:0.6|refs:5-5|words:x")
    assert score.counts == {"segments": 1200}


@pytest.mark.parametrize(
    ("task", "setting"),
    [
        ("lm", "training.batch_size=2"), ("mt", "model.hidden_size=4"), ("asr", "features.normalisation=speaker"),
        ("caption", "regularizer.rule=zoneout"), ("mt", "seed=3"), ("mt", "data={max_length=3}"),
        ("asr", "data.name=x"),
    ],
)  # fmt: skip
def test_eval_takes_no_setting_that_is_not_about_scoring(task: str, setting: str, trained: Trained) -> None:
    for verb in (evaluate, tune) if task in ("mt", "asr") else (evaluate,):
        with pytest.raises(ConfigError, match=f"--set {setting.partition('=')[0]}.*: eval {task} does not take it"):
            verb(task, runs=[trained(task)], overrides=[setting])


def test_what_eval_does_not_take_is_refused_with_what_it_takes(trained: Trained) -> None:
    with pytest.raises(ConfigError, match=r"it takes .*decoding\.length_penalty"):
        evaluate("mt", runs=[trained("mt")], overrides=["training.epochs=3"])
    with pytest.raises(ConfigError, match=r"did you mean 'decoding\.beam_size'"):
        evaluate("mt", runs=[trained("mt")], overrides=["decoding.beamsize=3"])


@pytest.mark.parametrize(
    ("task", "setting", "part"),
    [
        ("mt", "decoding.beam_size=2", "beam:2"), ("mt", "decoding.length_penalty=0.3", "length:0.3"),
        ("caption", "decoding.max_length=3", "max_length:3"), ("asr", "decoding.beam_size=2", "decoding:beam2"),
        ("asr", "decoding.length_bonus=0.5", "length_bonus:0.5"),
    ],
)  # fmt: skip
def test_a_setting_that_changes_a_score_stands_in_its_signature(
    task: str, setting: str, part: str, trained: Trained
) -> None:
    assert part in evaluate(task, runs=[trained(task)], overrides=[setting])[0].signature.split("|")


@pytest.mark.parametrize("task", ["mt", "asr"])
def test_settings_that_were_chosen_on_a_split_are_marked_with_it(
    task: str, lstmdrop: Command, trained: Trained
) -> None:
    for split in ("valid", "test"):
        rows = json.loads(lstmdrop("eval", task, "--run", trained(task), "--tune-on", split, "--json").output)
        assert all(row["signature"].endswith(f"|tuned:{split}") for row in rows)
    assert all("tuned" not in score.signature for score in evaluate(task, runs=[trained(task)]))


def test_tuning_does_not_overrule_what_was_set(trained: Trained) -> None:
    with pytest.raises(UsageError, match=r"--tune-on chooses decoding\.length_penalty: leave it out of --set"):
        tune("mt", runs=[trained("mt")], overrides=["decoding.length_penalty=0.123"])


def test_scoring_the_training_file_itself_is_warned_of(
    trained: Trained, toys: Toys, caplog: pytest.LogCaptureFixture
) -> None:
    evaluate("caption", runs=[trained("caption")], data=toys["caption"][0])
    assert "is what was trained on" in caplog.text


@pytest.mark.parametrize("value", [5, "x", None, True, [], {}, [1]])
def test_a_run_whose_files_were_changed_by_hand_is_named_in_a_line(
    value: object, lstmdrop: Command, trained: Trained, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(trained("mt"), tmp_path / "run"))
    config, result = (json.loads((run / name).read_text()) for name in ("config.json", "result.json"))
    for key in ("data", "model", "task", "decoding"):
        if value != {}:  # of a section, that is the defaults
            (run / "config.json").write_text(json.dumps({**config, key: value}))
            refused = lstmdrop("eval", "mt", "--run", run)
            assert (refused.code in (2, 4), len(refused.messages.splitlines())) == (True, 1), refused
            assert str(run) in refused.messages
            assert lstmdrop("report", run, "--format", "json").code in (0, 4)
    (run / "config.json").write_text(json.dumps(config))
    for key in ("scores", "seed", "data"):
        if value != {"seed": 5, "data": "x", "scores": []}.get(key):
            (run / "result.json").write_text(json.dumps({**result, key: value}))
            for verb in (["report", run], ["compare", run, trained("mt")]):
                refused = lstmdrop(*verb)
                assert refused.code == 4
                assert "result.json" in refused.messages
    assert load_runs(trained("mt")) != []
    with pytest.warns(UserWarning, match=r"left out: .*result\.json"):
        assert load_runs(run) == []


def test_data_that_is_nothing_is_refused(trained: Trained, tmp_path: Path) -> None:
    for task in TASKS:
        with pytest.raises(LstmdropError):
            evaluate(task, runs=[trained(task)], data=str(tmp_path))


@pytest.mark.parametrize("verb", ["predict", "export"])
def test_without_weights_nothing_is_said_but_scores(
    trained: Callable[[str], Path], lstmdrop: Callable[..., Any], tmp_path: Path, verb: str
) -> None:
    """The outputs that a run kept give its scores again; a fresh network in place of the weights would say anything."""
    run = shutil.copytree(trained("lm"), tmp_path / "run")
    (run / "best.safetensors").unlink()
    command = {"predict": ["predict", "lm", "--score", "--text", "the cat"], "export": ["export", "lm"]}[verb]
    outcome = lstmdrop(*command, "--run", run)
    assert outcome.code == 4
    assert "best.safetensors does not exist" in outcome.messages
    assert outcome.output == ""
    assert lstmdrop("eval", "lm", "--run", run).code == 0
