"""Machine translation: sentence pairs, scored by BLEU and chrF."""

from __future__ import annotations

from pathlib import Path

from lstmdrop.plugin import TaskOption, TaskPlugin, deferred
from lstmdrop_tasks.mt.config import MTConfig, MTPrediction
from lstmdrop_tasks.mt.corpora.datasets import DATASETS

with deferred():
    from lstmdrop_tasks.mt.bench import bench
    from lstmdrop_tasks.mt.corpora.language_pair import languages
    from lstmdrop_tasks.mt.corpora.overview import own_oddities
    from lstmdrop_tasks.mt.export import graphs
    from lstmdrop_tasks.mt.predict import examples, predict
    from lstmdrop_tasks.mt.references import references
    from lstmdrop_tasks.mt.serve import services
    from lstmdrop_tasks.mt.start import begin
    from lstmdrop_tasks.mt.task import build, evaluate
    from lstmdrop_tasks.mt.tuning import tune

PLUGIN = TaskPlugin(
    name="mt",
    summary="machine translation: BLEU, translated lines",
    config=MTConfig,
    presets=Path(__file__).parent / "presets",
    datasets=DATASETS,
    services=services,
    pipeline="translation",
    languages=languages,
    build=build,
    evaluate=evaluate,
    tune=tune,
    prediction=MTPrediction,
    predict=predict,
    inputs="lines",
    bench=bench,
    bench_settings=("data.target_vocabulary_size", "training.batch_tokens", "training.label_smoothing"),
    references=references,
    examples=examples,
    graphs=graphs,
    oddities=own_oddities,
    inherited=(
        "model",
        "data.tokens",
        "data.joint",
        "data.vocabulary_size",
        "data.target_vocabulary_size",
        "data.vocabulary_mb",
    ),
    reading=("data.pair", "data.columns", "data.header", "data.quoted"),
    begin=begin,
    scoring_settings=("decoding", "scoring", "data.pair", "data.columns", "data.header", "data.quoted"),
    options=(
        TaskOption("--pair", "data.pair", "Source and target language, such as en-fr.", "XX-YY"),
        TaskOption("--columns", "data.columns", "Columns of a table, source first: 2,4 or de,en.", "A,B"),
    ),
)
