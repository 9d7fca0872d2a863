"""Configuration: frozen sections, and a message for every key or value that does not fit them."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from lstmdrop.errors import ConfigError, UsageError, did_you_mean
from lstmdrop.presets import Layer, flatten, merge

log = logging.getLogger("lstmdrop.config")


@dataclass(frozen=True, slots=True)
class OnlyWhere:
    """Says of a setting, within its `Annotated` type, where it has an effect: elsewhere it is refused."""

    holds: Callable[[Any], bool]
    """Asked of the whole configuration, or of all options of a command."""
    where: str
    """In words that follow "has an effect only"."""
    unless: str = ""
    """A setting that was chosen to take the effect away, if it is given too."""


class Section(BaseModel):
    """A frozen group of settings that refuses keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    neutral: ClassVar[frozenset[str]] = frozenset()
    """The settings of this section that change no result: a run may go on with another value."""


Split = Literal["train", "valid", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)


def whole_characters(text: str) -> str:
    """The text, if it is one: Python hands on a byte of the command line that is not UTF-8 as half a character.

    Raises:
        ValueError: it is not.
    """
    if any(char == "\0" or "\ud800" <= char <= "\udfff" for char in text):
        raise ValueError("the text is not UTF-8, or has a zero byte")
    return text


Text = Annotated[str, AfterValidator(whole_characters)]
"""What a model reads; a path may hold any bytes, a text may not."""

LARGEST_SEED = 2**32 - 1


def _own_numbers(seed: int) -> int:
    if not 0 <= seed <= LARGEST_SEED:  # PyTorch's generator on a CPU starts from 32 bits: larger ones repeat these
        raise ValueError(f"{seed} is no seed: they go from 0 to {LARGEST_SEED}")
    return seed


Seed = Annotated[int, AfterValidator(_own_numbers)]
"""Of random choices: each gives numbers of its own."""

RuleName = Literal["none", "zaremba", "naive", "variational", "recurrent", "zoneout", "weight-drop"]


WITH_DROPOUT = OnlyWhere(
    lambda config: config.regularizer.rule != "none", "with another regularizer.rule than none", "regularizer.rule"
)
OVER_TIME = OnlyWhere(
    lambda config: config.regularizer.rule not in ("none", "zaremba"),
    "with a regularizer.rule that touches the path through time", "regularizer.rule",
)  # fmt: skip
IN_TIME = OnlyWhere(
    lambda config: (config.training.average_from or 0) <= config.training.epochs, "up to training.epochs"
)


WITH_BEAM = OnlyWhere(lambda config: config.decoding.beam_size > 1, "with a beam_size of 2 or more")
SEARCHING = OnlyWhere(lambda options: not options.sample, "without --sample")
DRAWING = OnlyWhere(lambda options: options.sample, "with --sample")
IN_JSON = OnlyWhere(lambda options: getattr(options, "sample", False), "with --json")
"""For what the plain form of ``predict`` does not show; the best of many that are drawn is another."""


class RegularizerConfig(Section):
    """Where the LSTM is noisy in training, and how much."""

    rule: RuleName = "zaremba"
    dropout: Annotated[float, WITH_DROPOUT] = Field(
        default=0.5, ge=0, lt=1, description="p on the non-recurrent connections"
    )
    recurrent_dropout: Annotated[float | None, OVER_TIME] = Field(
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
    average_from: Annotated[int | None, IN_TIME] = Field(
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
