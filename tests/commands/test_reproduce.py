from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lstmdrop.commands.report import report
from lstmdrop.commands.reproduce import plan_reproduction, reproduce
from lstmdrop.errors import ConfigError, UsageError
from lstmdrop.plugin import installed_tasks, load_plugin
from lstmdrop.reproduction.grid import PACKAGED, cells, choose, read_grid
from lstmdrop.reproduction.plan import Planned, experiment_sha256, in_words, plan_table, time_left
from lstmdrop.reproduction.runner import CellEnded, CellStarted
from lstmdrop.settings import resolve_config

ROOT = Path(__file__).parents[2]
FAST = "training.epochs=1"


def write_grid(path: Path, data: Path, settings: list[str], **changes: Any) -> Path:
    entry: dict[str, Any] = {
        "name": "toy", "task": "lm", "data": str(data), "size": "tiny", "set": [*settings, FAST], "seeds": 1,
        "minutes": 2,
    }  # fmt: skip
    lines = [f"{key} = {as_toml(value)}" for key, value in (entry | changes).items()]
    path.write_text("[[experiment]]\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return path


def as_toml(value: Any) -> str:
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{key} = {as_toml(part)}' for key, part in value.items())} }}"
    return f"[{', '.join(map(as_toml, value))}]" if isinstance(value, list) else json.dumps(value)


@pytest.fixture
def toy_settings(toy_settings: list[str]) -> list[str]:
    """Without the rule, which the grid chooses."""
    return [setting for setting in toy_settings if not setting.startswith("regularizer.rule")]


@pytest.fixture
def grid(tmp_path: Path, toy_corpus: Path, toy_settings: list[str]) -> Path:
    return write_grid(tmp_path / "grid.toml", toy_corpus, toy_settings)


def states(planned: list[Planned]) -> list[str]:
    return [one.state for one in planned]


def planned_at(grid: Path, tmp_path: Path, **choices: Any) -> list[Planned]:
    return plan_reproduction(grid=grid, out=tmp_path / "out", archive=tmp_path / "archive", **choices)


def test_the_packaged_grid_holds_the_four_pairs_and_fits_a_night() -> None:
    grid = read_grid()
    cpu = choose(grid)
    assert {experiment.task for experiment in cpu} == {"lm", "mt", "asr", "caption"}
    assert all({rule.rule for rule in experiment.rules} >= {"none", "zaremba"} for experiment in cpu)
    assert {experiment.name: experiment.seeds for experiment in cpu} == {
        "lm-ptb": 2, "lm-demo": 3, "mt-multi30k": 3, "asr-frames": 3, "asr-an4": 3, "caption-flickr8k": 3,
    }  # fmt: skip
    assert sum(60 * (cell.experiment.minutes or 0) for cell in cells(cpu)) / 2 < 8 * 3600  # on two cores
    assert set(choose(grid, budget="full")) > set(cpu)


def test_every_packaged_experiment_of_an_installed_task_resolves() -> None:
    for cell in cells(choose(read_grid(), budget="full")):
        experiment = cell.experiment
        if experiment.task in installed_tasks():
            plugin = load_plugin(experiment.task)
            choices = (experiment.size, experiment.data, cell.rule.rule, cell.seed, None, cell.overrides)
            assert resolve_config(plugin, *choices).task == experiment.task
            assert experiment.data in {dataset.name for dataset in plugin.datasets}


def test_the_committed_results_are_found_by_their_configuration() -> None:
    """Whatever their folders are called, and whatever rate a run without dropout was given."""
    planned = plan_reproduction(["lm-ptb"], out=ROOT / "no such folder", archive=ROOT / "docs/results", num_seeds=1)
    assert states(planned) == ["done", "done"]
    assert {one.cell.rule.rule for one in planned} == {"none", "zaremba"}


ONE = "[[experiment]]\nname = 'a'\ntask = 'lm'\ndata = 'demo'\nsize = 'tiny'\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[experiment]]\nname = 'a'\n", "experiment.0.task"),
        ("[[experiment]]\nname = 'a'\ntask = 'lm'\ndata = 'demo'\nsize = 'tiny'\nseed = 3\n", "no setting"),
        ("[[experiment]\n", "cannot be read"),
        ("[[experiment]]\nname = '../a'\ntask = 'lm'\ndata = 'demo'\nsize = 'tiny'\n", r"experiment.0.name = '../a'"),
        (ONE + "rules = [{ rule = 'zarembe' }]\n", "experiment.0.rules.0.rule = 'zarembe'"),
        (ONE + "rules = [{ rule = 'naive' }, { rule = 'naive' }]\n", "two are named 'naive'"),
        (ONE * 2, "two experiments are named 'a'"),
        (
            ONE + "rules = [{ rule = 'none', tries = [['seed=1']] }, { rule = 'naive' }]\n",
            "not the same number of tries",
        ),
        (ONE + "seeds = 3\naverage = [4]\n", "from 2 to its 3 seeds"),
    ],
)
def test_a_wrong_grid_is_refused_with_its_name(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "grid.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=said) as refused:
        read_grid(path)
    assert str(path) in str(refused.value)


def test_an_unknown_experiment_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'lm-ptb'"):
        choose(read_grid(PACKAGED), ["lm-pbt"])


def test_a_table_stands_for_its_experiments_within_the_budget() -> None:
    grid = read_grid(PACKAGED)
    assert [one.name for one in choose(grid, ["table1"])] == ["lm-ptb"]
    assert [one.name for one in choose(grid, ["table1"], "full")] == [
        "lm-ptb", "lm-ptb-average", "lm-ptb-medium", "lm-ptb-large", "lm-ptb-medium-average", "lm-ptb-large-average",
    ]  # fmt: skip
    assert [one.name for one in choose(grid, ["rules"], "full")] == ["rules-demo", "rules-ptb"]
    assert [one.name for one in choose(grid, ["lm-ptb", "table1"])] == ["lm-ptb"]
    assert {one.table for one in choose(grid, budget="full")} == {None, 1, 2, 3, 4}
    with pytest.raises(UsageError, match="table9"):
        choose(grid, ["table9"])


def test_what_does_not_change_the_weights_does_not_change_the_identity(toy_settings: list[str]) -> None:
    plugin = load_plugin("lm")

    def identity(rule: str, *overrides: str) -> str:
        return experiment_sha256(resolve_config(plugin, "tiny", None, rule, 1, None, [*toy_settings, *overrides]))

    assert identity("none") == identity("none", "regularizer.dropout=0.3", "training.log_every=3")
    assert identity("zaremba") != identity("zaremba", "regularizer.dropout=0.3")
    assert identity("none") != identity("none", "training.clip=4")
    assert identity("none") != identity("none", "seed=2")


@pytest.mark.slow
def test_only_what_is_missing_is_run_and_a_failure_stops_nothing(
    tmp_path: Path, toy_corpus: Path, toy_settings: list[str]
) -> None:
    rules = '[{ rule = "none" }, { rule = "zaremba", set = ["data.name=/no/such/place"], label = "lost" }]'
    grid = write_grid(tmp_path / "grid.toml", toy_corpus, toy_settings)
    grid.write_text(grid.read_text() + f"rules = {rules}\n")
    assert states(planned_at(grid, tmp_path)) == ["missing", "missing"]
    events: list[object] = []
    choices: dict[str, Any] = {"grid": grid, "out": tmp_path / "out", "archive": tmp_path / "archive"}
    done = reproduce(**choices, jobs=2, keep_in=tmp_path / "archive", listener=events.append)
    assert states(list(done.planned)) == ["done", "missing"]
    assert [end.planned.cell.name for end in done.failed] == ["toy/lost-s1"]
    assert "/no/such/place" in done.failed[0].message
    log = tmp_path / "out/toy/lost-s1.txt"
    log.write_text("lstmdrop: of an earlier try\n" + log.read_text())
    assert "earlier" not in reproduce(**choices).failed[0].message
    assert sum(isinstance(event, CellStarted) for event in events) == 2
    assert sum(isinstance(event, CellEnded) for event in events) == 2
    (kept,) = done.collected
    assert kept == tmp_path / "archive/toy/none-s1"
    assert sorted(path.name for path in kept.iterdir()) == [
        "config.json", "examples.jsonl", "log.jsonl", "log_probs.npz", "result.json", "valid"
    ]  # fmt: skip
    shutil.rmtree(tmp_path / "out")
    assert states(planned_at(grid, tmp_path)) == ["done", "missing"]  # found in the archive
    assert (planned_at(grid, tmp_path)[1].seconds or 0) < 60  # measured, not the guess of two minutes


@pytest.mark.slow
def test_a_run_that_two_experiments_share_is_kept_once(grid: Path, tmp_path: Path) -> None:
    text = grid.read_text(encoding="utf-8")
    grid.write_text(text + text.replace('"toy"', '"again"'), encoding="utf-8")
    archive = tmp_path / "archive"
    choices: dict[str, Any] = {"grid": grid, "out": tmp_path / "out", "archive": archive, "keep_in": archive}
    first = reproduce(["toy"], **choices)
    again = reproduce(["again"], **choices)
    assert [path.relative_to(archive).parts[0] for path in first.collected] == ["toy", "toy"]
    assert states(list(again.planned)) == ["done", "done"]
    assert again.collected == ()
    assert not (archive / "again").exists()
    elsewhere = reproduce(["again"], **{**choices, "archive": first.planned[0].directory.parent})
    assert elsewhere.collected == ()  # the folder that copies go to is looked through, wherever the archive is


def test_a_broken_run_goes_on_where_it_lies(grid: Path, tmp_path: Path) -> None:
    from lstmdrop.commands.train import train

    class StopError(Exception):
        pass

    def stop(event: object) -> None:
        if type(event).__name__ == "Validating":
            raise StopError

    (none, _) = planned_at(grid, tmp_path)
    experiment = none.cell.experiment
    elsewhere = tmp_path / "out/another name"
    with pytest.raises(StopError):
        train(
            "lm", size=experiment.size, data=experiment.data, regularizer="none", seed=1,
            overrides=none.cell.overrides, out=elsewhere, listener=stop,
        )  # fmt: skip
    (none, zaremba) = planned_at(grid, tmp_path)
    assert (none.state, none.directory) == ("resume", elsewhere)
    assert (zaremba.state, zaremba.directory) == ("missing", tmp_path / "out/toy/zaremba-s1")


@pytest.mark.slow
def test_when_it_is_stopped_the_runs_write_their_checkpoints_and_end(
    tmp_path: Path, toy_corpus: Path, toy_settings: list[str]
) -> None:
    slow = [setting for setting in toy_settings if "epochs" not in setting]
    grid = write_grid(tmp_path / "grid.toml", toy_corpus, slow)
    grid.write_text(grid.read_text().replace(FAST, "training.epochs=100000") + 'rules = [{ rule = "none" }]\n')
    words = [sys.executable, "-m", "lstmdrop", "reproduce", "--grid", str(grid), "--out", str(tmp_path / "out")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path) as process:
        wait_for(tmp_path / "out/toy/none-s1/last.safetensors")
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"the same command goes on from here" in said
    (one,) = planned_at(grid, tmp_path)
    assert one.state == "resume"
    steps = json.loads((one.directory / "last.json").read_text())["step"]
    time.sleep(0.5)
    assert json.loads((one.directory / "last.json").read_text())["step"] == steps  # nobody trains on


def wait_for(path: Path) -> None:
    for _ in range(600):
        if path.exists():
            return
        time.sleep(0.1)
    pytest.fail(f"{path} did not appear")


def test_a_folder_of_another_configuration_is_left_alone(grid: Path, tmp_path: Path) -> None:
    taken = tmp_path / "out/toy/none-s1"
    taken.mkdir(parents=True)
    (taken / "notes.txt").write_text("mine")
    (none, _) = planned_at(grid, tmp_path)
    assert none.state == "missing"
    assert none.directory.name.startswith("none-s1-")


def test_a_task_that_is_not_installed_is_named_and_nothing_is_run(
    tmp_path: Path, toy_corpus: Path, toy_settings: list[str]
) -> None:
    grid = write_grid(tmp_path / "grid.toml", toy_corpus, toy_settings, task="juggling")
    planned = planned_at(grid, tmp_path)
    assert states(planned) == ["impossible", "impossible"]
    assert "no task 'juggling'" in "".join(note.text for note in plan_table(planned).notes)
    assert reproduce(grid=grid, out=tmp_path / "out", archive=tmp_path / "archive").ended == ()


def test_the_plan_adds_up_the_time_of_what_is_open(grid: Path, tmp_path: Path) -> None:
    planned = planned_at(grid, tmp_path, num_seeds=3)
    assert len(planned) == 6
    assert time_left(planned) == "12 min"
    assert time_left(planned, jobs=4) == "3 min"
    unknown = [replace(one, seconds=None) for one in planned]
    assert time_left(unknown) == "unknown"
    assert time_left([*planned[:2], *unknown[:1]]) == "at least 4 min"
    table = plan_table(planned, jobs=2)
    assert table.rows == (("toy", "", 6, 0, 0, 6, "12 min"),)
    assert table.notes[0].text == "time left: 6 min with 2 at a time"
    assert [in_words(seconds) for seconds in (0, 59, 59.6, 600, 7500)] == [
        "0 s",
        "59 s",
        "1 min",
        "10 min",
        "2 h 05 min",
    ]


@pytest.fixture
def contest(tmp_path: Path, toy_corpus: Path, toy_settings: list[str]) -> Path:
    """Two rules with two settings each, the second without a rate that lets anything be learnt."""
    tries = {
        "none": [["training.rate=1e-9"], ["training.rate=0.5"]],
        "zaremba": [["regularizer.dropout=0.1"], ["regularizer.dropout=0.1", "training.rate=1e-9"]],
    }
    rules = [{"rule": rule, "tries": settings} for rule, settings in tries.items()]
    return write_grid(tmp_path / "grid.toml", toy_corpus, toy_settings, seeds=2, average=[2], rules=rules)


def test_what_waits_for_tries_or_members_comes_after_them(contest: Path, tmp_path: Path) -> None:
    planned = planned_at(contest, tmp_path)
    names = [one.cell.name.removeprefix("toy/") for one in planned]
    assert names == [
        "tries/none-1", "tries/none-2", "tries/zaremba-1", "tries/zaremba-2", "none-s1", "zaremba-s1", "none-s2",
        "zaremba-s2", "none-average-2", "zaremba-average-2",
    ]  # fmt: skip
    assert states(planned) == [*["missing"] * 4, *["waiting"] * 6]
    assert [one.is_open and not one.is_ready for one in planned] == [*[False] * 4, *[True] * 6]
    assert planned[0].cell.seed == 0
    assert planned_at(contest, tmp_path, num_seeds=1)[-1].cell.name == "toy/zaremba-s1"  # no average of one


@pytest.mark.slow
def test_settings_are_chosen_on_validation_and_averages_made_of_what_they_gave(contest: Path, tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    choices: dict[str, Any] = {"grid": contest, "out": tmp_path / "out", "archive": archive, "keep_in": archive}
    done = reproduce(**choices)
    assert set(states(list(done.planned))) == {"done"}
    by_name = {one.cell.name.removeprefix("toy/"): one for one in done.planned}
    assert by_name["none-s1"].overrides[-1] == "training.rate=0.5"
    assert by_name["zaremba-s2"].overrides[-1] == "regularizer.dropout=0.1"
    assert json.loads((archive / "toy/none-average-2/result.json").read_text())["num_models"] == 2
    tries = [json.loads(line) for line in (archive / "toy/tries.jsonl").read_text().splitlines()]
    assert [(one["rule"], one["set"][-1]) for one in tries][:2] == [
        ("none", "training.rate=1e-9"), ("none", "training.rate=0.5"),
    ]  # fmt: skip
    assert all(one["valid"]["name"] == "perplexity" and one["seed"] == 0 for one in tries)
    told = report([tmp_path / "out"])
    assert {run.seed for run in told.runs} == {1, 2}  # none of seed 0, which chose
    assert told.problems == (f"{tmp_path / 'out'}: 4 runs in folders 'tries', which are there to choose settings",)
    assert len(report([tmp_path / "out/toy/tries"]).runs) == 4  # asked for, they are shown
    assert reproduce(**choices).collected == ()
    shutil.rmtree(tmp_path / "out")
    assert set(states(planned_at(contest, tmp_path))) == {"done"}  # all of it found in the archive
    before = scores_of(archive / "toy/none-average-2")
    shutil.rmtree(archive / "toy/none-average-2")
    again = reproduce(**choices)  # made of log-probabilities, there are no weights any more
    (kept,) = again.collected
    assert scores_of(kept) == pytest.approx(before, rel=1e-6)


@pytest.mark.slow
def test_an_average_of_other_members_is_not_taken_for_the_one_that_is_asked_for(
    tmp_path: Path, toy_corpus: Path, toy_settings: list[str]
) -> None:
    def made(*settings: str) -> list[float]:
        grid = write_grid(
            tmp_path / "grid.toml",
            toy_corpus,
            [*toy_settings, *settings],
            seeds=2,
            average=[2],
            rules=[{"rule": "none"}],
        )
        archive = tmp_path / "archive"
        done = reproduce(grid=grid, out=tmp_path / "out", archive=archive, keep_in=archive)
        assert set(states(list(done.planned))) == {"done"}
        return scores_of(done.planned[-1].directory)

    first, other = made(), made("training.rate=0.1")
    assert first != other
    assert made() == first
    assert made("training.rate=0.1") == other
    assert len(list((tmp_path / "archive/toy").glob("none-average-2*"))) == 2


def scores_of(folder: Path) -> list[float]:
    return [row["value"] for row in json.loads((folder / "result.json").read_text())["scores"]]
