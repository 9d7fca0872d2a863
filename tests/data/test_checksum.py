"""Laws of whether files are the published ones."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstmdrop.data.download import file_status, prepare, verify
from lstmdrop.data.registry import Dataset, DatasetFile, contents, whole_split
from lstmdrop.data.text import BLOCK_BYTES
from lstmdrop.errors import DataError, UsageError

CONTENT = b"the published bytes\n"
RIGHT = {"size": len(CONTENT), "sha256": hashlib.sha256(CONTENT).hexdigest(), "md5": hashlib.md5(CONTENT).hexdigest()}
WRONG = {"size": len(CONTENT) + 1, "sha256": hashlib.sha256(b"").hexdigest(), "md5": hashlib.md5(b"").hexdigest()}


@pytest.mark.parametrize("known", [[], ["size"], ["sha256"], ["md5"], ["size", "sha256"], ["size", "sha256", "md5"]])
def test_a_file_is_right_if_all_that_is_known_of_it_agrees(tmp_path: Path, known: list[str]) -> None:
    path = tmp_path / "a"
    right = {name: RIGHT[name] for name in known}
    assert file_status(DatasetFile("a", **right), path) == "missing"  # type: ignore[arg-type]
    path.write_bytes(CONTENT)
    assert file_status(DatasetFile("a", **right), path) == "ok"  # type: ignore[arg-type]
    for name in known:
        wrong = DatasetFile("a", **{**right, name: WRONG[name]})  # type: ignore[arg-type]
        assert file_status(wrong, path) == "differs"


def test_a_large_file_is_read_to_its_end(tmp_path: Path) -> None:
    content = bytearray(2 * BLOCK_BYTES + 3)
    (tmp_path / "a").write_bytes(content)
    file = DatasetFile("a", sha256=hashlib.sha256(content).hexdigest())
    assert file_status(file, tmp_path / "a") == "ok"
    for place in (0, BLOCK_BYTES, len(content) - 1):
        changed = bytearray(content)
        changed[place] = 1
        (tmp_path / "a").write_bytes(changed)
        assert file_status(file, tmp_path / "a") == "differs"


def dataset(*files: DatasetFile, note: str | None = None, homepage: str | None = None) -> Dataset:
    return Dataset("toy", "a toy", "lm", "none", files, homepage=homepage, note=note)


def test_every_file_is_looked_at_in_its_order(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "b").write_bytes(CONTENT)
    (tmp_path / "c").write_bytes(CONTENT)
    files = [DatasetFile("a"), DatasetFile("deep/b", size=len(CONTENT)), DatasetFile("c", size=1)]
    assert verify(dataset(*files), tmp_path) == [("a", "missing"), ("deep/b", "ok"), ("c", "differs")]


def test_folders_of_a_source_are_copied_whole(tmp_path: Path) -> None:
    (tmp_path / "source" / "images" / "deep").mkdir(parents=True)
    (tmp_path / "source" / "images" / "deep" / "1.png").write_bytes(CONTENT)
    prepare(dataset(DatasetFile("images")), tmp_path / "toy", source=tmp_path / "source")
    assert (tmp_path / "toy" / "images" / "deep" / "1.png").read_bytes() == CONTENT


def test_what_is_there_and_right_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "a").write_bytes(CONTENT)
    toy = dataset(DatasetFile("a", size=len(CONTENT)))
    prepare(toy, tmp_path / "toy", source=tmp_path / "source")
    before = (tmp_path / "toy" / "a").stat()
    prepare(toy, tmp_path / "toy", source=tmp_path / "source")
    after = (tmp_path / "toy" / "a").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_file_of_a_source_that_is_another_never_takes_the_place(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "a").write_bytes(CONTENT)
    with pytest.raises(DataError, match="this is not the published file"):
        prepare(dataset(DatasetFile("a", size=1)), tmp_path / "toy", source=tmp_path / "source")
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


@pytest.mark.parametrize(
    ("note", "homepage", "advice"),
    [
        ("ask them", "https://example.org", "ask them"),
        (None, "https://example.org", "get them from https://example.org and run: lstmdrop data prepare toy --from F"),
        (None, None, "get them and run: lstmdrop data prepare toy --from FOLDER"),
    ],
)
def test_what_cannot_be_got_is_listed_with_what_to_do(
    tmp_path: Path, note: str | None, homepage: str | None, advice: str
) -> None:
    with pytest.raises(DataError) as raised:
        prepare(dataset(DatasetFile("a"), DatasetFile("b"), note=note, homepage=homepage), tmp_path)
    first, second = str(raised.value).split("\n")
    assert first == "toy: cannot get a, b"
    assert second.startswith(advice)


@given(st.lists(st.sampled_from(["train", "valid", "test"]), max_size=4))
def test_data_in_one_piece_is_the_one_split_that_is_scored(scored: list[str]) -> None:
    if len(set(scored)) > 1:
        with pytest.raises(UsageError, match=rf"mine\.txt is in one piece and cannot be both {scored[0]} and "):
            whole_split(Path("mine.txt"), scored)  # type: ignore[arg-type]
    else:
        assert whole_split(Path("mine.txt"), scored) == (scored or ["train"])[0]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("number", "said"),
    [(0, "it holds nothing"), (1, "it holds 0"), (8, "it holds 0, 1, 2, 3, 4, 5, 6, 7"),
     (9, "it holds 0, 1, 2, 3, 4, 5, 6, 7, ...")],
)  # fmt: skip
def test_the_first_names_in_a_folder_are_said(tmp_path: Path, number: int, said: str) -> None:
    for name in reversed(range(number)):
        (tmp_path / str(name)).touch()
    assert contents(tmp_path) == said
    assert contents(tmp_path / "gone") == "it holds nothing"
