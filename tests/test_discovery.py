"""Tasks are found without being imported; a wrong name is answered with the nearest right one."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import lstmdrop_tasks
from lstmdrop.discovery import find_preset, installed_tasks, load_plugin, sizes
from lstmdrop.errors import ConfigError, UsageError


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
        "import sys; from lstmdrop.discovery import installed_tasks; assert 'lm' in installed_tasks();"
        "print([name for name in sys.modules if name.startswith('lstmdrop_tasks.') or name == 'torch'])"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.strip() == "[]"


@pytest.mark.slow
def test_loading_a_task_imports_no_torch() -> None:
    code = "import sys; from lstmdrop.discovery import load_plugin; load_plugin('lm'); print('torch' in sys.modules)"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.strip() == "False"


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
