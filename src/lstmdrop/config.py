"""Configuration: frozen sections, and a message for every key or value that does not fit them."""

from __future__ import annotations

import hashlib
import json
import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
)

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


LARGEST_NUMBER = (2 - 2**-23) * 2.0**127
"""Of 32 bits; PyTorch refuses a larger one where it meets a network's."""


class Section(BaseModel):
    """A frozen group of settings that refuses keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    neutral: ClassVar[frozenset[str]] = frozenset()
    """The settings of this section that change no result: a run may go on with another value."""
    between_epochs: ClassVar[frozenset[str]] = frozenset()
    """Those that shape batches: a run may go on with another value where an epoch begins, not within one."""
    records: ClassVar[frozenset[str]] = frozenset()
    """What is no setting, but noted of a run: nobody sets it, and where there is nothing to note it is left out."""

    @field_validator("*")
    @classmethod
    def _in_single_precision(cls, value: Any) -> Any:
        if isinstance(value, float) and LARGEST_NUMBER < abs(value) < math.inf:
            raise ValueError(f"{value:g} is too large: a network's numbers go to {LARGEST_NUMBER:.2g}")
        return value


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
WRITING = OnlyWhere(lambda options: not options.score, "without --score")
GIVEN = OnlyWhere(lambda options: options.score, "with --score")
IN_JSON = OnlyWhere(
    lambda options: getattr(options, "sample", False) or getattr(options, "format", None) == "json", "with --json"
)
"""For what the plain form of ``predict`` does not show; the best of many that are drawn is another."""


AS_PUBLISHED = OnlyWhere(lambda config: config.training.schedule == "paper", "with training.schedule=paper")
ON_PLATEAU = OnlyWhere(lambda config: config.training.schedule == "plateau", "with training.schedule=plateau")
WITH_MOMENTS = OnlyWhere(lambda config: config.training.optimizer != "sgd", "with training.optimizer=adam or adamw")
AVERAGING = OnlyWhere(
    lambda config: config.training.average_from or config.training.average_after,
    "with training.average_from or training.average_after",
)

Share = Annotated[float, Field(ge=0, lt=1)]


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

    neutral = frozenset({"log_every", "save_minutes", "deterministic"})
    between_epochs = frozenset({"accumulate"})

    epochs: int = Field(default=13, ge=1)
    optimizer: Literal["sgd", "adamw", "adam"] = "sgd"
    rate: float = Field(default=1.0, gt=0, description="learning rate of the first epochs, or at its highest")
    schedule: Literal["paper", "plateau", "cosine", "one-cycle"] = "paper"
    decay_after: Annotated[int, AS_PUBLISHED] = Field(default=4, ge=0, description="epochs at the full rate")
    decay: Annotated[float, AS_PUBLISHED] = Field(
        default=2.0, ge=1, description="the rate is divided by this before each later epoch"
    )
    plateau_patience: Annotated[int, ON_PLATEAU] = Field(
        default=1, ge=1, description="epochs without a better score before the rate falls"
    )
    plateau_factor: Annotated[float, ON_PLATEAU] = Field(
        default=0.25, gt=0, lt=1, description="what the rate is multiplied by then"
    )
    warmup: float = Field(
        default=0.0, ge=0, lt=1, description="share of all steps in which the rate rises to its full height"
    )
    betas: Annotated[tuple[Share, Share], WITH_MOMENTS] = Field(
        default=(0.9, 0.999), description="how long Adam remembers the gradient and its square"
    )
    epsilon: Annotated[float, WITH_MOMENTS] = Field(
        default=1e-8, gt=0, description="added to the root of the squares (Kingma & Ba 2015)"
    )
    weight_decay: float = Field(
        default=0.0, ge=0, description="of adamw apart from the gradient, else added to it (L2)"
    )
    clip: float = Field(default=5.0, gt=0, description="largest norm of the gradient")
    accumulate: int = Field(default=1, ge=1, description="parts in which a batch is computed, one after the other")
    precision: Literal["float32", "tf32", "bf16"] = "float32"
    patience: int | None = Field(default=None, ge=1, description="stop after so many epochs without a better score")
    average_from: Annotated[int | None, IN_TIME] = Field(
        default=None, ge=1, description="score and keep the mean of the weights after each epoch from this one on"
    )
    average_after: int | None = Field(
        default=None,
        ge=1,
        description="begin with it after an epoch no better than the best of so many epochs before it "
        "(non-monotone trigger, Merity et al. 2018)",
    )
    average_over: Annotated[Literal["epochs", "steps"], AVERAGING] = Field(
        default="epochs", description="steps: of the mean are the weights after every step"
    )
    kernel: Literal["auto", "measured", "onednn", "native", "layers", "stack"] = Field(
        default="auto",
        description="the fused LSTM: onednn or native on a CPU, layers (a call each) or stack (one call) on a GPU; "
        "auto: onednn where it can run, or stack; measured: the faster one on the first batch",
    )
    sync_every: int = Field(
        default=1,
        ge=1,
        description="of several workers: steps that each makes by itself before all take the mean of their weights; "
        "1: every step is one of all",
    )
    replay: bool = Field(
        default=True, description="on a CUDA GPU, record a step as a graph and replay it where the task allows"
    )
    deterministic: bool = Field(
        default=False, description="on a CUDA GPU, take only algorithms that give the same bits in every run"
    )
    log_every: int = Field(default=100, ge=1, description="steps between log entries")
    save_minutes: float = Field(default=2.0, ge=0, description="minutes between checkpoints within an epoch")

    @model_serializer(mode="wrap")
    def _without_what_is_usual(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {key: value for key, value in dump(self).items() if (key, value) != ("sync_every", 1)}


Megabytes = Annotated[
    float | None,
    Field(
        gt=0,
        allow_inf_nan=False,
        description="MB of the training text that the tokens are learnt from, spread evenly over it; default: all",
    ),
]


class DataConfig(Section):
    """Which data; a task adds how it is read."""

    name: str = "demo"


class Start(Section):
    """The trained run whose weights and assets a run began with."""

    run: str
    """Its folder, which is not needed once the first checkpoint is written."""
    name: str
    """What it was, as its folder is named by default, but for the seed: ``mt-small-multi30k``."""
    weights_sha256: str
    config_sha256: str


class Change(Section):
    """Settings of training with which a run went on from a point of it."""

    epoch: int
    """The first epoch, counted from 1, that ended under them."""
    step: int
    """Steps made before."""
    settings: dict[str, tuple[Any, Any]]
    """By dotted key the value until then and the one from then on."""

    def __str__(self) -> str:
        """In a line."""
        listed = ", ".join(f"{key} {old} -> {new}" for key, (old, new) in self.settings.items())
        return f"from epoch {self.epoch} on, step {self.step}: {listed}"


class TaskConfig(Section):
    """All that determines a run; a task adds its own sections."""

    records = frozenset({"start", "changes"})

    task: str
    size: str = "small"
    seed: Seed = 1
    data: DataConfig = DataConfig()
    regularizer: RegularizerConfig = RegularizerConfig()
    training: TrainingConfig = TrainingConfig()
    start: Start | None = None
    changes: tuple[Change, ...] = ()

    @model_serializer(mode="wrap")
    def _with_what_is_noted(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {key: value for key, value in dump(self).items() if value or key not in self.records}

    def sha256(self) -> str:
        """Identity of the configuration: the hash of all that differs from the defaults, as canonical JSON.

        So a setting that a later version adds does not change the identity of earlier runs. Of the run that training
        started from the weights count, whatever is noted beside them.
        """
        beside = {"start": {"run", "name", "config_sha256"}}
        settings = self.model_dump(mode="json", exclude_defaults=True, exclude=beside)
        return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
