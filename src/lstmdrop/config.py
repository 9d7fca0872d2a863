"""Configuration: frozen sections, and a message for every key or value that does not fit them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable
from typing import Annotated, Any, ClassVar, Literal, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from lstmdrop.errors import ConfigError, did_you_mean
from lstmdrop.layers import Layer, flatten, merge


class Section(BaseModel):
    """A frozen group of settings that refuses keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    neutral: ClassVar[frozenset[str]] = frozenset()
    """The settings of this section that change no result: a run may go on with another value."""


Split = Literal["train", "valid", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)

LARGEST_SEED = 2**32 - 1


def _own_numbers(seed: int) -> int:
    if not 0 <= seed <= LARGEST_SEED:  # PyTorch's generator on a CPU starts from 32 bits: larger ones repeat these
        raise ValueError(f"{seed} is no seed: they go from 0 to {LARGEST_SEED}")
    return seed


Seed = Annotated[int, AfterValidator(_own_numbers)]
"""Of random choices: each gives numbers of its own."""

RuleName = Literal["none", "zaremba", "naive", "variational", "recurrent", "zoneout", "weight-drop"]


class RegularizerConfig(Section):
    """Where the LSTM is noisy in training, and how much."""

    rule: RuleName = "zaremba"
    dropout: float = Field(default=0.5, ge=0, lt=1, description="p on the non-recurrent connections")
    recurrent_dropout: float | None = Field(
        default=None, ge=0, lt=1, description="p on the path through time, for rules that touch it; default: dropout"
    )


class TrainingConfig(Section):
    """How the weights are found."""

    neutral = frozenset({"log_every", "save_minutes"})

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
    average_from: int | None = Field(
        default=None, ge=1, description="score and keep the mean of the weights after each epoch from this one on"
    )
    kernel: Literal["auto", "onednn", "native", "layers", "stack"] = Field(
        default="auto",
        description="the fused LSTM: onednn or native on a CPU, layers (a call each) or stack (one call) on a GPU; "
        "auto measures which is faster",
    )
    replay: bool = Field(
        default=True, description="on a CUDA GPU, record a step as a graph and replay it where the task allows"
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
    seed: Seed = 1
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


def neutral_settings(config: Section, prefix: str = "") -> set[str]:
    """The dotted keys of what changes no result."""
    parts = {name: getattr(config, name) for name in type(config).model_fields}
    inner = (neutral_settings(part, f"{prefix}{name}.") for name, part in parts.items() if isinstance(part, Section))
    return {f"{prefix}{name}" for name in config.neutral}.union(*inner)


def differences(old: Section, new: Section, but: Collection[str] = ()) -> list[str]:
    """The dotted keys whose values differ, each as ``key: old -> new``, those of ``but`` left out."""
    before, after = flatten(old.model_dump(mode="json")), flatten(new.model_dump(mode="json"))
    keys = sorted((before.keys() | after.keys()) - set(but))
    return [f"{key}: {before.get(key)} -> {after.get(key)}" for key in keys if before.get(key) != after.get(key)]


def _explain(error: ValidationError, config_class: type[Section]) -> str:
    lines = []
    for problem in error.errors():
        key = ".".join(str(part) for part in problem["loc"])  # empty where the whole configuration does not fit
        if problem["type"] == "extra_forbidden":
            lines.append(f"there is no setting {key!r}{_suggestion(key, setting_names(config_class))}")
        elif problem["type"] == "value_error":  # raised by a section about several of its settings
            lines.append(f"{key}{': ' if key else ''}{problem['ctx']['error']}")  # pyright: ignore
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
