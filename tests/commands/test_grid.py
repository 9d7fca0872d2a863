"""Laws of a grid's plan, on folders that look like runs: nothing is trained."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstmdrop.config import TaskConfig
from lstmdrop.plugin import load_plugin
from lstmdrop.reproduction.grid import Experiment, Grid, GridCell, Rule, cells, choose
from lstmdrop.reproduction.plan import Planned, experiment_sha256, plan, plan_table, time_left
from lstmdrop.reproduction.runner import collect
from lstmdrop.run import Run
from lstmdrop.settings import resolve_config

TOY = Experiment(name="toy", task="lm", data="demo", size="tiny", seeds=2, minutes=3)
PLAIN, DROPPED = TOY.rules


def config_of(rule: str = "none", seed: int = 1, *overrides: str) -> TaskConfig:
    return resolve_config(load_plugin("lm"), "tiny", "demo", rule, seed, overrides=overrides)


def write_run(folder: Path, config: TaskConfig, seconds: float | None = None, **files: str) -> Path:
    """Finished where it says how long it took."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config.model_dump(mode="json")))
    if seconds is not None:
        (folder / "result.json").write_text(json.dumps({"train_seconds": seconds}))
    for name, text in files.items():
        (folder / name.replace("_dot_", ".")).write_text(text)
    return folder


def states(planned: list[Planned]) -> list[str]:
    return [one.state for one in planned]


def test_all_rules_of_a_seed_come_before_the_next_seed() -> None:
    other = Experiment(
        name="other", task="lm", data="demo", size="tiny", seeds=1, rules=(Rule(rule="naive", label="x"),)
    )
    assert [cell.name for cell in cells([TOY, other])] == [
        "toy/none-s1", "toy/zaremba-s1", "toy/none-s2", "toy/zaremba-s2", "other/x-s1"
    ]  # fmt: skip
    assert [cell.name for cell in cells([TOY], 1)] == ["toy/none-s1", "toy/zaremba-s1"]
    assert len(list(cells([TOY], 5))) == 10


def test_a_rules_own_settings_come_after_its_experiments() -> None:
    experiment = TOY.model_copy(update={"set": ("seed=1",)})
    assert GridCell(experiment, Rule(rule="naive", set=("seed=2",)), 1).overrides == ("seed=1", "seed=2")


def test_an_experiment_that_is_named_is_taken_whatever_it_costs() -> None:
    dear = TOY.model_copy(update={"name": "dear", "budget": "full", "table": 2})
    grid = Grid(experiment=(TOY, dear))
    assert choose(grid) == [TOY]
    assert choose(grid, budget="full") == [TOY, dear]
    assert choose(grid, ["dear"]) == [dear]
    assert choose(grid, ["table2"]) == []
    assert choose(grid, ["dear", "toy", "dear"]) == [dear, TOY]


def test_a_run_is_found_by_what_it_computes_under_any_name(tmp_path: Path) -> None:
    done = write_run(tmp_path / "out" / "deep" / "x", config_of(), 60.0)
    going = write_run(tmp_path / "out" / "y", config_of("zaremba", 1, "training.log_every=9"))
    write_run(tmp_path / "out" / "z", config_of("zaremba", 2, "training.clip=9.5"), 60.0)
    (tmp_path / "out" / "broken").mkdir()
    (tmp_path / "out" / "broken" / "config.json").write_text("{")
    planned = plan(cells([TOY]), tmp_path / "out")
    assert states(planned) == ["done", "resume", "missing", "missing"]
    assert [one.directory for one in planned[:2]] == [done, going]
    assert planned[2].directory == tmp_path / "out" / "toy" / "none-s2"
    assert [one.is_open for one in planned] == [False, True, True, True]


def test_a_copy_in_the_archive_counts_before_the_run_itself_and_no_unfinished_one_there(tmp_path: Path) -> None:
    write_run(tmp_path / "out" / "x", config_of(), 60.0)
    kept = write_run(tmp_path / "archive" / "x", config_of(), 60.0)
    write_run(tmp_path / "archive" / "y", config_of("zaremba"))
    planned = plan(cells([TOY], 1), tmp_path / "out", [tmp_path / "archive"])
    assert (states(planned), planned[0].directory) == (["done", "missing"], kept)


def test_a_folder_that_is_taken_by_something_else_is_left_alone(tmp_path: Path) -> None:
    taken = write_run(tmp_path / "out" / "toy" / "none-s1", config_of("none", 7))
    (tmp_path / "out" / "toy" / "zaremba-s1").mkdir()
    first, second = plan(cells([TOY], 1), tmp_path / "out")
    assert first.directory == taken.with_name(f"none-s1-{experiment_sha256(config_of())[:8]}")
    assert second.directory == tmp_path / "out" / "toy" / "zaremba-s1", "an empty folder is free"


