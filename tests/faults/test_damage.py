"""A damaged, missing or foreign file in each place of a run's folder: a right answer, or a word."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from faults.life import TRIED
from faults.notes import FaultMaker, times
from lstmdrop.commands.train import train

Toys = dict[str, tuple[str, list[str]]]
Command = Callable[..., Any]

FIRST = 3
"""Cases of each task in the short form; the long form has all."""


def cut(path: Path, other: Path, draw: random.Random) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path, other: Path, draw: random.Random) -> None:
    path.write_bytes(b"")


def change_a_byte(path: Path, other: Path, draw: random.Random) -> None:
    content = bytearray(path.read_bytes())
    content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    path.write_bytes(content)


def fill_with_noise(path: Path, other: Path, draw: random.Random) -> None:
    path.write_bytes(draw.randbytes(path.stat().st_size))


def take_away(path: Path, other: Path, draw: random.Random) -> None:
    path.unlink()


def make_a_folder(path: Path, other: Path, draw: random.Random) -> None:
    path.unlink()
    path.mkdir()


def swap(path: Path, other: Path, draw: random.Random) -> None:
    shutil.copyfile(other, path)


DAMAGES = {
    "is cut in half": cut, "is empty": empty, "has one bit changed": change_a_byte, "is noise": fill_with_noise,
    "is missing": take_away, "is a folder": make_a_folder, "is that of another run": swap,
}  # fmt: skip

HOLDS = "each command that reads runs: a right answer, or a line that names the file"
ALLOWED = {("report", "config.json", "is missing")}
"""A result without its configuration is still a result, of which less is told."""

INPUTS = {"lm": ["--score", "--text", "the cat sees a river"], "mt": ["--text", "one red house"]}


def commands(task: str, data: str, run: Path, whole: Path, out: Path) -> Iterator[tuple[str, list[object]]]:
    """All that read a run, by name."""
    named = ["--run", run]
    yield "eval", ["eval", task, *named, "--json"]
    yield "eval of two", ["eval", task, *named, "--run", whole, "--out", out / "average", "--json"]
    if task in INPUTS:
        yield "predict", ["predict", task, *named, "--json", *INPUTS[task]]
    yield "report", ["report", run, "--format", "csv"]
    yield "page", ["report", run, "--format", "html", "--output", out / "page.html"]
    yield "compare", ["compare", run, whole]
    yield "publish", ["publish", *named, "--to", out / "published"]
    yield "resume", ["train", task, "--out", run, "--resume", "--device", "cpu"]
    yield "more", ["train", task, "--out", run, "--resume", "--device", "cpu", "--set", "training.epochs=2"]
    yield "from", ["train", task, "--from", run, "--data", data, "--out", out / "new", "--set", "training.epochs=1"]


class Case(NamedTuple):
    file: str
    damage: str


@pytest.fixture(scope="module")
def runs(toys: Toys, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Path, Path]]:
    """A finished run of the task, and another that differs in all a run can differ in."""
    made: dict[str, tuple[Path, Path]] = {}

    def of(task: str) -> tuple[Path, Path]:
        if task not in made:
            data, overrides = toys[task]
            folder = tmp_path_factory.mktemp(task)
            for name, seed in (("run", 1), ("other", 2)):
                few = [*overrides, "training.epochs=1", "training.kernel=native"]
                train(task, size="tiny", data=data, overrides=few, seed=seed, out=folder / name, device="cpu")
            made[task] = (folder / "run", folder / "other")
        return made[task]

    return of


def cases(run: Path) -> list[Case]:
    files = sorted(path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file())
    return [Case(file, damage) for file in files for damage in DAMAGES]


class Answer(NamedTuple):
    code: int
    output: str
    messages: str
    trace: str = ""


def untimed(text: str, *places: Path) -> str:
    for place in places:
        text = text.replace(str(place), "")
    return text


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("task", TRIED)
def test_whatever_is_damaged_the_answer_is_right_or_says_so(
    fault: FaultMaker,
    toys: Toys,
    runs: Callable[[str], tuple[Path, Path]],
    lstmdrop: Command,
    tmp_path: Path,
    task: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "400")  # a folder of a longer name wraps nothing
    run, other = runs(task)
    rows = {name: fault("damage", f"a file of a run {name}", HOLDS) for name in DAMAGES}
    chosen = cases(run)
    random.Random(task).shuffle(chosen)
    right = answers(task, toys[task][0], run, other, lstmdrop, tmp_path / "right")
    bad = []
    for number, case in enumerate(chosen[: times(len(chosen), FIRST)]):
        folder = tmp_path / f"{number}"
        damaged = shutil.copytree(run, folder / "run")
        DAMAGES[case.damage](damaged / case.file, other / case.file, random.Random(str(case)))
        found = answers(task, toys[task][0], damaged, other, lstmdrop, folder)
        for name, answer in found.items():
            rows[case.damage].tried += 1
            problem = wrong(answer, right[name], case.file)
            if problem and (name, *case) not in ALLOWED:
                bad.append(f"{task} {name}: {case.file} {case.damage}: {problem}")
                rows[case.damage].lost.append(bad[-1][:200])
        shutil.rmtree(folder)
    assert bad == []


def answers(task: str, data: str, run: Path, whole: Path, lstmdrop: Command, out: Path) -> dict[str, Answer]:
    found = {}
    out.mkdir(exist_ok=True)
    backup = shutil.copytree(run, out / "backup")
    for name, command in commands(task, data, out / "run", whole, out):
        shutil.rmtree(out / "run", ignore_errors=True)
        shutil.copytree(backup, out / "run")
        try:
            code, output, messages = lstmdrop(*command)
            answer = Answer(code, untimed(output, out), untimed(messages, out))
        except Exception as error:
            answer = Answer(-1, "", "", f"{type(error).__name__}: {str(error)[:200]}")
        found[name] = answer
    return found


def wrong(answer: Answer, right: Answer, file: str) -> str:
    """What is not as it must be, if anything is."""
    if answer.trace or "Traceback" in answer.messages:
        return f"a traceback: {answer.trace or answer.messages[-300:]}"
    name = Path(file).name
    last = answer.messages.strip().splitlines()[-1:] or [""]
    if answer.code:
        lines = answer.messages[answer.messages.find("lstmdrop: ") :].strip().splitlines()
        if len(lines) > 4:
            return f"{len(lines)} lines: {lines[:2]}"
        return (
            ""
            if "/run" in answer.messages or name in answer.messages
            else f"exit {answer.code} without the place: {last}"
        )
    said = answer.messages + answer.output  # compare shows beside the scores which are left out, and why
    if answer.output != right.output and name not in said and "/run" not in answer.messages:
        return f"another answer without a word: {answer.output[:150]!r} in place of {right.output[:150]!r}"
    return ""
