from __future__ import annotations

from pathlib import Path

import platformdirs
import pytest

from lstmdrop.data.registry import cache_dir, datasets_dir, locate
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
