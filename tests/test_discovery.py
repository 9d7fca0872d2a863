"""Tasks are found without being imported; a wrong name is answered with the nearest right one."""

from __future__ import annotations

import builtins
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import lstmdrop_tasks
from lstmdrop.errors import ConfigError, UsageError
from lstmdrop.plugin import deferred, find_preset, installed_tasks, load_plugin, sizes


@pytest.fixture
def foreign_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A second distribution's folder of tasks."""
    root = tmp_path / "site" / "lstmdrop_tasks"
    root.mkdir(parents=True)
    monkeypatch.syspath_prepend(tmp_path / "site")
    list(lstmdrop_tasks.__path__)  # a namespace looks at sys.path anew when it is asked
    before = set(sys.modules)
    yield root
    for name in set(sys.modules) - before:
        if name.startswith("lstmdrop_tasks."):
            del sys.modules[name]


def test_every_folder_of_the_namespace_is_a_task_also_from_another_distribution(foreign_root: Path) -> None:
    before = installed_tasks()
    (foreign_root / "chess").mkdir()
    (foreign_root / "chess" / "__init__.py").write_text("raise RuntimeError('imported')\n")
    (foreign_root / "notes.py").write_text("")
    assert installed_tasks() == sorted([*before, "chess"])  # and it was not imported


@pytest.mark.slow
def test_listing_tasks_imports_none_of_them() -> None:
    code = (
        "import sys; from lstmdrop.plugin import installed_tasks; assert 'lm' in installed_tasks();"
        "print([name for name in sys.modules if name.startswith('lstmdrop_tasks.') or name == 'torch'])"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.strip() == "[]"


@pytest.mark.slow
@pytest.mark.parametrize("task", installed_tasks())
def test_loading_a_task_imports_nothing_heavy(task: str) -> None:
    """And what the toolkit calls of it stands in its PLUGIN all the same."""
    code = (
        f"import sys; from lstmdrop.plugin import load_plugin; plugin = load_plugin({task!r});"
        "assert callable(plugin.build) and callable(plugin.predict);"
        "print({'torch', 'numpy', 'sacrebleu', 'jiwer', 'sentencepiece', 'soundfile', 'PIL'} & set(sys.modules))"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.strip() == "set()"


def test_deferred_functions_are_imported_when_they_are_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "slow_part.py").write_text("def double(number, *, more=0):\n    return 2 * number + more\n")
    monkeypatch.syspath_prepend(tmp_path)
    at_once = builtins.__import__
    with deferred():
        from slow_part import double, missing  # type: ignore[import-not-found]
    assert builtins.__import__ is at_once
    assert "slow_part" not in sys.modules
    assert double(3, more=1) == 7
    assert "slow_part" in sys.modules
    with pytest.raises(AttributeError, match="missing"):
        missing()
    del sys.modules["slow_part"]


def test_what_another_thread_imports_meanwhile_is_imported() -> None:
    found: list[object] = []

    def elsewhere() -> None:
        from statistics import fmean

        found.append(fmean([1, 2]))

    thread = threading.Thread(target=elsewhere)
    with deferred():
        thread.start()
        thread.join()
    assert found == [1.5]


def test_an_error_within_the_block_ends_it() -> None:
    at_once = builtins.__import__
    with pytest.raises(ZeroDivisionError), deferred():
        _ = 1 / 0
    assert builtins.__import__ is at_once


def test_a_fifth_task_of_another_distribution_adds_its_options_to_train_and_eval(
    foreign_root: Path, lstmdrop: Callable[..., Any], toy_corpus: Path, toy_settings: list[str], tmp_path: Path
) -> None:
    (foreign_root / "echo").mkdir()
    (foreign_root / "echo" / "__init__.py").write_text(FIFTH)
    out = tmp_path / "run"
    trained = lstmdrop(
        "train", "echo", "--data", toy_corpus, "--size", "tiny", "--rounds", 1, "--fewest", "1", "--out", out,
        settings=[setting for setting in toy_settings if "min_count" not in setting and "epochs" not in setting],
    )  # fmt: skip
    assert trained.code == 0, trained.messages
    config = json.loads((out / "config.json").read_text())
    assert (config["training"]["epochs"], config["data"]["min_count"], config["task"]) == (1, 1, "echo")
    assert "--rounds N" in lstmdrop("train", "echo", "--help").output
    assert "--rounds" not in lstmdrop("train", "lm", "--help").output + lstmdrop("train", "--help").output
    evaluated = "eval", "echo", "--run", out, "--split", "valid"
    one = lstmdrop(*evaluated, "--fewest", 1)
    assert one.code == 0, one.messages
    assert one.output == lstmdrop(*evaluated).output
    assert "--fewest" in lstmdrop(*evaluated, "--help").output
    refused = lstmdrop(*evaluated, "--rounds", 2)  # what was trained cannot be chosen after
    assert (refused.code, "--rounds" in refused.messages) == (2, True)
    assert lstmdrop("train", "lm", "--rounds", 1).code == 2


def test_a_named_option_gives_way_to_set(
    foreign_root: Path, lstmdrop: Callable[..., Any], toy_corpus: Path, toy_settings: list[str], tmp_path: Path
) -> None:
    (foreign_root / "echo").mkdir()
    (foreign_root / "echo" / "__init__.py").write_text(FIFTH)
    planned = lstmdrop(
        "train", "--dry-run", "--rounds", 7, "--data", toy_corpus, "echo", settings=[*toy_settings, "training.epochs=3"]
    )
    assert planned.code == 0, planned.messages
    assert " in 3 epochs" in planned.output


FIFTH = """
from dataclasses import replace
from lstmdrop.plugin import TaskOption
from lstmdrop_tasks.lm import PLUGIN as LM

class EchoConfig(LM.config):
    task: str = "echo"

PLUGIN = replace(
    LM,
    name="echo",
    config=EchoConfig,
    options=(
        TaskOption("--rounds", "training.epochs", "Passes over the text.", "N"),
        TaskOption("--fewest", "data.min_count", "How often a word must come.", "N"),
    ),
    scoring_settings=("decoding", "data.min_count"),
)
"""


def test_a_task_that_is_not_installed_is_refused_with_the_nearest_and_all_names() -> None:
    with pytest.raises(UsageError, match=r"no task 'lmm'.*did you mean 'lm'\?.*installed: .*lm"):
        load_plugin("lmm")


def test_a_folder_without_plugin_is_refused(foreign_root: Path) -> None:
    (foreign_root / "empty").mkdir()
    (foreign_root / "empty" / "__init__.py").write_text("PLUGIN = 3\n")
    with pytest.raises(UsageError, match="task 'empty': its package defines no PLUGIN"):
        load_plugin("empty")


def test_sizes_are_the_presets_and_another_one_is_refused_with_the_nearest() -> None:
    plugin = load_plugin("lm")
    assert {"tiny", "small", "medium", "large"} <= set(sizes(plugin))
    for size in sizes(plugin):
        assert find_preset(plugin, size)
    with pytest.raises(ConfigError, match=r"lm has no size 'larg'.*did you mean 'large'\?.*sizes: .*medium"):
        find_preset(plugin, "larg")
    with pytest.raises(ConfigError, match="no size"):
        find_preset(plugin, "../presets/large")
