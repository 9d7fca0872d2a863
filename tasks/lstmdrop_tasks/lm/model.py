"""The paper's language model: embedding, regularised LSTM, softmax; and its loss on a stream."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from lstmdrop.data.batching import Window
from lstmdrop.nn.cross_entropy import linear_cross_entropy, target_log_probs
from lstmdrop.nn.linear import draw_uniform
from lstmdrop.nn.lstm import RegularizedLSTM
from lstmdrop.nn.recurrence import LSTMState
from lstmdrop.nn.rules import Regularizer
from lstmdrop.task import Loss
from lstmdrop_tasks.lm.config import LMModelConfig


class LanguageModel(nn.Module):
    """Predicts each token from all before it (Zaremba et al. 2014, section 4.1)."""

    def __init__(
        self, config: LMModelConfig, vocabulary_size: int, regularizer: Regularizer, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary_size, config.hidden_size)
        self.lstm = RegularizedLSTM(config.hidden_size, config.hidden_size, config.num_layers, regularizer)
        self.softmax = nn.Linear(config.hidden_size, vocabulary_size)
        draw_uniform(self, config.init_bound, generator)

    def features(
        self, inputs: Int[Tensor, "time batch"], state: LSTMState | None = None
    ) -> tuple[Float[Tensor, "time batch hidden"], LSTMState]:
        """What the softmax reads at each step, and the state after the last one."""
        features: tuple[Tensor, LSTMState] = self.lstm(self.embedding(inputs), state)
        return features

    def loss(
        self, inputs: Int[Tensor, "time batch"], targets: Int[Tensor, "time batch"], state: LSTMState | None = None
    ) -> tuple[Float[Tensor, ""], LSTMState]:
        """Negative log-likelihood of the targets, summed over steps and batch, in nats."""
        features, state = self.features(inputs, state)
        loss = linear_cross_entropy(features.flatten(0, 1), self.softmax.weight, self.softmax.bias, targets.flatten())
        return loss, state

    @torch.no_grad()
    def log_probs(
        self, inputs: Int[Tensor, "time batch"], targets: Int[Tensor, "time batch"], state: LSTMState | None = None
    ) -> tuple[Float[Tensor, "time batch"], LSTMState]:
        """Log-probability of each target, in nats."""
        features, state = self.features(inputs, state)
        flat = target_log_probs(features.flatten(0, 1), self.softmax.weight, self.softmax.bias, targets.flatten())
        return flat.view_as(targets), state

    @torch.no_grad()
    def next_logits(
        self, tokens: Int[Tensor, "time batch"], state: LSTMState | None = None
    ) -> tuple[Float[Tensor, "batch vocabulary"], LSTMState]:
        """Unnormalised log-probabilities of what follows ``tokens``."""
        features, state = self.features(tokens, state)
        logits: Tensor = self.softmax(features[-1])
        return logits, state


class StreamLoss:
    """Starts at zero, carries the state on, and cuts the gradient at each window (Zaremba et al., section 4.1)."""

    is_replayable = True

    def __init__(self, model: LanguageModel) -> None:
        self.model = model
        self.states: dict[int, LSTMState] = {}

    def __call__(self, window: Window) -> Loss:
        """The paper's loss is a sum over steps and a mean over the batch: hence the divisor."""
        total, state = self.model.loss(window.inputs, window.targets, self.states.get(window.part))
        self.states[window.part] = LSTMState(state.hidden.detach(), state.cell.detach())
        return Loss(total, count=window.targets.numel(), divisor=window.targets.shape[1])

    def state_dict(self) -> dict[str, Tensor]:
        """The carried states by part of the batch."""
        return {
            f"{part}.{name}": value for part, state in self.states.items() for name, value in state._asdict().items()
        }

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on from ``state``."""
        device = next(self.model.parameters()).device
        parts = {int(key.partition(".")[0]) for key in state}
        self.states = {
            part: LSTMState(state[f"{part}.hidden"].to(device), state[f"{part}.cell"].to(device)) for part in parts
        }
