"""Laws of the configuration: later layers win, nothing unknown passes, every message names what to change."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError, model_validator

from lstmdrop.config import Section, TaskConfig, TrainingConfig
from lstmdrop.errors import ConfigError
from lstmdrop.plugin import load_plugin
from lstmdrop.presets import differences, nest, parse_override, read_preset, resolve, setting_names
from lstmdrop.settings import resolve_config
from lstmdrop_tasks.lm.config import LMConfig


class Example(TaskConfig):
    task: str = "example"


def test_later_layers_win_field_by_field_and_leave_the_rest() -> None:
    layers = [
        {"training": {"rate": 0.5, "clip": 1}, "seed": 3},
        {"training": {"clip": 2}},
        {"training": {"clip": 4.0}, "regularizer": {"rule": "none"}},
    ]
    config = resolve(Example, layers)
    assert (config.training.rate, config.training.clip, config.seed, config.regularizer.rule) == (0.5, 4.0, 3, "none")
    assert config.training.epochs == TrainingConfig().epochs
    assert layers[0] == {"training": {"rate": 0.5, "clip": 1}, "seed": 3}


def test_without_layers_it_is_the_class_defaults() -> None:
    assert resolve(Example, []) == Example()


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ({"training": {"rat": 1}}, r"no setting 'training\.rat'; did you mean 'training\.rate'\?"),
        ({"clip": 3}, r"no setting 'clip'; did you mean 'training\.clip'\?"),
        ({"regulariser": {"rule": "none"}}, r"no setting 'regulariser'; did you mean 'regularizer"),
        ({"qqq": 1}, r"no setting 'qqq'; the settings are task, size, seed"),
        ({"training": {"rate": -1}}, r"training\.rate = -1: .*greater than 0"),
        ({"training": {"epochs": "many"}}, r"training\.epochs = 'many': .*integer"),
        ({"regularizer": {"dropout": 1.0}}, r"regularizer\.dropout = 1\.0: .*less than 1"),
        ({"regularizer": {"rule": "zarembra"}}, r"regularizer\.rule = 'zarembra': .*'zaremba'"),
        ({"training": 5}, r"training = 5: "),
    ],
)
def test_a_wrong_key_or_value_is_named_with_what_would_be_right(layer: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        resolve(Example, [layer])


def test_what_is_wrong_with_the_whole_is_said_without_a_key() -> None:
    class Odd(Example):
        @model_validator(mode="after")
        def _is_odd(self) -> Odd:
            if self.seed % 2 == 0:
                raise ValueError("seeds are odd here")
            return self

    with pytest.raises(ConfigError, match=r"^seeds are odd here$"):
        resolve(Odd, [{"seed": 2}])


def test_every_mistake_is_listed_a_line_each() -> None:
    with pytest.raises(ConfigError) as caught:
        resolve(Example, [{"training": {"rate": 0, "clip": 0}, "sede": 1}])
    assert len(str(caught.value).splitlines()) == 3


def test_settings_that_do_not_fit_each_other_are_named() -> None:
    with pytest.raises(ConfigError, match=r"^training: accumulate = 3 does not divide batch_size = 20$"):
        resolve(LMConfig, [{"training": {"accumulate": 3}}])


def test_a_configuration_is_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Example().training.rate = 2.0  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5),
        ("0.5", 0.5),
        ("1e-3", 0.001),
        ("true", True),
        ("ptb", "ptb"),
        ("'ptb'", "ptb"),
        ("/a path/with=signs", "/a path/with=signs"),
        ("null", None),
        ("None", None),
        ("none", "none"),
        ("", ""),
        ("[1, 2]", [1, 2]),
        (" 7 ", 7),
    ],
)
def test_an_override_is_toml_where_it_can_be(text: str, value: object) -> None:
    assert parse_override(f"data.name={text}") == {"data": {"name": value}}


def test_rule_none_can_be_set_like_any_other_rule() -> None:
    config = resolve(Example, [parse_override("regularizer.rule=none"), parse_override("training.patience=null")])
    assert config.regularizer.rule == "none"
    assert config.training.patience is None


@pytest.mark.parametrize("text", ["training.rate", "=3", " =3", ""])
def test_an_override_without_key_or_sign_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"write section\.field=value"):
        parse_override(text)


def test_nest_and_setting_names_are_inverse() -> None:
    for name in setting_names(LMConfig):
        tree = nest(name, "x")
        for part in name.split("."):
            tree = tree[part]
        assert tree == "x"
    assert "training.num_steps" in setting_names(LMConfig)
    assert "seed" in setting_names(LMConfig)


def test_presets_are_toml_or_json(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("seed = 4\n[training]\nrate = 0.5\n")
    (tmp_path / "a.json").write_text(json.dumps({"seed": 4, "training": {"rate": 0.5}}))
    assert (
        read_preset(tmp_path / "a.toml") == read_preset(tmp_path / "a.json") == {"seed": 4, "training": {"rate": 0.5}}
    )


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.toml", b"seed = = 4"), ("a.json", b"{"), ("b.json", b"[1, 2]"), ("b.toml", b"\xff\xfe"), ("c.toml", None)],
)
def test_a_preset_that_cannot_be_read_is_named(tmp_path: Path, name: str, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError, match=f"preset .*{name}"):
        read_preset(tmp_path / name)


def test_order_is_defaults_size_preset_file_options_overrides(tmp_path: Path) -> None:
    plugin = load_plugin("lm")
    preset = tmp_path / "mine.toml"
    preset.write_text('size = "medium"\nseed = 5\n[training]\nclip = 2.0\nepochs = 3\n[regularizer]\nrule = "naive"\n')
    config = resolve_config(plugin, None, "ptb", "zoneout", 6, preset, ["training.epochs=4", "seed=7"])
    assert (config.size, config.model.hidden_size) == ("medium", 650)
    assert (config.training.clip, config.training.epochs) == (2.0, 4)
    assert (config.regularizer.rule, config.seed, config.data.name) == ("zoneout", 7, "ptb")
    assert resolve_config(plugin, "large", preset=preset).model.hidden_size == 1500


def test_settings_of_another_task_are_refused_by_its_name(tmp_path: Path) -> None:
    """Before anything else in them is: its sizes and sections mean nothing here."""
    preset = tmp_path / "config.json"
    preset.write_text(json.dumps({"task": "mt", "size": "paper", "encoder": {"layers": 4}}))
    plugin = load_plugin("lm")
    for mistake in ({"preset": preset}, {"overrides": ["task=mt"]}, {"stored": {"task": "mt", "encoder": {}}}):
        with pytest.raises(ConfigError, match=r"^task = 'mt': these settings are not for 'lm'$") as caught:
            resolve_config(plugin, **mistake)
        assert caught.value.exit_code == 3


def test_a_path_is_kept_in_full_and_a_datasets_name_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("mytext", "ptb"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)
    plugin = load_plugin("lm")
    names = [resolve_config(plugin, "tiny", data).data.name for data in ("mytext", "./mytext", "ptb", "nowhere")]
    assert names == [str(tmp_path / "mytext"), str(tmp_path / "mytext"), "ptb", "nowhere"]


def test_identity_is_of_what_differs_from_the_defaults() -> None:
    class Later(Example):
        addition: int = 3

    assert Example().sha256() == resolve(Example, [{"seed": 1}]).sha256() == Later().sha256()
    assert resolve(Example, [{"seed": 2}]).sha256() != Example().sha256()
    assert resolve(Later, [{"addition": 4}]).sha256() != Later().sha256()


def test_differences_list_what_changed_and_only_that() -> None:
    new = resolve(Example, [{"seed": 2, "training": {"patience": 4}}])
    assert differences(Example(), new) == ["seed: 1 -> 2", "training.patience: None -> 4"]
    assert differences(new, new) == []


def test_a_section_knows_no_other_keys() -> None:
    class Small(Section):
        a: int = 1

    with pytest.raises(ConfigError, match="no setting 'b'"):
        resolve(Small, [{"b": 2}])


@pytest.mark.parametrize("seed", [-1, 2**32, 2**32 + 1, 2**64])
def test_a_seed_that_would_be_another_one_is_refused_with_its_range(seed: int) -> None:
    with pytest.raises(ConfigError, match=rf"seed: {seed} is no seed: they go from 0 to 4294967295"):
        resolve(TaskConfig, [{"task": "lm", "seed": seed}])


def test_every_seed_draws_numbers_of_its_own() -> None:
    seeds = [0, 1, 2**31, 2**32 - 1]
    assert [resolve(TaskConfig, [{"task": "lm", "seed": seed}]).seed for seed in seeds] == seeds
    drawn = {float(torch.rand((), generator=torch.Generator().manual_seed(seed))) for seed in seeds}
    assert len(drawn) == len(seeds)


@pytest.mark.parametrize(
    ("task", "settings", "where"),
    [
        ("lm", ["regularizer.dropout=0.3"], "another regularizer.rule than none"),  # the preset small has no dropout
        ("lm", ["data.tokens=bpe", "data.min_count=2"], "data.tokens=word"),
        ("mt", ["regularizer.recurrent_dropout=0.3"], "touches the path through time"),
        ("mt", ["training.average_from=9", "training.epochs=3"], "up to training.epochs"),
        ("mt", ["decoding.beam_size=1", "decoding.length_penalty=0.3"], "a beam_size of 2 or more"),
        ("asr", ["augmentation.time_mask_frames=3"], "augmentation.time_masks"),
        ("asr", ["augmentation.frequency_mask_bins=3"], "augmentation.frequency_masks"),
        ("asr", ["decoding.lm_weight=0.3"], "a language model"),
        ("asr", ["objective=frames", "decoding.beam_size=4"], "objective=ctc"),
        ("asr", ["objective=frames", "data.tokens=bpe"], "objective=ctc"),
        ("caption", ["images.encoder=features", "images.size=64"], "another images.encoder than features"),
        ("caption", ["data.tokens=bpe", "data.min_count=3"], "data.tokens=word"),
        ("caption", ["objective=self-critical", "start_from=a", "training.label_smoothing=0.1"], "objective=captions"),
        ("caption", ["start_from=a", "data.vocabulary_size=100"], "without start_from"),
    ],
)
def test_a_setting_without_effect_is_refused_and_says_where_it_has_one(
    task: str, settings: list[str], where: str
) -> None:
    plugin = load_plugin(task)
    with pytest.raises(ConfigError, match=f"has an effect only .*{re.escape(where)}") as refused:
        resolve_config(plugin, "small", overrides=settings)
    assert "\n" not in str(refused.value)


def test_what_a_preset_or_a_file_sets_and_what_is_the_default_stays_without_a_word(tmp_path: Path) -> None:
    plugin = load_plugin("lm")
    assert resolve_config(plugin, "small").regularizer.dropout == 0.2  # under the rule none
    assert resolve_config(plugin, "small", overrides=["regularizer.dropout=0.5"]).regularizer.rule == "none"
    swept = resolve_config(plugin, "small", None, "none", overrides=["regularizer.dropout=0.3"])  # rules in turn
    preset = tmp_path / "config.json"
    preset.write_text(swept.model_dump_json())
    assert resolve_config(plugin, preset=preset) == swept
