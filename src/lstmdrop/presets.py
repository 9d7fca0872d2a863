"""From presets and ``section.field=value``, laid over each other, to a configuration, or what does not fit it."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import reduce
from pathlib import Path, PurePath
from typing import Any, TypeVar

from pydantic import ValidationError

from lstmdrop.config import IN_JSON, OnlyWhere, Section
from lstmdrop.errors import MOST_COMPARED, ConfigError, UsageError, did_you_mean
from lstmdrop.parsing import MOST_DEPTH, parse_json, parse_toml, read_document

Layer = Mapping[str, Any]

log = logging.getLogger("lstmdrop.config")


def read_preset(path: str | Path) -> dict[str, Any]:
    """Settings from a TOML file, or from a JSON file such as a run's ``config.json``.

    Raises:
        ConfigError: the file is missing or cannot be parsed.
    """
    path = Path(path)
    try:
        text = read_document(path).decode("utf-8")
        return dict(parse_json(text) if path.suffix == ".json" else parse_toml(text))
    except OSError as error:
        raise ConfigError(f"preset {path}: {error.strerror or error}") from None
    except (ValueError, TypeError) as error:
        raise ConfigError(f"preset {path} cannot be read: {error}") from None


def parse_override(text: str) -> dict[str, Any]:
    """``section.field=value`` as a nested mapping; the value is ``null``, TOML where it parses, or a string.

    Raises:
        ConfigError: there is no ``=``, or no key before it.
    """
    key, equals, value = text.partition("=")
    if not equals or not key.strip() or key.count(".") > MOST_DEPTH:
        raise ConfigError(f"--set {text[:MOST_COMPARED]!r}: write section.field=value")
    return nest(key.strip(), _parse_value(value.strip()))


def nest(dotted: str, value: object) -> dict[str, Any]:
    """``nest("training.clip", 5)`` is ``{"training": {"clip": 5}}``."""
    for part in reversed(dotted.split(".")):
        value = {part: value}
    return value  # type: ignore[return-value]


def merge(base: Layer, over: Layer) -> dict[str, Any]:
    """``over`` laid over ``base``, key by key at every depth."""
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        merged[key] = merge(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return merged


def flatten(tree: Layer, prefix: str = "") -> dict[str, Any]:
    """The values by dotted key: the inverse of `nest` for many of them."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        flat |= flatten(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return flat


def without(tree: Layer, keys: Collection[str]) -> dict[str, Any]:
    """The tree without the values of these dotted keys."""
    kept: dict[str, Any] = {}
    for key, value in tree.items():
        if key not in keys:
            below = [inner.removeprefix(f"{key}.") for inner in keys if inner.startswith(f"{key}.")]
            kept[key] = without(value, below) if isinstance(value, Mapping) else value
    return kept


def _parse_value(text: str) -> object:
    if text in ("None", "null"):  # "none" is a value of its own: the rule without dropout
        return None
    try:
        parsed = parse_toml(f"value = {text}")
    except ValueError:
        return text
    return parsed["value"] if len(parsed) == 1 else text  # more, where a line end is in it


ConfigT = TypeVar("ConfigT", bound=Section)


def resolve(config_class: type[ConfigT], layers: Iterable[Layer]) -> ConfigT:
    """Lay nested mappings over the class defaults, the later over the earlier.

    Raises:
        ConfigError: a key does not exist (the nearest real one is named) or a value does not fit.
    """
    merged: dict[str, Any] = {}
    for layer in layers:
        merged = merge(merged, layer)
    try:
        return config_class.model_validate(merged)
    except ValidationError as error:
        raise ConfigError(_explain(error, config_class)) from None


def without_effect(config: Section, given: Iterable[str]) -> Iterator[tuple[str, OnlyWhere]]:
    """Of the dotted keys in ``given`` those that have no effect, each with what says where it would."""
    keys = list(given)
    for key in keys:
        *sections, name = key.split(".")
        section: Any = type(config)
        for part in sections:
            section = section.model_fields[part].annotation
        for mark in section.model_fields[name].metadata:
            if isinstance(mark, OnlyWhere) and mark.unless not in keys and not mark.holds(config):
                yield key, mark


def require_effect(options: Section, *, in_json: bool = True) -> None:
    """Check the options of a command that were given.

    Raises:
        UsageError: one has no effect beside the others.
    """
    for name, mark in without_effect(options, sorted(options.model_fields_set)):
        if mark is not IN_JSON or not in_json:
            raise UsageError(f"--{name.replace('_', '-')} has an effect only {mark.where}")


