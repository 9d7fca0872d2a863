"""Speech recognition: frames to phones scored by frame accuracy, or speech to text scored by word error rate."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstmdrop.plugin import ScoredItem, Speed, TaskPlugin, preset_folder
from lstmdrop_tasks.asr.config import ASRConfig, ASRPrediction
from lstmdrop_tasks.asr.corpora.datasets import DATASETS
from lstmdrop_tasks.asr.scoring import segments

if TYPE_CHECKING:
    import torch

    from lstmdrop.graphs.graph import Graph
    from lstmdrop.metrics.score import Score
    from lstmdrop.task import Split
    from lstmdrop_tasks.asr.task import SpeechRecognition


def _build(
    config: ASRConfig, assets: Path, device: torch.device, data_dir: Path | None, scored: Sequence[Split] = ()
) -> SpeechRecognition:
    from lstmdrop_tasks.asr.task import build

    return build(config, assets, device, data_dir, scored)


def _evaluate(tasks: Iterable[SpeechRecognition], split: Split, outputs: Path | None = None) -> Sequence[Score]:
    from lstmdrop_tasks.asr.task import evaluate

    return evaluate(tasks, split, outputs)


def _predict(
    tasks: Sequence[SpeechRecognition], inputs: Iterable[str], options: ASRPrediction
) -> Iterator[Mapping[str, Any]]:
    from lstmdrop_tasks.asr.predict import predict

    return predict(tasks, inputs, options)


def _tune(tasks: Sequence[SpeechRecognition], split: Split) -> Mapping[str, Any]:
    from lstmdrop_tasks.asr.tuning import tune

    return tune(tasks, split)


def _bench(config: ASRConfig, device: torch.device, seconds: float) -> Speed:
    from lstmdrop_tasks.asr.bench import bench

    return bench(config, device, seconds)


def _references(config: ASRConfig, data_dir: Path | None) -> Sequence[ScoredItem]:
    from lstmdrop_tasks.asr.references import references

    return references(config, data_dir)


def _graphs(task: SpeechRecognition) -> Mapping[str, Graph]:
    from lstmdrop_tasks.asr.export import graphs

    return graphs(task)


PLUGIN = TaskPlugin(
    name="asr",
    summary="speech recognition: phone frames, transcribed audio, WER and CER",
    config=ASRConfig,
    presets=preset_folder(__file__),
    datasets=DATASETS,
    build=_build,
    evaluate=_evaluate,
    prediction=ASRPrediction,
    predict=_predict,
    bench=_bench,
    references=_references,
    segments=segments,
    tune=_tune,
    graphs=_graphs,
    assets_for_training=("transcripts.txt", "left_out.txt"),
)
