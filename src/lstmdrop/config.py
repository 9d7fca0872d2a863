"""Configuration: frozen sections, TOML presets and ``section.field=value`` overrides."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lstmdrop.errors import ConfigError, did_you_mean

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


class Section(BaseModel):
    """A frozen group of settings that refuses keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class RegularizerConfig(Section):
    """Where the LSTM is noisy in training, and how much."""

    rule: Literal["none", "zaremba", "naive", "variational", "recurrent", "zoneout", "weight-drop"] = "zaremba"
    dropout: float = Field(default=0.5, ge=0, lt=1, description="p on the non-recurrent connections")
    recurrent_dropout: float | None = Field(
        default=None, ge=0, lt=1, description="p on the path through time, for rules that touch it; default: dropout"
    )


class TrainingConfig(Section):
    """How the weights are found."""

    epochs: int = Field(default=13, ge=1)
    optimizer: Literal["sgd", "adamw"] = "sgd"
    rate: float = Field(default=1.0, gt=0, description="learning rate of the first epochs")
    decay_after: int = Field(default=4, ge=0, description="epochs at the full rate")
    decay: float = Field(default=2.0, ge=1, description="the rate is divided by this before each later epoch")
    weight_decay: float = Field(default=0.0, ge=0)
    clip: float = Field(default=5.0, gt=0, description="largest norm of the gradient")
    accumulate: int = Field(default=1, ge=1, description="parts in which a batch is computed, one after the other")
    precision: Literal["float32", "tf32", "bf16"] = "float32"
    patience: int | None = Field(default=None, ge=1, description="stop after so many epochs without a better score")
    kernel: Literal["auto", "onednn", "native"] = Field(
        default="auto", description="the CPU kernel of the fused LSTM; auto measures which is faster"
    )
    log_every: int = Field(default=100, ge=1, description="steps between log entries")
    save_minutes: float = Field(default=2.0, ge=0, description="minutes between checkpoints within an epoch")


class DataConfig(Section):
    """Which data; a task adds how it is read."""

    name: str = "demo"


class TaskConfig(Section):
    """All that determines a run; a task adds its own sections."""

    task: str
    size: str = "small"
    seed: int = Field(default=1, ge=0)
    data: DataConfig = DataConfig()
    regularizer: RegularizerConfig = RegularizerConfig()
    training: TrainingConfig = TrainingConfig()

    def sha256(self) -> str:
        """Identity of the configuration: the hash of all that differs from the defaults, as canonical JSON.

        So a setting that a later version adds does not change the identity of earlier runs.
        """
        settings = self.model_dump(mode="json", exclude_defaults=True)
        return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


ConfigT = TypeVar("ConfigT", bound=Section)
Layer = Mapping[str, Any]


def resolve(config_class: type[ConfigT], layers: Iterable[Layer]) -> ConfigT:
    """Lay nested mappings over the class defaults, the later over the earlier.

    Raises:
        ConfigError: a key does not exist (the nearest real one is named) or a value does not fit.
    """
    merged: dict[str, Any] = {}
    for layer in layers:
        merged = _merge(merged, layer)
    try:
        return config_class.model_validate(merged)
    except ValidationError as error:
        raise ConfigError(_explain(error, config_class)) from None


def read_preset(path: Path) -> dict[str, Any]:
    """Settings from a TOML file, or from a JSON file such as a run's ``config.json``.

    Raises:
        ConfigError: the file is missing or cannot be parsed.
    """
    try:
        text = path.read_text(encoding="utf-8")
        return dict(json.loads(text) if path.suffix == ".json" else tomllib.loads(text))
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
    if not equals or not key.strip():
        raise ConfigError(f"--set {text!r}: write section.field=value")
    return nest(key.strip(), _parse_value(value.strip()))


def nest(dotted: str, value: object) -> dict[str, Any]:
    """``nest("training.clip", 5)`` is ``{"training": {"clip": 5}}``."""
    for part in reversed(dotted.split(".")):
        value = {part: value}
    return value  # type: ignore[return-value]


def differences(old: Section, new: Section) -> list[str]:
    """The dotted keys whose values differ, each as ``key: old -> new``."""
    before, after = _flatten(old.model_dump(mode="json")), _flatten(new.model_dump(mode="json"))
    keys = sorted(before.keys() | after.keys())
    return [f"{key}: {before.get(key)} -> {after.get(key)}" for key in keys if before.get(key) != after.get(key)]


def _parse_value(text: str) -> object:
    if text in ("None", "null"):  # "none" is a value of its own: the rule without dropout
        return None
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _merge(base: Layer, over: Layer) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        merged[key] = _merge(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return merged


def _flatten(tree: Layer, prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        flat |= _flatten(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return flat


def _explain(error: ValidationError, config_class: type[Section]) -> str:
    lines = []
    for problem in error.errors():
        key = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            lines.append(f"there is no setting {key!r}{_suggestion(key, setting_names(config_class))}")
        elif problem["type"] == "value_error":  # raised by a section about several of its settings
            lines.append(f"{key}: {problem['ctx']['error']}")  # pyright: ignore
        else:
            lines.append(f"{key} = {problem['input']!r}: {problem['msg'].lower()}")  # pyright: ignore
    return "\n".join(lines)


def setting_names(section: type[Section], prefix: str = "") -> list[str]:
    """Every dotted key of a configuration class."""
    names: list[str] = []
    for name, field in section.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            names += setting_names(field.annotation, f"{prefix}{name}.")
        else:
            names.append(f"{prefix}{name}")
    return names


def _suggestion(key: str, known: list[str]) -> str:
    same_field = [name for name in known if name.rpartition(".")[2] == key.rpartition(".")[2]]
    nearest = did_you_mean(same_field[0] if same_field else key, known)
    return nearest or f"; the settings are {', '.join(known)}"