def decoding_with(config: Any, options: Any) -> Any:
    """The section ``decoding`` of a run's configuration, with the options of ``predict`` of the same names over it.

    A beam that nobody has chosen grows to the hypotheses that are asked for, with a line in the log.

    Raises:
        UsageError: an option has no effect, or more hypotheses are asked for than the chosen beam holds.
    """
    names = type(config.decoding).model_fields.keys() & type(options).model_fields.keys()
    given = options.model_dump(include=names - {"batch_size"}, exclude_none=True)
    chosen = config.decoding.model_copy(update=given)
    whole = config.model_copy(update={"decoding": chosen})
    for key, mark in without_effect(whole, [f"decoding.{name}" for name in given]):
        raise UsageError(f"--{key.partition('.')[2].replace('_', '-')} has an effect only {mark.where}")
    wanted, beam_size = options.num_best, chosen.beam_size
    if wanted <= beam_size:
        return chosen
    if options.beam_size is not None:
        raise UsageError(f"--num-best {wanted} is more than --beam-size {beam_size} holds: make it {wanted}")
    log.warning("the beam is %d for --num-best, the run's %d: the best may be another", wanted, beam_size)
    return chosen.model_copy(update={"beam_size": wanted})


def neutral_settings(config: Section, prefix: str = "") -> set[str]:
    """The dotted keys of what changes no result."""
    parts = {name: getattr(config, name) for name in type(config).model_fields}
    inner = (neutral_settings(part, f"{prefix}{name}.") for name, part in parts.items() if isinstance(part, Section))
    return {f"{prefix}{name}" for name in config.neutral}.union(*inner)


PASSING = ("training", "decoding", "scoring")
"""Sections that may become others while a run's weights stay what they are."""


def lasting_settings(config: Any) -> dict[str, Any]:
    """By dotted key what the weights of a run were trained with to their end, places on this machine left out."""
    passing = {*neutral_settings(config), "data.name", "size", *config.records}
    return {
        key: value
        for key, value in flatten(config.model_dump(mode="json")).items()
        if key not in passing
        and key.partition(".")[0] not in {*PASSING, *config.records}
        and not (isinstance(value, str) and PurePath(value).is_absolute())
    }


def without_records(config_class: type[Section], layer: Layer) -> dict[str, Any]:
    """The settings alone, without what is noted of the run that they are from."""
    return {key: value for key, value in layer.items() if key not in config_class.records}


def changed(old: Section, new: Section, but: Collection[str] = ()) -> dict[str, tuple[Any, Any]]:
    """By dotted key the old and the new value where they differ, the keys of ``but`` left out."""
    before, after = flatten(old.model_dump(mode="json")), flatten(new.model_dump(mode="json"))
    keys = sorted((before.keys() | after.keys()) - set(but))
    return {key: (before.get(key), after.get(key)) for key in keys if before.get(key) != after.get(key)}


def differences(old: Section, new: Section, but: Collection[str] = ()) -> list[str]:
    """The dotted keys whose values differ, each as ``key: old -> new``, those of ``but`` left out."""
    return told(changed(old, new, but))


def told(changes: Mapping[str, tuple[Any, Any]]) -> list[str]:
    """Each as ``key: old -> new``."""
    return [f"{key}: {old} -> {new}" for key, (old, new) in changes.items()]


MOST_PROBLEMS = 10
"""That are told of a configuration that does not fit: one of another program may have any number of keys."""


def _explain(error: ValidationError, config_class: type[Section]) -> str:
    lines = []
    problems = error.errors()
    for problem in problems[:MOST_PROBLEMS]:
        key = ".".join(str(part) for part in problem["loc"])  # empty where the whole configuration does not fit
        if problem["type"] == "extra_forbidden":
            lines.append(f"there is no setting {key!r}{_suggestion(key, setting_names(config_class))}")
        elif problem["type"] == "value_error":  # raised by a section about several of its settings
            lines.append(f"{key}{': ' if key else ''}{problem['ctx']['error']}")  # pyright: ignore
        else:
            lines.append(f"{key} = {problem['input']!r}: {problem['msg'].lower()}")  # pyright: ignore
    if len(problems) > MOST_PROBLEMS:
        lines.append(f"and {len(problems) - MOST_PROBLEMS:,} more that do not fit")
    return "\n".join(lines)


def setting_names(section: type[Section], prefix: str = "") -> list[str]:
    """Every dotted key of a configuration class that can be set."""
    names: list[str] = []
    for name, field in section.model_fields.items():
        if name in section.records:
            continue
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            names += setting_names(field.annotation, f"{prefix}{name}.")
        else:
            names.append(f"{prefix}{name}")
    return names


def every_setting(config: Section) -> dict[str, Any]:
    """The values by dotted key as JSON has them, and of what a configuration leaves out the usual ones."""
    noted = flatten(config.model_dump(mode="json"))
    names = set(setting_names(type(config))) - noted.keys()
    usual = {name: reduce(getattr, name.split("."), config) for name in sorted(names)}
    return noted | {name: value for name, value in usual.items() if not isinstance(value, Mapping)}


def _suggestion(key: str, known: list[str]) -> str:
    same_field = [name for name in known if name.rpartition(".")[2] == key.rpartition(".")[2]]
    nearest = did_you_mean(same_field[0] if same_field else key, known)
    return nearest or f"; the settings are {', '.join(known)}"
