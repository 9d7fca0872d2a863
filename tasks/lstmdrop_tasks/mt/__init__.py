"""Machine translation: sentence pairs, scored by BLEU and chrF."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstmdrop.errors import DataError
from lstmdrop.plugin import ScoredItem, Speed, TaskPlugin, preset_folder
from lstmdrop_tasks.mt.config import MTConfig, MTPrediction
from lstmdrop_tasks.mt.corpora.datasets import DATASETS

if TYPE_CHECKING:
    import torch

    from lstmdrop.graphs.graph import Graph
    from lstmdrop.metrics.score import Score
    from lstmdrop.task import Split
    from lstmdrop_tasks.mt.task import MachineTranslation


def _build(
    config: MTConfig, assets: Path, device: torch.device, data_dir: Path | None, scored: Sequence[Split] = ()
) -> MachineTranslation:
    from lstmdrop_tasks.mt.task import build

    return build(config, assets, device, data_dir, scored)


def _evaluate(tasks: Iterable[MachineTranslation], split: Split, outputs: Path | None = None) -> Sequence[Score]:
    from lstmdrop_tasks.mt.task import evaluate

    return evaluate(tasks, split, outputs)


def _tune(tasks: Sequence[MachineTranslation], split: Split) -> Mapping[str, Any]:
    from lstmdrop_tasks.mt.tuning import tune

    return tune(tasks, split)


def _predict(
    tasks: Sequence[MachineTranslation], inputs: Iterable[str], options: MTPrediction
) -> Iterator[Mapping[str, Any]]:
    from lstmdrop_tasks.mt.predict import predict

    return predict(tasks, inputs, options)


def _bench(config: MTConfig, device: torch.device, seconds: float) -> Speed:
    from lstmdrop_tasks.mt.bench import bench

    return bench(config, device, seconds)


def _references(config: MTConfig, data_dir: Path | None) -> Sequence[ScoredItem]:
    from lstmdrop.data.text import read_lines
    from lstmdrop_tasks.mt.corpora.find import find_corpus

    text = find_corpus(config.data.name, config.data.pair, data_dir, config.data.layout).test
    pairs = zip(read_lines(text.source), read_lines(text.target), strict=True)
    return [ScoredItem([target], source) for source, target in pairs]


def _examples(task: MachineTranslation) -> Iterator[Mapping[str, Any]]:
    from lstmdrop_tasks.mt.predict import examples

    return examples(task)


def _graphs(task: MachineTranslation) -> Mapping[str, Graph]:
    from lstmdrop_tasks.mt.export import graphs

    return graphs(task)


def _oddities(path: Path) -> Iterator[str]:
    from lstmdrop_tasks.mt.corpora.oddities import is_parallel, oddities

    try:
        yield from oddities(str(path), None) if is_parallel(path) else ()
    except DataError as error:
        yield str(error)


PLUGIN = TaskPlugin(
    name="mt",
    summary="machine translation: BLEU, translated lines",
    config=MTConfig,
    presets=preset_folder(__file__),
    datasets=DATASETS,
    build=_build,
    evaluate=_evaluate,
    tune=_tune,
    prediction=MTPrediction,
    predict=_predict,
    inputs="lines",
    bench=_bench,
    references=_references,
    examples=_examples,
    graphs=_graphs,
    oddities=_oddities,
    scoring_settings=("decoding", "scoring", "data.pair", "data.columns", "data.header", "data.quoted"),
)
