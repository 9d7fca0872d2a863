"""Image captioning: a sentence for a picture, scored by CIDEr-D and BLEU."""

from __future__ import annotations

from pathlib import Path

from lstmdrop.plugin import TaskOption, TaskPlugin, deferred
from lstmdrop_tasks.caption.config import CaptionConfig, CaptionPrediction
from lstmdrop_tasks.caption.corpora.datasets import DATASETS

with deferred():
    from lstmdrop_tasks.caption.about import own_captions
    from lstmdrop_tasks.caption.bench import bench
    from lstmdrop_tasks.caption.export import graphs
    from lstmdrop_tasks.caption.predict import examples, predict
    from lstmdrop_tasks.caption.references import references, segments
    from lstmdrop_tasks.caption.serve import services
    from lstmdrop_tasks.caption.task import begin, build, evaluate

PLUGIN = TaskPlugin(
    name="caption",
    summary="image captioning: CIDEr-D, BLEU, captioned images",
    config=CaptionConfig,
    presets=Path(__file__).parent / "presets",
    datasets=DATASETS,
    services=services,
    pipeline="image-to-text",
    build=build,
    evaluate=evaluate,
    prediction=CaptionPrediction,
    predict=predict,
    output_of="image",
    bench=bench,
    bench_settings=("objective", "training.batch_tokens", "training.label_smoothing"),
    references=references,
    examples=examples,
    segments=segments,
    graphs=graphs,
    contents=own_captions,
    scoring_settings=("decoding", "scoring", "images.batch_size"),
    inherited=("images", "model", "data.tokens", "data.min_count", "data.vocabulary_size"),
    reading=("data.split_seed",),
    left_behind=("start_from",),
    begin=begin,
    assets_for_training=("first_stage.safetensors",),
    options=(TaskOption("--objective", "objective", "captions or self-critical.", "NAME"),),
)
