"""The check that breaks lines, on a small package: what is noticed, what survives, and what is left alone."""

from __future__ import annotations

import ast
import importlib
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

TOOLS = Path(__file__).parents[2] / "tools"

SETTINGS = """
[tool.pytest.ini_options]
testpaths = ["tests"]
addopts = "--strict-markers --import-mode=importlib"
markers = ["slow: left out"]
"""
HELD = "def larger(a, b):\n    return a if a > b else b\n"
LOOSE = "def halved(number):\n    return number // 2\n"
UNRUN = "def forgotten(number):\n    return number + 1\n"
AT_IMPORT = "SIZES = (1, 2)\n"
TESTS = """
import pytest
from shop.sums import halved, larger, SIZES

def test_the_larger_one():
    assert (larger(1, 2), larger(3, 2)) == (2, 3)

def test_halves_are_made():
    halved(7)

def test_the_sizes():
    assert SIZES == (1, 2)

def test_the_settings_hold(request):
    assert request.config.getini("testpaths") == ["tests"]

@pytest.mark.slow
def test_halves_are_right():
    assert halved(7) == 3
"""

Check = Callable[..., tuple[int, list[list[str]]]]


@pytest.fixture
def changed(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], set[str]]:
    """What a source can become, the whole of it."""
    monkeypatch.syspath_prepend(str(TOOLS))
    find_changes = importlib.import_module("mutants.changes").find_changes

    def all_of(source: str) -> set[str]:
        found = [change.edit.applied(source) for change in find_changes(source)]
        assert len(set(found)) == len(found)
        for text in found:
            ast.parse(text)
        return set(found) - {source}

    return all_of


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Check:
    """Runs the script on a made-up package: its exit code and the rows of its page."""
    monkeypatch.syspath_prepend(str(TOOLS))
    main = runpy.run_path(str(TOOLS / "mutation.py"))["main"]

    def run(source: str, number: int = 99, seed: int = 1, tests: str = TESTS) -> tuple[int, list[list[str]]]:
        root = tmp_path / "checkout"
        files = {"pyproject.toml": SETTINGS, "src/shop/sums.py": source, "tests/test_sums.py": tests}
        for name, text in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text, encoding="utf-8")
        page = tmp_path / "page.md"
        words: list[Any] = [
            "--number",
            number,
            "--seed",
            seed,
            "--output",
            page,
            "--root",
            root,
            "--source",
            "src/shop",
        ]
        code = int(main(list(map(str, words))))
        found = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.suffix != ".json"}
        assert found == {*files, "src", "src/shop", "tests", ".mutation"}
        assert all((root / name).read_text(encoding="utf-8") == text for name, text in files.items())
        rows = page.read_text(encoding="utf-8").splitlines() if page.exists() else []
        return code, [row.strip("| ").split(" | ") for row in rows if row.startswith("| src/")]

    return run


@pytest.mark.parametrize(
    ("source", "become"),
    [
        ("a < b <= c", {"a <= b <= c", "a < b < c"}),
        ("a == b", {"a != b"}),
        ("a  not  in b", {"a  in b"}),
        ("(a) is (None)", {"(a) is not (None)"}),
        ("é + x * y", {"é - x * y", "é + x / y"}),
        ("a and b and c", {"a or b and c", "a and b or c"}),
        ("not (a)", {"(a)"}),
        ("-(a)", {"(a)"}),
        ("x = -1", {"x = -2"}),
        ("x = True", {"x = False"}),
        ("min(a)", {"max(a)", "pass"}),
        ("[a for a in b if a]", {"[a for a in b if not (a)]"}),
        ("if a: b", {"if not (a): b"}),
        ("if not a: b", {"if a: b"}),
        ("def f():\n  return a", {"def f():\n  return None"}),
        ("for a in b: break", {"for a in b: continue"}),
        ("a.b = c", {"pass"}),
        ("a[b], c = d", set()),
        ("a += b", {"pass"}),
        ("raise A(1 + 2)", {"pass"}),
    ],
)
def test_each_kind_of_change(source: str, become: set[str], changed: Callable[[str], set[str]]) -> None:
    assert changed(source) == become


