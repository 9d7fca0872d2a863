"""Laws of the configuration: later layers win, nothing unknown passes, every message names what to change."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path
from typing import Annotated, Any

import pytest
import torch
from pydantic import ValidationError, model_validator

from lstmdrop.config import (
    DRAWING,
    IN_JSON,
    SEARCHING,
    WITH_BEAM,
    DataConfig,
    OnlyWhere,
    RegularizerConfig,
    Section,
    TaskConfig,
    TrainingConfig,
    whole_characters,
)
from lstmdrop.errors import ConfigError, UsageError
from lstmdrop.plugin import load_plugin
from lstmdrop.presets import (
    decoding_with,
    differences,
    flatten,
    nest,
    neutral_settings,
    parse_override,
    read_preset,
    require_effect,
    resolve,
    setting_names,
    without_effect,
)
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


@pytest.mark.parametrize("text", ["a\0b", chr(0xD800), "x" + chr(0xDC80), chr(0xDFFF), "\0"])
def test_text_of_half_a_character_or_a_zero_byte_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not UTF-8, or has a zero byte"):
        whole_characters(text)


@pytest.mark.parametrize("text", ["", "naïve", "\ud7ff\ue000", "\U0010ffff", "\x01"])
def test_whole_characters_stay_as_they_are(text: str) -> None:
    assert whole_characters(text) == text


LIMITS = {
    "epochs": (1, 0), "rate": (1e-9, 0), "decay_after": (0, -1), "decay": (1, 0.99), "weight_decay": (0, -1e-9),
    "clip": (1e-9, 0), "accumulate": (1, 0), "patience": (1, 0), "average_from": (1, 0), "log_every": (1, 0),
    "save_minutes": (0, -0.1),
}  # fmt: skip


@pytest.mark.parametrize("name", LIMITS)
def test_a_training_setting_at_its_limit_is_taken_and_one_beyond_it_is_refused(name: str) -> None:
    least, too_little = LIMITS[name]
    assert getattr(resolve(TrainingConfig, [{name: least}]), name) == least
    with pytest.raises(ConfigError, match=f"^{name} = {too_little}: "):
        resolve(TrainingConfig, [{name: too_little}])


@pytest.mark.parametrize("name", ["dropout", "recurrent_dropout"])
def test_dropout_is_a_probability_below_one(name: str) -> None:
    for rate in (0.0, 0.999):
        assert getattr(resolve(RegularizerConfig, [{name: rate}]), name) == rate
    for rate in (-0.001, 1.0):
        with pytest.raises(ConfigError, match=f"^{name} = {rate}: "):
            resolve(RegularizerConfig, [{name: rate}])


def test_settings_that_change_no_result_are_gathered_through_all_sections() -> None:
    class Inner(Section):
        neutral = frozenset({"speed"})
        speed: int = 1
        depth: int = 1

    class Outer(Example):
        neutral = frozenset({"workers"})
        workers: int = 1
        inner: Inner = Inner()

    training = {f"training.{name}" for name in ("log_every", "save_minutes", "deterministic")}
    assert neutral_settings(Outer()) == {"workers", "inner.speed", *training}
    assert neutral_settings(Inner(), "a.") == {"a.speed"}
    old, new = Outer(), resolve(Outer, [{"workers": 2, "inner": {"speed": 3, "depth": 4}, "seed": 5}])
    assert differences(old, new, neutral_settings(old)) == ["inner.depth: 1 -> 4", "seed: 1 -> 5"]


class Decoding(Section):
    beam_size: int = 4
    batch_size: int = 8
    length_penalty: Annotated[float, WITH_BEAM] = 1.0


class Decoded(Example):
    decoding: Decoding = Decoding()


class Options(Section):
    beam_size: int | None = None
    batch_size: int | None = None
    length_penalty: float | None = None
    num_best: Annotated[int, IN_JSON] = 1
    sample: bool = False
    seed: Annotated[int, DRAWING] = 1
    score: Annotated[float, SEARCHING] = 0.0


def test_options_lie_over_the_decoding_of_the_run_but_for_the_size_of_batches() -> None:
    config = resolve(Decoded, [{"decoding": {"beam_size": 6, "length_penalty": 0.5}}])
    assert decoding_with(config, Options()) == config.decoding
    chosen = decoding_with(config, Options(beam_size=3, batch_size=99))
    assert (chosen.beam_size, chosen.batch_size, chosen.length_penalty) == (3, 8, 0.5)
    assert decoding_with(config, Options(length_penalty=0.0)).length_penalty == 0.0  # zero is a value like others
    assert config.decoding.beam_size == 6


def test_an_option_that_the_search_does_not_use_is_refused_with_where_it_would() -> None:
    said = r"^--length-penalty has an effect only with a beam_size of 2 or more$"
    for config, options in (
        (Decoded(), Options(beam_size=1, length_penalty=0.5)),
        (resolve(Decoded, [{"decoding": {"beam_size": 1}}]), Options(length_penalty=0.5)),
    ):
        with pytest.raises(UsageError, match=said):
            decoding_with(config, options)
    narrow = resolve(Decoded, [{"decoding": {"beam_size": 1, "length_penalty": 0.5}}])
    assert decoding_with(narrow, Options()).length_penalty == 0.5  # the run's own stays without a word
    assert decoding_with(narrow, Options(beam_size=2, length_penalty=0.3)).length_penalty == 0.3


def test_a_beam_that_nobody_chose_grows_to_what_is_asked_for_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert decoding_with(Decoded(), Options(num_best=4)).beam_size == 4
        assert caplog.records == []
        assert decoding_with(Decoded(), Options(num_best=5)).beam_size == 5
    (record,) = caplog.records
    assert "the beam is 5 for --num-best, the run's 4" in record.getMessage()
    assert decoding_with(Decoded(), Options(num_best=3, beam_size=3)).beam_size == 3
    with pytest.raises(UsageError, match=r"^--num-best 4 is more than --beam-size 3 holds: make it 4$"):
        decoding_with(Decoded(), Options(num_best=4, beam_size=3))


@pytest.mark.parametrize(
    ("given", "in_json", "said"),
    [
        ({"seed": 2}, True, r"^--seed has an effect only with --sample$"),
        ({"seed": 2, "sample": True}, True, None),
        ({"score": 1.0, "sample": True}, True, r"^--score has an effect only without --sample$"),
        ({"num_best": 2}, True, None),
        ({"num_best": 2}, False, r"^--num-best has an effect only with --json$"),
        ({"num_best": 2, "sample": True}, False, None),
        ({}, False, None),
    ],
)
def test_an_option_beside_which_it_has_no_effect_is_refused(
    given: dict[str, Any], in_json: bool, said: str | None
) -> None:
    if said is None:
        require_effect(Options(**given), in_json=in_json)
        return
    with pytest.raises(UsageError, match=said):
        require_effect(Options(**given), in_json=in_json)


def test_what_takes_an_effect_away_on_purpose_silences_the_warning() -> None:
    none = resolve(Example, [{"regularizer": {"rule": "none", "dropout": 0.3}}])
    (found,) = without_effect(none, ["regularizer.dropout", "seed"])
    assert found[0] == "regularizer.dropout"
    assert found[1].where == "with another regularizer.rule than none"
    assert list(without_effect(none, ["regularizer.dropout", "regularizer.rule"])) == []
    assert list(without_effect(Example(), ["regularizer.dropout"])) == []


@pytest.mark.parametrize(("epochs", "first", "acts"), [(3, 3, True), (3, 4, False), (3, None, True)])
def test_an_average_has_to_begin_before_training_ends(epochs: int, first: int | None, acts: bool) -> None:
    config = resolve(Example, [{"training": {"epochs": epochs, "average_from": first}}])
    assert (list(without_effect(config, ["training.average_from"])) == []) == acts


@pytest.mark.parametrize("rule", ["none", "zaremba", "naive", "variational", "recurrent", "zoneout", "weight-drop"])
def test_a_rate_on_the_path_through_time_acts_where_the_rule_touches_it(rule: str) -> None:
    config = resolve(Example, [{"regularizer": {"rule": rule}}])
    idle = [key for key, _ in without_effect(config, ["regularizer.recurrent_dropout", "regularizer.dropout"])]
    path, rate = "regularizer.recurrent_dropout", "regularizer.dropout"
    assert idle == {"none": [path, rate], "zaremba": [path]}.get(rule, [])


def test_a_mark_says_nothing_where_its_condition_holds() -> None:
    class Small(Section):
        wide: bool = False
        size: Annotated[int, OnlyWhere(lambda options: options.wide, "with --wide")] = 1

    assert [key for key, _ in without_effect(Small(), ["size"])] == ["size"]
    assert list(without_effect(Small(wide=True), ["size", "wide"])) == []


def test_the_order_of_settings_plays_no_part_in_their_identity() -> None:
    one = resolve(Example, [{"seed": 2, "data": {"name": "ptb"}}])
    other = resolve(Example, [{"data": {"name": "ptb"}, "seed": 2}])
    assert one.sha256() == other.sha256()
    assert len(one.sha256()) == 64
    assert one.sha256() != Example(data=DataConfig(name="ptb")).sha256()


@pytest.mark.parametrize("task", ["lm", "mt", "asr", "caption"])
def test_no_setting_is_larger_than_a_number_of_a_network_can_be(task: str) -> None:
    """PyTorch meets it deep within a training, and raises an error of its own."""
    config = load_plugin(task).config(task=task)
    numbers = [name for name, value in flatten(config.model_dump()).items() if isinstance(value, float)]
    assert "training.rate" in numbers
    for name in numbers:
        with pytest.raises(ConfigError, match=name):
            resolve(type(config), [nest(name, 1e39)])
    assert resolve(type(config), [nest("training.rate", 3e38)]).training.rate == 3e38
