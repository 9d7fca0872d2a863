from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lstmdrop.data.text import read_lines
from lstmdrop.data.tokenizer import train_tokenizer
from lstmdrop.errors import DataError
from lstmdrop_tasks.lm.corpora import find_corpus
from lstmdrop_tasks.lm.demo import sentences, write_demo

SPLITS = ("train", "valid", "test")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    folder = tmp_path_factory.mktemp("demo")
    write_demo(folder)
    return {split: list(read_lines(folder / f"{split}.txt")) for split in SPLITS}


def ngrams(lines: list[str], length: int) -> set[tuple[str, ...]]:
    return {
        tuple(words[start : start + length])
        for words in map(str.split, lines)
        for start in range(len(words) - length + 1)
    }


def test_no_sentence_stands_in_the_corpus_twice(demo: dict[str, list[str]]) -> None:
    lines = [line for split in SPLITS for line in demo[split]]
    assert len(set(lines)) == len(lines)


@pytest.mark.parametrize(("held_out", "other"), [("valid", "train"), ("test", "train"), ("test", "valid")])
def test_no_eight_words_of_a_split_are_in_another(demo: dict[str, list[str]], held_out: str, other: str) -> None:
    assert ngrams(demo[held_out], 8)
    assert not ngrams(demo[held_out], 8) & ngrams(demo[other], 8)
    assert ngrams(demo[held_out], 3) & ngrams(demo[other], 3)


def test_the_splits_are_about_eighty_ten_ten(demo: dict[str, list[str]]) -> None:
    sizes = {split: sum(len(line.split()) for line in demo[split]) for split in SPLITS}
    total = sum(sizes.values())
    assert total > 20_000
    assert 0.75 < sizes["train"] / total < 0.87
    assert min(sizes["valid"], sizes["test"]) / total > 0.05


def test_a_line_is_a_sentence(demo: dict[str, list[str]]) -> None:
    for split in SPLITS:
        for line in demo[split]:
            words = line.split()
            assert words[-1][-1] in ".!?:", line
            assert not {">>>", "::=", "|", "=", "==="} & set(words), line
            assert line.replace("N", "n") == line.lower().replace("N", "n"), line


def test_held_out_words_are_mostly_known(demo: dict[str, list[str]]) -> None:
    known = {word for line in demo["train"] for word in line.split()}
    for split in ("valid", "test"):
        words = [word for line in demo[split] for word in line.split()]
        assert sum(word not in known for word in words) / len(words) < 0.08


@pytest.mark.slow
def test_another_process_writes_the_same(tmp_path: Path) -> None:
    write_demo(tmp_path / "here")
    script = "import sys; from pathlib import Path; from lstmdrop_tasks.lm.demo import write_demo as write\n"
    script += "write(Path(sys.argv[1]))"
    environment = {"PYTHONPATH": ":".join(sys.path), "PYTHONHASHSEED": "7"}
    subprocess.run([sys.executable, "-c", script, tmp_path / "there"], env=environment, check=True)
    for split in SPLITS:
        assert (tmp_path / "here" / f"{split}.txt").read_bytes() == (tmp_path / "there" / f"{split}.txt").read_bytes()


def test_the_demo_is_found_by_name(tmp_path: Path, demo: dict[str, list[str]]) -> None:
    corpus = find_corpus("demo")
    assert corpus == find_corpus("demo")
    assert list(read_lines(corpus.text("test"))) == demo["test"]
    assert len(train_tokenizer("word", corpus.text("train")).vocabulary) > 1000


def test_a_python_without_documentation_is_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)
    with pytest.raises(DataError, match="--data FILE"):
        write_demo(tmp_path)


@pytest.mark.parametrize(
    ("passage", "expected"),
    [
        (
            'The "if" statement takes 3.8 or “more” *arguments*, e.g.\nthe one in "x[i] = 2". [5]',
            ["the if statement takes N or more arguments , eg the one in <code> ."],
        ),
        ("It calls \"__eq__()\".  See also **PEP 3115**.", ["it calls __eq__ ."][:0]),
        ("One sentence stands here. Another one follows it (as it may). no capital here.",
         ["one sentence stands here .", "another one follows it ( as it may ) . no capital here ."]),
        ("   x = f(y)\n   print(x)", []),
        ("if_stmt", []),
    ],
)  # fmt: skip
def test_prose_out_of_markup(passage: str, expected: list[str]) -> None:
    assert list(sentences(passage)) == expected
