from __future__ import annotations

import errno
import os
from pathlib import Path

import platformdirs
import pytest

from lstmdrop.commands.info import info
from lstmdrop.commands.train import train
from lstmdrop.data.atomic import atomic_folder
from lstmdrop.data.fingerprint import remembered_content, remembered_sha256
from lstmdrop.data.registry import cache_dir, cache_problem, datasets_dir, locate
from lstmdrop.data.text import content_sha256
from lstmdrop.errors import DataError


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LSTMDROP_DATA", raising=False)
    monkeypatch.delenv("LSTMDROP_CACHE", raising=False)


def test_the_cache_is_the_users_unless_the_environment_says_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert cache_dir() == Path(platformdirs.user_cache_dir("lstmdrop"))
    monkeypatch.setenv("LSTMDROP_CACHE", "~/elsewhere")
    assert cache_dir() == Path.home() / "elsewhere"


def test_places_are_tried_in_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LSTMDROP_DATA", str(tmp_path / "environment"))
    monkeypatch.setenv("LSTMDROP_CACHE", str(tmp_path / "cache"))
    places = [tmp_path / "given", tmp_path / "environment", tmp_path / "cache" / "datasets"]
    for place in reversed(places):
        (place / "ptb").mkdir(parents=True)
        assert locate("ptb", tmp_path / "given") == place / "ptb"
    assert locate("ptb") == tmp_path / "environment" / "ptb"


def test_a_dataset_is_put_into_the_first_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LSTMDROP_CACHE", str(tmp_path / "cache"))
    assert datasets_dir() == tmp_path / "cache" / "datasets"
    monkeypatch.setenv("LSTMDROP_DATA", str(tmp_path / "environment"))
    assert datasets_dir() == tmp_path / "environment"
    assert datasets_dir(tmp_path / "given") == tmp_path / "given"


def test_an_absent_dataset_is_said_where_it_was_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LSTMDROP_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("LSTMDROP_DATA", str(tmp_path / "environment"))
    with pytest.raises(DataError) as caught:
        locate("ptb", tmp_path / "given")
    message = str(caught.value)
    for place in ("given/ptb", "environment/ptb", "cache/datasets/ptb"):
        assert str(tmp_path / place) in message
    assert "lstmdrop data prepare ptb" in message
    assert caught.value.exit_code == 4


def out_of_reach(tmp_path: Path) -> Path:
    """Where nothing can be made, whoever one is: below a file."""
    (tmp_path / "file").touch()
    return tmp_path / "file" / "cache"


@pytest.mark.parametrize("task", ["lm", "mt", "asr", "caption"])
def test_a_cache_that_cannot_be_written_says_how_to_choose_another(
    task: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LSTMDROP_CACHE", str(out_of_reach(tmp_path)))
    with pytest.raises(DataError, match=r"file/cache.*: Not a directory\nset LSTMDROP_CACHE"):
        train(task, size="tiny", data="demo", out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_without_a_home_the_cache_has_to_be_named_by_those_who_need_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LSTMDROP_CACHE", "~nobody-of-this-name/cache")
    with pytest.raises(DataError, match=r"there is no home folder\nset LSTMDROP_CACHE"):
        cache_dir()
    (tmp_path / "ptb").mkdir()
    assert locate("ptb", tmp_path) == tmp_path / "ptb"
    assert "there is no home folder" in info()["cache"]
    assert datasets_dir(tmp_path) == tmp_path
    with pytest.raises(DataError, match="there is no home folder"):
        datasets_dir()  # there is no place at all
    monkeypatch.setenv("LSTMDROP_DATA", "~nobody-of-this-name/data")
    assert datasets_dir() == Path("~nobody-of-this-name/data")  # named, if oddly, and taken for what it says


def test_what_needs_no_cache_does_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LSTMDROP_CACHE", str(out_of_reach(tmp_path)))
    text = tmp_path / "text.txt"
    text.write_text("a b c\n", encoding="utf-8")
    os.utime(text, (0, 0))
    monkeypatch.setattr("lstmdrop.data.fingerprint.LARGE", 1)
    assert remembered_sha256(text) == content_sha256(text)
    assert remembered_content([text]) == remembered_content([text])


def test_only_errors_of_the_cache_speak_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LSTMDROP_CACHE", str(tmp_path / "cache"))
    full = OSError(errno.ENOSPC, "No space left on device")
    assert "LSTMDROP_CACHE" in str(cache_problem(full, tmp_path / "cache" / "tokens"))
    assert cache_problem(full, tmp_path / "runs") is None
    assert cache_problem(OSError("a damaged image"), tmp_path / "cache" / "images") is None
    with pytest.raises(FileNotFoundError), atomic_folder(tmp_path / "cache" / "entry"):
        (tmp_path / "sound.wav").read_bytes()
