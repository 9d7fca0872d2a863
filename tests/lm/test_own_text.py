"""Texts of one's own in every shape: packed, in tables, in JSON lines, in parts."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lstmdrop.commands.data import describe_text
from lstmdrop.config import SPLITS
from lstmdrop.data.text import read_lines
from lstmdrop.errors import DataError
from lstmdrop_tasks.lm.corpora import Corpus, find_corpus

LINES = [f"line {number} é" for number in range(40)]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LSTMDROP_CACHE", str(tmp_path / "cache"))


def lines_of(corpus: Corpus) -> list[str]:
    return [line for split in SPLITS for line in corpus.text(split).read_text(encoding="utf-8").splitlines()]


def json_lines(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


SHAPES: dict[str, Callable[[], str]] = {
    "a.txt": lambda: "\n".join(LINES),
    "a.jsonl": lambda: json_lines([{"id": number, "text": line} for number, line in enumerate(LINES)]),
    "a.json": lambda: json.dumps([{"text": line} for line in LINES], indent=1),
    "a.csv": lambda: "id,text\n" + "".join(f'{number},"{line}"\n' for number, line in enumerate(LINES)),
    "a.tsv": lambda: "text\tid\n" + "".join(f"{line}\t{number}\n" for number, line in enumerate(LINES)),
}


@pytest.mark.parametrize("is_packed", [False, True])
@pytest.mark.parametrize("name", SHAPES)
def test_one_text_is_the_same_in_every_shape(tmp_path: Path, name: str, is_packed: bool) -> None:
    content = SHAPES[name]().encode()
    path = tmp_path / (f"{name}.gz" if is_packed else name)
    path.write_bytes(gzip.compress(content) if is_packed else content)
    corpus = find_corpus(str(path))
    assert lines_of(corpus) == LINES
    assert len(corpus.text("test").read_text(encoding="utf-8").splitlines()) == 2
    assert list(read_lines(find_corpus(str(path), scored=["test"]).text("test"))) == LINES


def test_the_column_can_be_named_and_one_that_is_not_there_is_said_with_those_that_are(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json_lines([{"id": 1, "body": {"plain": line}} for line in LINES]), encoding="utf-8")
    assert lines_of(find_corpus(str(path), column="body.plain")) == LINES
    with pytest.raises(DataError, match=r"a\.jsonl:1: there is no 'text'; there are: id, body\.plain\n.*--column NAME"):
        find_corpus(str(path))
    with pytest.raises(DataError, match=r"no 'body\.plan'; did you mean 'body\.plain'\?"):
        find_corpus(str(path), column="body.plan")


@pytest.mark.parametrize("names", [SPLITS, ("training", "val", "testing"), ("Train", "DEV", "test")])
@pytest.mark.parametrize("ending", ["txt", "txt.gz", "jsonl", "jsonl.gz", "csv"])
def test_a_folder_names_its_splits_as_people_do(tmp_path: Path, names: tuple[str, ...], ending: str) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    for name, split in zip(names, SPLITS, strict=True):
        text = {"txt": f"the {split}\n", "csv": f"n,text\n1,the {split}\n"}.get(
            ending.removesuffix(".gz"), json_lines([{"text": f"the {split}"}])
        )
        (folder / f"{name}.{ending}").write_bytes(gzip.compress(text.encode()) if "gz" in ending else text.encode())
    assert lines_of(find_corpus(str(folder))) == ["the train", "the valid", "the test"]


def test_a_split_in_parts_is_read_in_their_order_and_an_unpacked_twin_once(tmp_path: Path) -> None:
    for number in range(2):
        rows = [{"text": f"part {number}\nof two"}]
        (tmp_path / f"train-0000{number}-of-00002.jsonl").write_text(json_lines(rows))
    (tmp_path / "test.jsonl").write_text(json_lines([{"text": "once"}]))
    (tmp_path / "test.jsonl.gz").write_bytes(gzip.compress(json_lines([{"text": "twice"}]).encode()))
    corpus = find_corpus(str(tmp_path))
    assert corpus.text("train").read_text() == "part 0\nof two\npart 1\nof two\n"
    assert corpus.text("test").read_text() == "once\n"
    with pytest.raises(DataError, match=r"valid\.txt: no such file"):
        corpus.text("valid")


def test_a_pattern_names_files_that_are_read_as_one(tmp_path: Path) -> None:
    for number in range(4):
        part = "".join(f"{line}\n" for line in LINES[number * 10 : number * 10 + 10])
        (tmp_path / f"part{number}.txt.gz").write_bytes(gzip.compress(part.encode()))
    assert lines_of(find_corpus(str(tmp_path / "part*.gz"))) == LINES
    with pytest.raises(DataError, match=r"^no file matches '.*/other\*\.gz' \(looked from "):
        find_corpus(str(tmp_path / "other*.gz"))


def test_rows_may_say_their_split(tmp_path: Path) -> None:
    rows = [{"text": f"{name} row", "split": name} for name in ("train", "val", "test", "train")]
    path = tmp_path / "a.jsonl"
    path.write_text(json_lines(rows))
    assert lines_of(find_corpus(str(path))) == ["train row", "train row", "val row", "test row"]
    path.write_text(json_lines([{"text": "a", "split": "trian"}]))
    with pytest.raises(DataError, match=r"a\.jsonl:1: split is 'trian'; known: train, training, valid, val"):
        find_corpus(str(path))
    path.write_text(json_lines(rows[:1]))
    with pytest.raises(DataError, match="no row says split: test"):
        find_corpus(str(path)).text("test")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("{\"text\": \"a\"}\n{\"text\": [1]}\n", r"a\.jsonl:2: text is \[1\], where a text is needed"),
        ("{\"text\": \"a\"}\n{\"text\"\n", r"a\.jsonl:2: this is no JSON"),
        ("{\"text\": \"a\"}\n\"b\"\n", r"a\.jsonl:2: a line is to be one JSON object"),
        ("{\"text\": \"\\ud800\"}\n", r"a\.jsonl:1: text has half a character"),
        ("[" * 100_000, r"this is no JSON"),
    ],
)  # fmt: skip
def test_a_row_that_is_none_is_named_by_its_line(tmp_path: Path, content: str, complaint: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(content)
    with pytest.raises(DataError, match=complaint):
        find_corpus(str(path))


def test_packing_a_text_changes_neither_the_training_nor_its_data(
    toy_corpus: Path, toy_settings: list[str], tmp_path: Path
) -> None:
    from lstmdrop.settings import resolve_config
    from lstmdrop_tasks.lm import PLUGIN
    from lstmdrop_tasks.lm.task import build

    packed = tmp_path / "packed"
    packed.mkdir()
    for path in toy_corpus.iterdir():
        (packed / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
    hashes = set()
    for number, data in enumerate((toy_corpus, packed)):
        config = resolve_config(PLUGIN, "tiny", str(data), overrides=toy_settings)
        (tmp_path / str(number)).mkdir()
        hashes.add(build(config, tmp_path / str(number), "cpu", None).data_sha256())  # type: ignore[arg-type]
    assert len(hashes) == 1


def test_a_column_of_a_text_that_has_none_is_refused(lstmdrop: Callable[..., Any], toy_corpus: Path) -> None:
    outcome = lstmdrop("train", "lm", "--data", toy_corpus, "--column", "body", "--size", "tiny", "--dry-run")
    assert (outcome.code, outcome.output) == (3, "")
    assert "data.column is for tables and JSON lines" in outcome.messages


@pytest.mark.parametrize("ending", ["txt", "jsonl"])
def test_data_info_says_what_of_the_test_was_trained_on(tmp_path: Path, ending: str) -> None:
    train = [f"{number} lines of a story that goes on" for number in range(20)]
    splits = {"train": [*train, *train[:5]], "test": [train[3], "a b", "this line is of nothing known"]}
    for split, lines in splits.items():
        text = "\n".join(lines) if ending == "txt" else json_lines([{"text": line} for line in lines])
        (tmp_path / f"{split}.{ending}").write_text(text + "\n", encoding="utf-8")
    said = "\n".join(describe_text(tmp_path))
    assert f"train.{ending}: 5 of 25 lines of 5 words or more came before in it" in said
    assert f"test.{ending}: 37.5% of its words are not in the training text; 1 of its 2 lines" in said