@pytest.mark.parametrize(
    "source",
    [
        '"""One of 2."""', "import a", "if TYPE_CHECKING:\n  a = 1", "if sys.version_info > (3, 11):\n  a = 1",
        "@dataclass(frozen=True, slots=True)\nclass A: pass", "a: Literal[1]", "def f(a: L[1]) -> L[2]: ...",
        "zip(a, b, strict=True).c", "log.warning('%d', 1)", "x = f'{a + 1}'", "x = 'a' + b", "x = a / 'b'",
        "A = B | None", "assert a == 1", "return None", "x = typer.Option(1)", "if __name__ == '__main__':\n  a = 1",
    ],
)  # fmt: skip
def test_what_would_mean_nothing_is_left_alone(source: str, changed: Callable[[str], set[str]]) -> None:
    assert not {text for text in changed(source) if text != "pass"}


def test_a_condition_of_two_lines_stays_one_condition(changed: Callable[[str], set[str]]) -> None:
    assert "if (not (a and\n  b)): c" in changed("if (a and\n  b): c")


@pytest.mark.slow
def test_what_a_test_looks_at_is_noticed_and_what_none_looks_at_survives(check: Check) -> None:
    code, rows = check(HELD + LOOSE + UNRUN + AT_IMPORT)
    assert code == 1
    verdicts = {row[0].rpartition(":")[2]: row[3] for row in rows}
    assert verdicts == {
        "2": "`tests/test_sums.py::test_the_larger_one`",
        "4": "**survived**",
        "6": "**survived**: no test runs it",
        "7": "`tests/test_sums.py::test_the_sizes`",
    }


@pytest.mark.slow
def test_it_is_content_where_nine_of_ten_are_noticed(check: Check) -> None:
    code, rows = check(HELD + AT_IMPORT, tests=TESTS.replace("halved, ", "").replace("    halved(7)", "    pass"))
    assert code == 0
    assert len(rows) == 2


@pytest.mark.slow
def test_a_loop_without_an_end_is_noticed(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(TOOLS))
    monkeypatch.setattr(importlib.import_module("mutants.tree"), "SECONDS_OF_A_TEST", 1)
    source = "def first(items):\n    while True:\n        break\n"
    code, rows = check(source, tests="from shop.sums import first\n\ndef test_it_ends():\n    first([])\n")
    assert [row[3] for row in rows if row[1] == "`break`"] == ["`tests/test_sums.py::test_it_ends`"]
    assert code == 1  # whoever starts no loop does not show


def test_the_same_seed_breaks_the_same_lines(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(str(TOOLS))
    choose = importlib.import_module("mutants.trials").choose
    for name, source in {"a.py": HELD + LOOSE, "part/b.py": UNRUN + AT_IMPORT}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(source, encoding="utf-8")
    drawn = [choose(tmp_path, ".", 2, seed) for seed in range(9)]
    assert drawn == [choose(tmp_path, ".", 2, seed) for seed in range(9)]
    assert all(len({(one.file, one.change.line) for one in mutants}) == 2 for mutants in drawn)
    assert {one.file for mutants in drawn for one in mutants} == {"a.py", "part/b.py"}
    assert len(choose(tmp_path, ".", 99, 1)) == 4


@pytest.mark.slow
def test_tests_that_fail_as_they_are_are_said_to(check: Check, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(HELD, tests="def test_it():\n    assert 0\n") == (2, [])
    assert "test_it" in capsys.readouterr().err


@pytest.mark.slow
def test_a_test_that_fails_now_and_then_notices_nothing(check: Check, capsys: pytest.CaptureFixture[str]) -> None:
    once = "from pathlib import Path\nfrom shop.sums import halved\n\ndef test_it():\n    halved(4)\n"
    once += "    file = Path('been_here')\n    assert not file.exists()\n    file.touch()\n"
    assert check(LOOSE, number=1, tests=once) == (2, [])
    assert "test_it" in capsys.readouterr().err