def test_time_is_that_of_the_same_rule_else_of_the_experiment_else_the_guess(tmp_path: Path) -> None:
    three = TOY.model_copy(update={"seeds": 4})
    assert [one.seconds for one in plan(cells([three], 1), tmp_path / "out")] == [180, 180]
    for seed, seconds in ((1, 10.0), (2, 40.0), (3, 100.0)):
        write_run(tmp_path / "out" / str(seed), config_of("none", seed), seconds)
    planned = {one.cell.name: one.seconds for one in plan(cells([three]), tmp_path / "out")}
    assert planned["toy/none-s1"] is None, "it is done"
    assert planned["toy/none-s4"] == planned["toy/zaremba-s1"] == 40.0
    write_run(tmp_path / "out" / "z", config_of("zaremba", 1), 7.0)
    planned = {one.cell.name: one.seconds for one in plan(cells([three]), tmp_path / "out")}
    assert (planned["toy/none-s4"], planned["toy/zaremba-s2"]) == (40.0, 7.0)
    other = three.model_copy(update={"name": "other", "set": ("training.clip=9.5",)})
    assert [one.seconds for one in plan(cells([three, other], 1), tmp_path / "out")][2:] == [180, 180]


@pytest.mark.parametrize(
    ("override", "is_same"),
    [
        ("training.log_every=9", True), ("training.save_minutes=1", True), ("training.rate=9", False),
        ("seed=2", False), ("model.hidden_size=3", False), ("regularizer.dropout=0.9", True),
    ],
)  # fmt: skip
def test_what_gives_the_same_weights_is_the_same_run(override: str, is_same: bool) -> None:
    assert (experiment_sha256(config_of("none", 1, override)) == experiment_sha256(config_of())) is is_same
    assert experiment_sha256(config_of("zaremba", 1, "regularizer.dropout=0.9")) != experiment_sha256(
        config_of("zaremba")
    )


def planned(seconds: float | None, state: Any = "missing", rule: Rule = PLAIN) -> Planned:
    return Planned(GridCell(TOY, rule, 1), state, Path("x"), seconds, "no such data" if state == "impossible" else "")


@settings(deadline=None)
@given(st.lists(st.integers(60, 9000), min_size=1, max_size=6), st.integers(1, 4))
def test_the_time_left_is_never_less_than_the_longest_run_or_an_equal_share(times: list[int], jobs: int) -> None:
    text = time_left([planned(float(seconds)) for seconds in times], jobs)
    words = text.split()
    hours, minutes = (int(words[0]), int(words[2])) if "h" in words else (0, int(words[0]))
    assert 60 * (60 * hours + minutes) == pytest.approx(max(sum(times) / jobs, *times), abs=30)


def test_the_table_says_what_is_done_open_and_impossible() -> None:
    def last(*some: Planned) -> tuple[Any, ...]:
        (row,) = plan_table(some).rows
        return row[2:]

    assert last(planned(None, "done"), planned(None, "done")) == (2, 2, 0, 0, "done")
    assert last(planned(60, "resume"), planned(None, "done"), planned(60)) == (3, 1, 1, 1, "2 min")
    assert last(planned(None, "impossible"), planned(None, "done")) == (2, 1, 0, 0, "cannot run here")
    assert last(planned(None, "impossible"), planned(60)) == (2, 0, 0, 1, "1 min")
    assert time_left([planned(None, "done")]) == "0 s"
    notes = [note.text for note in plan_table([planned(None, "impossible")] * 2).notes]
    assert notes[1:] == ["toy cannot run here: no such data"], "said once"


def test_a_finished_run_is_copied_once_without_what_only_its_machine_needs(tmp_path: Path) -> None:
    example = {"text": "le chat", "prompt": "p", "source": "the cat", "references": ["un chat"]}
    files = {"log_dot_jsonl": "{}\n", "examples_dot_jsonl": json.dumps(example) + "\n", "best_dot_safetensors": "x"}
    run = write_run(tmp_path / "out" / "none-s1", config_of(), 60.0, **files)
    done = replace(planned(None, "done"), directory=run)
    archive = tmp_path / "archive"
    assert collect([done, planned(60)], archive) == [archive / "toy/none-s1"]
    copied = {path.name for path in (archive / "toy/none-s1").iterdir()}
    assert copied == {"config.json", "result.json", "log.jsonl", "examples.jsonl"}
    kept = json.loads((archive / "toy/none-s1/examples.jsonl").read_text())
    assert kept == {"text": "le chat", "prompt": "p"}, "the data is left out"
    assert Run(archive / "toy/none-s1").result() == {"train_seconds": 60.0}
    assert collect([done], archive) == []
    assert collect([replace(done, directory=archive / "toy/none-s1")], archive) == []
