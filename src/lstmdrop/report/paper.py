"""Tables 1 to 4 of the paper, the command for each of their rows, and which runs follow its recipe."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from lstmdrop.report.runs import RunSummary


@dataclass(frozen=True, slots=True)
class Target:
    """Which run stands beside a row of the paper."""

    task: str
    data: str
    size: str
    regularizer: str
    num_models: int = 1
    dropout: float | None = None
    """p on the non-recurrent connections in the paper; None where nothing is dropped."""
    epochs: int | None = None
    settings: Mapping[str, tuple[object, ...]] = field(default_factory=dict)
    """By dotted key the values that are the paper's; a run that does not know the key has its default."""
    measured: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """By split and score what its signature says of the paper's data and units: a name alone would not tell."""

    def matches(self, run: RunSummary) -> bool:
        """Whether ``run`` is of this recipe; a single one that does not say its p is taken at its size's word.

        One that learnt from the text as it was scored is of none, nor is one that began with another run's weights or
        went on under other settings.
        """
        mine = (self.task, self.data, self.size, self.regularizer, self.num_models)
        theirs = (run.task, run.data, run.size, run.regularizer, run.num_models)
        same_settings = all(run.settings.get(key, values[0]) in values for key, values in self.settings.items())
        same_rate = self.dropout is None or _drops(run, self.dropout)
        altered = run.adaptation or run.start or run.changes
        return mine == theirs and same_settings and same_rate and self._measures(run) and not altered

    def _measures(self, run: RunSummary) -> bool:
        scores = ((run.score(*key), parts) for key, parts in self.measured.items())
        return all(score is None or set(parts.split("|")) <= set(score.signature.split("|")) for score, parts in scores)


@dataclass(frozen=True, slots=True)
class PaperColumn:
    """A number that a table of the paper gives in every row."""

    label: str
    split: str
    metric: str


@dataclass(frozen=True, slots=True)
class PaperRow:
    """One line of a table of the paper."""

    label: str
    values: tuple[float | None, ...]
    """In the order of the table's columns; None where the paper gives no number."""
    target: Target | None
    """None for another system, which no run of ours is."""
    command: str = ""
    """What makes the run that matches ``target``."""


@dataclass(frozen=True, slots=True)
class PaperTable:
    """One table of the paper."""

    title: str
    columns: tuple[PaperColumn, ...]
    rows: tuple[PaperRow, ...]
    notes: tuple[str, ...] = ()


def _drops(run: RunSummary, rate: float) -> bool:
    if run.dropout is None:
        return run.num_models == 1  # an average says its p, unless its members differ in it
    return math.isclose(run.dropout, rate)


def _single(label: str, valid: float, test: float, target: Target) -> PaperRow:
    command = f"lstmdrop train lm --data ptb --size {target.size}{_rule(target)}"
    return PaperRow(label, (valid, test), target, command)


def _average(num_models: int, valid: float, test: float, target: Target) -> PaperRow:
    kind = "non-regularised" if target.regularizer == "none" else f"{target.size} regularised"
    name = f"runs/lm-{target.size}-ptb{'-none' if target.regularizer == 'none' else ''}"
    seeds = f"{{1..{num_models}}}"  # the shell makes one --run of each seed
    command = f"lstmdrop eval lm --run={name}-s{seeds} --out {name}-average-{num_models}"
    averaged = replace(target, num_models=num_models)
    return PaperRow(f"averaging {num_models} {kind} LSTMs", (valid, test), averaged, command)


def _regularised(target: Target, dropout: float | None = None) -> Target:
    return replace(target, regularizer="zaremba", dropout=dropout)


def _others(task: str, target: Target) -> str:
    return f"lstmdrop train {task} --data {target.data} --size {target.size}{_rule(target)}"


def _rule(target: Target) -> str:
    return "" if target.regularizer == "zaremba" else f" --regularizer {target.regularizer}"


def _recipe(  # section 4.1
    units: int, bound: float, num_steps: int, decay_after: int, decay: float, clip: float
) -> Mapping[str, tuple[object, ...]]:
    model: dict[str, object] = {
        "num_layers": 2, "hidden_size": units, "init_bound": bound, "tied": False, "embedding_size": None,
        "initialisation": "uniform", "forget_bias": None,
    }  # fmt: skip
    training: dict[str, object] = {
        "optimizer": "sgd", "rate": 1.0, "decay_after": decay_after, "decay": decay, "clip": clip, "weight_decay": 0.0,
        "batch_size": 20, "num_steps": num_steps, "accumulate": 1, "average_from": None, "average_after": None,
        "schedule": "paper", "warmup": 0.0, "random_steps": False, "rotate": False, "ar": 0.0, "tar": 0.0,
    }  # fmt: skip
    regularizer: dict[str, object] = {"input_dropout": None, "output_dropout": None, "embedding_dropout": 0.0}
    sections = {"model": model, "training": training, "regularizer": regularizer}
    papers = {f"{name}.{key}": (value,) for name, section in sections.items() for key, value in section.items()}
    return {**papers, "data.tokens": ("word",)}


_PTB = {
    ("valid", "perplexity"): "tokens:73759|vocabulary:10000",
    ("test", "perplexity"): "tokens:82429|vocabulary:10000",
}
_SMALL = Target(
    "lm", "ptb", "small", "none", epochs=13, settings=_recipe(200, 0.1, 20, 4, 2.0, clip=5.0), measured=_PTB
)
_MEDIUM = Target(
    "lm", "ptb", "medium", "zaremba", dropout=0.5, epochs=39, settings=_recipe(650, 0.05, 35, 6, 1.2, clip=5.0),
    measured=_PTB,
)  # fmt: skip
_LARGE = Target(
    "lm", "ptb", "large", "zaremba", dropout=0.65, epochs=55, settings=_recipe(1500, 0.04, 35, 14, 1.15, clip=10.0),
    measured=_PTB,
)  # fmt: skip

