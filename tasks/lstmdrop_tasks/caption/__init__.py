"""Image captioning: a sentence for a picture, scored by CIDEr-D and BLEU."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstmdrop.metrics.captions import CAPTION_SEGMENTS
from lstmdrop.plugin import ScoredItem, Speed, TaskPlugin, preset_folder
from lstmdrop_tasks.caption.config import CaptionConfig, CaptionPrediction
from lstmdrop_tasks.caption.corpora.datasets import DATASETS

if TYPE_CHECKING:
    import torch

    from lstmdrop.graphs.graph import Graph
    from lstmdrop.metrics.score import Score
    from lstmdrop.metrics.segments import SegmentsOf
    from lstmdrop.task import Split
    from lstmdrop_tasks.caption.task import ImageCaptioning


def _build(
    config: CaptionConfig, assets: Path, device: torch.device, data_dir: Path | None, scored: Sequence[Split] = ()
) -> ImageCaptioning:
    from lstmdrop_tasks.caption.task import build

    return build(config, assets, device, data_dir, scored)


def _evaluate(tasks: Iterable[ImageCaptioning], split: Split, outputs: Path | None = None) -> Sequence[Score]:
    from lstmdrop_tasks.caption.task import evaluate

    return evaluate(tasks, split, outputs)


def _predict(
    tasks: Sequence[ImageCaptioning], inputs: Iterable[str], options: CaptionPrediction
) -> Iterator[Mapping[str, Any]]:
    from lstmdrop_tasks.caption.predict import predict

    return predict(tasks, inputs, options)


def _bench(config: CaptionConfig, device: torch.device, seconds: float) -> Speed:
    from lstmdrop_tasks.caption.bench import bench

    return bench(config, device, seconds)


def _references(config: CaptionConfig, data_dir: Path | None) -> Sequence[ScoredItem]:
    from lstmdrop_tasks.caption.corpora.find import find_corpus

    images = find_corpus(config.data.name, data_dir).splits["test"]
    return [ScoredItem(list(image.captions), image=image.source) for image in images]


def _examples(task: ImageCaptioning) -> Iterator[Mapping[str, Any]]:
    from lstmdrop_tasks.caption.predict import examples

    return examples(task)


def _graphs(task: ImageCaptioning) -> Mapping[str, Graph]:
    from lstmdrop_tasks.caption.export import graphs

    return graphs(task)


def _segments(config: CaptionConfig) -> Mapping[str, SegmentsOf]:
    return CAPTION_SEGMENTS


PLUGIN = TaskPlugin(
    name="caption",
    summary="image captioning: CIDEr-D, BLEU, captioned images",
    config=CaptionConfig,
    presets=preset_folder(__file__),
    datasets=DATASETS,
    build=_build,
    evaluate=_evaluate,
    prediction=CaptionPrediction,
    predict=_predict,
    bench=_bench,
    references=_references,
    examples=_examples,
    segments=_segments,
    graphs=_graphs,
    scoring_settings=("decoding", "scoring", "images.batch_size"),
    assets_for_training=("first_stage.safetensors",),
)
