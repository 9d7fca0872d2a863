"""Laws of completion: what a shell is offered is what there is, for the task that was named, and it comes at once."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest

from lstmdrop.config import SPLITS, RuleName
from lstmdrop.plugin import installed_tasks, load_plugin, sizes
from lstmdrop.presets import setting_names

Offered = Callable[..., list[str]]


@pytest.fixture
def offered(lstmdrop: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Offered:
    """What may stand in place of the last word, as Bash asks for it."""

    def ask(*words: str) -> list[str]:
        monkeypatch.setenv("_LSTMDROP_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", " ".join(["lstmdrop", *words]))
        monkeypatch.setenv("COMP_CWORD", str(len(words)))
        return [word for word in lstmdrop().output.split("\n") if word]

    return ask


@pytest.mark.parametrize("verb", ["train", "eval", "predict", "export", "bench"])
def test_tasks_are_those_that_are_installed(offered: Offered, verb: str) -> None:
    assert offered(verb, "") == installed_tasks()
    assert offered(verb, "l") == ["lm"]


@pytest.mark.parametrize("task", installed_tasks())
def test_sizes_datasets_and_settings_are_the_tasks_own(offered: Offered, task: str) -> None:
    plugin = load_plugin(task)
    assert sorted(offered("train", task, "--size", "")) == sizes(plugin)
    for verb in ("train", "eval"):
        assert {*offered(verb, task, "--data", "")} == {dataset.name for dataset in plugin.datasets}
    settings = {f"{name}=" for name in setting_names(plugin.config)}
    assert {*offered("train", task, "--set", "")} == settings
    assert {*offered("eval", task, "--set", "decoding.")} <= settings
    assert offered("eval", task, "--set", "training.") == []
    flags = {option.flag for option in plugin.options}
    assert flags & {*offered("train", task, "--")} == {
        option.flag for option in plugin.options if not option.setting.startswith("scoring.")
    }


def test_rules_splits_and_names_of_datasets(offered: Offered) -> None:
    assert offered("train", "lm", "--regularizer", "") == [*get_args(RuleName)]
    assert offered("train", "lm", "--regularizer", "zo") == ["zoneout"]
    assert offered("eval", "lm", "--split", "") == [*SPLITS]
    assert offered("data", "prepare", "wikitext") == ["wikitext-2", "wikitext-103"]


def test_a_path_that_was_begun_goes_on(offered: Offered, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "texts/inner").mkdir(parents=True)
    (tmp_path / "texts/.hidden").touch()
    (tmp_path / "texts/own.txt").touch()
    assert offered("train", "lm", "--data", "./te") == ["./texts/"]
    assert offered("train", "lm", "--data", "texts/") == ["texts/inner/", "texts/own.txt"]
    assert offered("train", "lm", "--data", f"{tmp_path}/texts/o") == [f"{tmp_path}/texts/own.txt"]
    assert offered("train", "lm", "--data", "nowhere/") == []


def test_the_shell_is_answered_without_torch_or_numpy() -> None:
    words = "lstmdrop train lm --size "
    ask = {"_LSTMDROP_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": "4"}
    program = (
        "import sys\nfrom lstmdrop.cli import main\n"
        "try: main([])\nfinally: print({'torch', 'numpy', 'rich'} & {*sys.modules}, file=sys.stderr)"
    )
    found = subprocess.run([sys.executable, "-c", program], env={**os.environ, **ask}, capture_output=True, text=True)
    assert sorted(found.stdout.split()) == sizes(load_plugin("lm"))
    assert found.stderr.strip() == "set()"
