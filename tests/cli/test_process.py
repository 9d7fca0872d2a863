"""The process around a command, as a real one: what stops it, and what it writes under any locale."""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from lstmdrop.training.interruption import SIGNALS, Interruption, interrupt

pytestmark = pytest.mark.slow

INTERRUPTED_BY_AN_IMPORT = """
import os, sys
module, number, *arguments = sys.argv[1:]

class Interrupts:
    def find_spec(self, name, path=None, target=None):
        if name == module:
            os.kill(os.getpid(), int(number))

sys.meta_path.insert(0, Interrupts())
sys.argv[1:] = arguments
from lstmdrop.cli import main
main()
"""


@pytest.mark.parametrize(
    ("number", "module", "arguments"),
    [
        *((number, "typer", ["--help"]) for number in SIGNALS),
        *((number, "torch._C", ["eval", "lm"]) for number in SIGNALS),  # raised within its C++ code, it would abort
        (signal.SIGINT, "lstmdrop.cli.app", ["--version"]),
        (signal.SIGTERM, "rich.console", ["train", "lm"]),
        (signal.SIGINT, "pydantic_core", ["reproduce", "--list"]),
        (signal.SIGINT, "pydantic", ["predict", "mt"]),
        (signal.SIGTERM, "numpy", ["train", "lm"]),
    ],
)
def test_stopped_while_something_is_imported_a_process_ends_quietly_with_130(
    tmp_path: Path, number: signal.Signals, module: str, arguments: list[str]
) -> None:
    command = [sys.executable, "-c", INTERRUPTED_BY_AN_IMPORT, module, str(int(number)), *arguments]
    ended = subprocess.run(command, capture_output=True, cwd=tmp_path)
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, b"", b"")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def interruptible() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, interrupt)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_import_in_the_middle_of_work_comes_to_its_end_before_the_work_is_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "large_part.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nwhole = True\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        import_and_wait("large_part")
    assert sys.modules.pop("large_part").whole


def import_and_wait(name: str) -> None:
    importlib.import_module(name)
    signal.pause()


ODD = os.fsdecode(b"caf\xc3\xa9 \xe9.txt")
"""A file name of which one byte is not UTF-8."""


@pytest.fixture(scope="module")
def accented(toy_settings: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a text that ASCII cannot write."""
    from lstmdrop import train

    folder = tmp_path_factory.mktemp("accented")
    for split, num_lines in (("train", 60), ("valid", 12), ("test", 12)):
        (folder / f"{split}.txt").write_text("été дом 家\n" * num_lines, encoding="utf-8")
    return train("lm", size="tiny", data=str(folder), overrides=toy_settings, out=folder / "run").directory


def run_in(locale: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[bytes]:
    variables = {
        name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG", "PYTHONUTF8"))
    }
    command = [sys.executable, "-m", "lstmdrop", *arguments]
    return subprocess.run(command, capture_output=True, env={**variables, **locale})


LOCALES = [
    {"PYTHONIOENCODING": "cp1252"},
    {"PYTHONIOENCODING": "latin-1:strict", "LC_ALL": "C.UTF-8"},
    {"PYTHONIOENCODING": "ascii"},
    {"LC_ALL": "C"},
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
]


@pytest.mark.parametrize("locale", LOCALES)
def test_messages_are_utf8_whatever_the_locale(locale: dict[str, str]) -> None:
    ended = run_in(locale, "report", ODD)
    assert ended.returncode == 4
    assert ended.stderr.decode("utf-8") == "lstmdrop: café \\udce9.txt: no such folder\n"


@pytest.mark.parametrize("locale", LOCALES[2:4])
def test_tables_are_utf8_whatever_the_locale(accented: Path, locale: dict[str, str]) -> None:
    ended = run_in(locale, "report", str(accented))
    assert ended.returncode == 0
    assert "±" in ended.stdout.decode("utf-8")


@pytest.mark.parametrize("locale", [LOCALES[0], LOCALES[-1]])
def test_arguments_are_read_and_predictions_written_as_utf8_whatever_the_locale(
    accented: Path, locale: dict[str, str]
) -> None:
    sampled = run_in(locale, "predict", "lm", "--run", str(accented), "--prompt", "été дом", "--ban", "<eos>", "--json")
    assert sampled.returncode == 0, sampled.stderr
    assert sampled.stdout.decode("utf-8").startswith('{"text": "été дом ')


WITHOUT_POSIX = """
import os, pkgutil, signal, sys
# have their own ways elsewhere
import jiwer, numpy, PIL.Image, platformdirs, pydantic, rich.progress, sacrebleu, safetensors.torch, sentencepiece
import soundfile, soxr, tempfile, torch.optim, typer
for name in ("fcntl", "grp", "pwd", "resource", "termios", "tty"):
    sys.modules[name] = None
for name in ("fork", "getuid", "geteuid", "killpg", "pread", "sched_getaffinity", "setsid", "uname"):
    delattr(os, name)
for name in ("SIGALRM", "SIGHUP", "SIGUSR1", "alarm", "pause", "pthread_kill", "setitimer"):
    delattr(signal, name)

def open_file(path, *others, really=os.open, **named):
    if os.path.isdir(path):
        raise PermissionError(13, "a folder", path)
    return really(path, *others, **named)

os.open = open_file

import lstmdrop, lstmdrop_tasks
for package in (lstmdrop, lstmdrop_tasks):
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not module.name.endswith("__main__"):
            __import__(module.name)

from lstmdrop.cli import main
out, data, *settings = sys.argv[1:]
train = ["train", "lm", "--size", "tiny", "--data", data, "--out", out, *(f"--set={one}" for one in settings)]
for arguments in (["data", "list"], ["data", "cache"], train, [*train, "--resume"], ["eval", "lm", "--run", out]):
    try:
        main(arguments)
    except SystemExit as end:
        if end.code:
            raise
"""


def test_without_what_only_posix_has_everything_imports_and_a_model_trains(
    toy_corpus: Path, toy_settings: list[str], tmp_path: Path
) -> None:
    """As on Windows, as far as can be tried elsewhere."""
    arguments = [str(tmp_path / "run"), str(toy_corpus), *toy_settings]
    ended = subprocess.run([sys.executable, "-c", WITHOUT_POSIX, *arguments], capture_output=True, encoding="utf-8")
    assert ended.returncode == 0, ended.stderr
    assert "ptb" in ended.stdout
    assert ended.stdout.splitlines()[-1].startswith("test perplexity")


def test_an_interruption_that_a_library_drops_is_remembered() -> None:
    """Where scoring is interrupted, the exception may come up in code that drops all errors."""
    with Interruption() as interruption:
        with suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        assert interruption.requested
        interruption.at_once = False
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
