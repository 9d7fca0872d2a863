"""Language modelling, the paper's first task: word-level text, scored by perplexity."""

from __future__ import annotations

from pathlib import Path

from lstmdrop.contest import Axis
from lstmdrop.plugin import TaskOption, TaskPlugin, deferred
from lstmdrop_tasks.lm.config import READING, LMConfig, LMPrediction
from lstmdrop_tasks.lm.datasets import DATASETS

with deferred():
    from lstmdrop_tasks.lm.bench import bench
    from lstmdrop_tasks.lm.corpora import prepare_own
    from lstmdrop_tasks.lm.evaluation import evaluate
    from lstmdrop_tasks.lm.export import graphs
    from lstmdrop_tasks.lm.overview import own_oddities
    from lstmdrop_tasks.lm.predict import examples, predict
    from lstmdrop_tasks.lm.serve import services
    from lstmdrop_tasks.lm.stacked import StackedStreamLoss
    from lstmdrop_tasks.lm.task import build
    from lstmdrop_tasks.lm.tuning import tune

PLUGIN = TaskPlugin(
    name="lm",
    summary="language modelling: perplexity, sampled text",
    config=LMConfig,
    presets=Path(__file__).parent / "presets",
    datasets=DATASETS,
    stack=StackedStreamLoss,
    not_stacked=("training.random_steps", "model.softmax"),
    services=services,
    pipeline="text-generation",
    build=build,
    evaluate=evaluate,
    prediction=LMPrediction,
    predict=predict,
    inputs="lines",
    inputs_where=READING,
    bench=bench,
    bench_settings=("training.batch_size", "training.num_steps"),
    growth=(
        Axis("hidden size", "model.hidden_size", (128, 256, 512, 1024, 1536), ("data.vocabulary_size=2000",)),
        Axis("layers", "model.num_layers", (1, 2, 4, 8, 16), ("data.vocabulary_size=2000",)),
        Axis("vocabulary", "data.vocabulary_size", (1_000, 4_000, 16_000, 64_000, 250_000)),
        Axis("window", "training.num_steps", (10, 20, 40, 80, 160)),
        Axis("batch", "training.batch_size", (10, 20, 40, 80, 160)),
        Axis("corpus", None, (200_000, 800_000, 3_200_000, 12_800_000)),
    ),
    examples=examples,
    graphs=graphs,
    oddities=own_oddities,
    prepare_own=prepare_own,
    tune=tune,
    inherited=("model", "data.tokens", "data.min_count", "data.vocabulary_size", "data.vocabulary_mb"),
    reading=("data.column",),
    options=(
        TaskOption("--column", "data.column", "Column of a table or of JSON lines with the text.", "NAME"),
        TaskOption(
            "--dynamic", "scoring.dynamic", "Go on learning from the text once it is scored (Krause et al. 2018)."
        ),
        TaskOption("--cache", "scoring.cache", "Remember the last 500 words and their contexts (Grave et al. 2017)."),
        TaskOption("--temperature", "scoring.temperature", "Divide the logits: below 1 is surer, above 1 less.", "X"),
    ),
    scoring_settings=("decoding", "scoring", "data.column"),
    eval_only=("scoring",),
)