TABLE_1 = PaperTable(
    title="Table 1 of the paper: Penn Treebank, perplexity (lower is better)",
    columns=(PaperColumn("valid", "valid", "perplexity"), PaperColumn("test", "test", "perplexity")),
    rows=(
        _single("non-regularised LSTM, small", 120.7, 114.5, _SMALL),
        _single("medium regularised LSTM", 86.2, 82.7, _MEDIUM),
        _single("large regularised LSTM", 82.2, 78.4, _LARGE),
        _average(2, 100.4, 96.1, _SMALL),
        _average(5, 87.9, 84.1, _SMALL),
        _average(10, 83.5, 80.0, _SMALL),
        _average(2, 80.6, 77.0, _MEDIUM),
        _average(5, 76.7, 73.3, _MEDIUM),
        _average(10, 75.2, 72.0, _MEDIUM),
        _average(2, 76.9, 73.6, _LARGE),
        _average(10, 72.8, 69.5, _LARGE),
        _average(38, 71.9, 68.7, _LARGE),
    ),
    notes=(
        "The paper's code makes its validation perplexity about 1% too low; its test perplexity is exact.",
        "Averaging needs the single models of seeds 1, 2, ... to be trained first (--seed).",
    ),
)

_ICELANDIC = Target("asr", "icelandic", "paper", "none", settings={"objective": ("frames",)})

TABLE_2 = PaperTable(
    title="Table 2 of the paper: Icelandic speech, frame accuracy in % (higher is better)",
    columns=(PaperColumn("train", "train", "frame_accuracy"), PaperColumn("valid", "valid", "frame_accuracy")),
    rows=(
        PaperRow("non-regularised LSTM", (71.6, 68.9), _ICELANDIC, _others("asr", _ICELANDIC)),
        PaperRow("regularised LSTM", (69.4, 70.5), _regularised(_ICELANDIC), _others("asr", _regularised(_ICELANDIC))),
    ),
    notes=(
        "The corpus (93k utterances) is not public and the paper names no architecture: who has it runs the command.",
    ),
)

_WMT14 = Target(
    "mt", "wmt14", "paper", "none",
    settings={
        "data.pair": ("en-fr", None), "data.tokens": ("word",), "data.joint": (False,),
        "data.vocabulary_size": (160_000,), "data.target_vocabulary_size": (80_000,),
        "model.architecture": ("stream",), "model.num_layers": (4,), "model.hidden_size": (1000,),
    },
    measured={("test", "perplexity"): "unit:word|vocabulary:80000"},
)  # fmt: skip

TABLE_3 = PaperTable(
    title="Table 3 of the paper: WMT'14 English to French, test perplexity (lower) and BLEU (higher is better)",
    columns=(PaperColumn("perplexity", "test", "perplexity"), PaperColumn("BLEU", "test", "bleu")),
    rows=(
        PaperRow("non-regularised LSTM", (5.8, 25.9), _WMT14, _others("mt", _WMT14)),
        PaperRow("regularised LSTM", (5.0, 29.03), _regularised(_WMT14, 0.2), _others("mt", _regularised(_WMT14))),
        PaperRow("phrase-based LIUM system", (None, 33.30), target=None),
    ),
)

_COCO = Target(
    "caption", "coco", "paper", "none",
    settings={
        "objective": ("captions",), "data.tokens": ("word",), "data.min_count": (5,),
        "model.architecture": ("show-tell",), "model.num_layers": (1,), "model.hidden_size": (512,),
    },
    measured={("test", "perplexity"): "unit:word", ("test", "bleu4"): "images:5000"},
)  # fmt: skip

TABLE_4 = PaperTable(
    title="Table 4 of the paper: MSCOCO captions, test perplexity (lower) and BLEU (higher is better)",
    columns=(PaperColumn("perplexity", "test", "perplexity"), PaperColumn("BLEU", "test", "bleu4")),
    rows=(
        PaperRow("non-regularised LSTM", (8.47, 23.5), _COCO, _others("caption", _COCO)),
        PaperRow("regularised LSTM", (7.99, 24.3), _regularised(_COCO), _others("caption", _regularised(_COCO))),
        PaperRow(
            "averaging 10 non-regularised LSTMs",
            (7.5, 24.4),
            replace(_COCO, num_models=10),
            "lstmdrop eval caption --run=runs/caption-paper-coco-none-s{1..10} --out runs/caption-average-10",
        ),
    ),
    notes=("The paper does not say which BLEU it means; ours is BLEU-4.",),
)

PAPER_TABLES = (TABLE_1, TABLE_2, TABLE_3, TABLE_4)

PUBLISHED = (
    ("WMT'14 English to French, test BLEU", TABLE_3, 1, 1),
    ("Penn Treebank, large, test perplexity", TABLE_1, 2, 1),
    ("Penn Treebank, large, validation perplexity", TABLE_1, 2, 0),
    ("Penn Treebank, medium, test perplexity", TABLE_1, 1, 1),
    ("Penn Treebank, medium, validation perplexity", TABLE_1, 1, 0),
)
"""The five published numbers: a label, its table, row and column."""
