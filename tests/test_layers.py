"""Laws of layers of settings: what is laid over what, and how keys and values are written."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstmdrop.errors import ConfigError
from lstmdrop.presets import flatten, merge, nest, parse_override, read_preset

names = st.text("abc_", min_size=1, max_size=3)
values = st.one_of(st.integers(-9, 9), st.none(), st.booleans(), st.text("xyz ", max_size=4), st.lists(st.integers()))
trees: st.SearchStrategy[dict[str, Any]] = st.recursive(
    st.dictionaries(names, values, max_size=3),
    lambda inner: st.dictionaries(names, st.one_of(values, inner), max_size=3),
    max_leaves=8,
)
full_trees = trees.filter(lambda tree: bool(tree) and "{}" not in json.dumps(tree))


@given(trees)
def test_nothing_laid_over_or_under_changes_nothing(tree: dict[str, Any]) -> None:
    assert merge(tree, {}) == merge({}, tree) == merge(tree, tree) == tree


@given(trees, trees)
def test_what_lies_over_wins_key_by_key_and_what_it_leaves_out_stays(
    base: dict[str, Any], over: dict[str, Any]
) -> None:
    before = copy.deepcopy((base, over))
    found = merge(base, over)
    assert (base, over) == before
    assert list(found) == [*base, *(key for key in over if key not in base)]
    for key, value in found.items():
        if key not in over:
            assert value == base[key]
        elif isinstance(over[key], dict) and isinstance(base.get(key), dict):
            assert value == merge(base[key], over[key])
        else:
            assert value == over[key]


@given(full_trees)
def test_flat_values_nested_again_are_the_tree(tree: dict[str, Any]) -> None:
    again: dict[str, Any] = {}
    for key, value in flatten(tree).items():
        assert not isinstance(value, dict)
        again = merge(again, nest(key, value))
    assert again == tree


@given(st.lists(names, min_size=1, max_size=4), values)
def test_a_dotted_key_is_the_way_to_its_value(path: list[str], value: object) -> None:
    tree: Any = nest(".".join(path), value)
    assert flatten(tree) == {".".join(path): value}
    for part in path:
        assert list(tree) == [part]
        tree = tree[part]
    assert tree == value


@given(
    st.one_of(st.integers(-(10**9), 10**9), st.booleans(), st.floats(allow_nan=False), st.lists(st.integers(0, 9))),
    st.sampled_from(["", " ", "  "]),
)
def test_numbers_truth_and_lists_come_as_what_they_are(value: object, space: str) -> None:
    written = str(value).lower() if isinstance(value, bool) else str(value)
    found = parse_override(f"{space}a.b{space}={space}{written}{space}")
    assert found == {"a": {"b": value}}
    assert type(found["a"]["b"]) is type(value)


@given(st.text("abc/=~-é", min_size=1).filter(lambda text: text not in ("=",)))
def test_what_is_no_toml_is_the_text_itself_with_its_signs(text: str) -> None:
    assert parse_override(f"data.name={text}") == {"data": {"name": text}}


def test_nothing_has_two_spellings_and_the_rule_none_is_none_of_them() -> None:
    assert [parse_override(f"a={word}")["a"] for word in ("None", "null", "none", "NULL")] == [
        None,
        None,
        "none",
        "NULL",
    ]


@given(full_trees)
def test_a_runs_configuration_is_read_as_it_was_written(tmp_path_factory: pytest.TempPathFactory, tree: Any) -> None:
    path = tmp_path_factory.getbasetemp() / "round-trip-of-a-preset.json"
    path.write_text(json.dumps(tree), encoding="utf-8")
    assert read_preset(path) == read_preset(str(path)) == tree


@pytest.mark.parametrize("name", ["mine.toml", "mine", "mine.cfg"])
def test_a_file_of_any_other_name_is_toml(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text('[data]\nname = "Ünïcode"\n', encoding="utf-8")
    assert read_preset(tmp_path / name) == {"data": {"name": "Ünïcode"}}


def test_what_cannot_be_read_is_named_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=rf"^preset {tmp_path}: Is a directory$"):
        read_preset(tmp_path)
    with pytest.raises(ConfigError, match=r"gone\.toml: No such file or directory$"):
        read_preset(tmp_path / "gone.toml")
    (tmp_path / "a.json").write_text("5")
    with pytest.raises(ConfigError, match=r"^preset .*a\.json cannot be read: "):
        read_preset(tmp_path / "a.json")
