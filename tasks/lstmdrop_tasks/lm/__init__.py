"""Language modelling, the paper's first task: word-level text, scored by perplexity."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstmdrop.plugin import Speed, TaskPlugin, preset_folder
from lstmdrop_tasks.lm.config import SCORING, LMConfig, LMPrediction
from lstmdrop_tasks.lm.corpora import DATASETS

if TYPE_CHECKING:
    import torch

    from lstmdrop.graphs.graph import Graph
    from lstmdrop.metrics.score import Score
    from lstmdrop.task import Split
    from lstmdrop_tasks.lm.task import LanguageModelling


def _build(
    config: LMConfig, assets: Path, device: torch.device, data_dir: Path | None, scored: Sequence[Split] = ()
) -> LanguageModelling:
    from lstmdrop_tasks.lm.task import build

    return build(config, assets, device, data_dir, scored)


def _evaluate(tasks: Iterable[LanguageModelling], split: Split, outputs: Path | None = None) -> Sequence[Score]:
    from lstmdrop_tasks.lm.task import evaluate

    return evaluate(tasks, split, outputs)


def _predict(
    tasks: Sequence[LanguageModelling], inputs: Iterable[str], options: LMPrediction
) -> Iterator[Mapping[str, Any]]:
    from lstmdrop_tasks.lm.predict import predict

    return predict(tasks, inputs, options)


def _bench(config: LMConfig, device: torch.device, seconds: float) -> Speed:
    from lstmdrop_tasks.lm.bench import bench

    return bench(config, device, seconds)


def _examples(task: LanguageModelling) -> Iterator[Mapping[str, Any]]:
    from lstmdrop_tasks.lm.predict import predict

    return predict([task], (), LMPrediction(length=60, num_samples=3))


def _graphs(task: LanguageModelling) -> Mapping[str, Graph]:
    from lstmdrop_tasks.lm.export import graphs

    return graphs(task)


def _oddities(path: Path) -> Iterator[str]:
    from lstmdrop_tasks.lm.corpora import own_texts, text_oddities

    for text in own_texts(path):
        yield from text_oddities(text)


PLUGIN = TaskPlugin(
    name="lm",
    summary="language modelling: perplexity, sampled text",
    config=LMConfig,
    presets=preset_folder(__file__),
    datasets=DATASETS,
    build=_build,
    evaluate=_evaluate,
    prediction=LMPrediction,
    predict=_predict,
    inputs="lines",
    inputs_where=SCORING,
    bench=_bench,
    examples=_examples,
    graphs=_graphs,
    oddities=_oddities,
)
