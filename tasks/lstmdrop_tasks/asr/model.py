"""The network: stacked frames, a regularised LSTM in one or both directions, a softmax at every step."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from lstmdrop.nn.bidirectional import BidirectionalLSTM
from lstmdrop.nn.linear import draw_by_width, draw_uniform
from lstmdrop.nn.lstm import RegularizedLSTM
from lstmdrop.nn.recurrence import LSTMState
from lstmdrop.nn.rules import Regularizer
from lstmdrop_tasks.asr.config import ASRModelConfig


class AcousticModel(nn.Module):
    """What is said at every step, from all frames (both directions) or from those up to it (one)."""

    def __init__(
        self,
        config: ASRModelConfig,
        num_features: int,
        num_outputs: int,
        regularizer: Regularizer,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.config = config
        reader = BidirectionalLSTM if config.bidirectional else RegularizedLSTM
        self.encoder = reader(config.stack * num_features, config.hidden_size, config.num_layers, regularizer)
        self.softmax = nn.Linear(config.hidden_size * (2 if config.bidirectional else 1), num_outputs)
        if config.init_bound is None:
            draw_by_width(self, generator)
        else:
            draw_uniform(self, config.init_bound, generator)

    def forward(
        self, features: Float[Tensor, "time batch features"], lengths: Int[Tensor, " batch"]
    ) -> Float[Tensor, "steps batch outputs"]:
        """Logits of every step; those after a row's own end mean nothing.

        ``lengths`` are the frames of each row; behind them the features are zero.
        """
        stacked = stack_frames(features, self.config.stack, self.config.stride)
        if isinstance(self.encoder, BidirectionalLSTM):
            outputs = self.encoder.outputs(stacked, self.num_steps(lengths))
        else:
            outputs, _ = self.encoder(stacked)  # what comes after a row's end changes nothing before it
        logits: Tensor = self.softmax(outputs)
        return logits

    def next_logits(
        self, stacked: Float[Tensor, "steps batch stacked"], state: LSTMState | None
    ) -> tuple[Float[Tensor, "steps batch outputs"], LSTMState]:
        """Go on from ``state``, for a model of one direction."""
        outputs, after = self.encoder(stacked, state)
        return self.softmax(outputs), after

    def num_steps(self, lengths: Int[Tensor, "*batch"]) -> Int[Tensor, "*batch"]:
        """Steps of so many frames."""
        return -(-lengths // self.config.stride)


def stack_frames(
    features: Float[Tensor, "time batch features"], stack: int, stride: int
) -> Float[Tensor, "steps batch stacked"]:
    """At every ``stride``-th frame, ``stack`` frames side by side, zeros beyond the ends (Sak et al. 2015)."""
    if stack == stride == 1:
        return features
    before = frames_before(stack, stride)
    padded = F.pad(features, (0, 0, 0, 0, before, stack - before - 1))  # as many windows as there are steps
    return padded.unfold(0, stack, stride).permute(0, 1, 3, 2).flatten(2)


def frames_before(stack: int, stride: int) -> int:
    """How far a step's window reaches back from the first of its own frames."""
    return (stack - stride) // 2
