"""Acoustic models as graphs for other runtimes."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from lstmdrop.graphs.graph import Graph, Port, require_whole_passes
from lstmdrop_tasks.asr.task import SpeechRecognition


def graphs(task: SpeechRecognition) -> Mapping[str, Graph]:
    """``model``: the normalised features of one utterance; log-probabilities at every step.

    For frames a step has the phones of each frame that it stands for, one frame after the other.

    Raises:
        UsageError: the rule is zoneout, under which a whole pass is no fixed graph.
    """
    require_whole_passes(task.model)
    features = Port("features", ["frames", 1, len(task.normalisation.mean)])
    outputs = Port("log_probs", ["steps", 1, task.targets.num_outputs])
    return {"model": Graph(_Whole(task), [features], [outputs])}


class _Whole(nn.Module):
    """One utterance, without padding."""

    def __init__(self, task: SpeechRecognition) -> None:
        super().__init__()
        self.model, self.targets = task.model, task.targets

    def forward(self, features: Tensor) -> tuple[Tensor]:
        lengths = torch.full((1,), features.shape[0])
        return (self.targets.log_probs(self.model(features, lengths)),)
