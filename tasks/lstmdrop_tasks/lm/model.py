"""The paper's language model: embedding, regularised LSTM, softmax; and its loss on a stream."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from lstmdrop.data.batching import Window
from lstmdrop.nn.linear import draw_uniform, draw_xavier, set_forget_bias
from lstmdrop.nn.lstm import RegularizedLSTM
from lstmdrop.nn.recurrence import LSTMState
from lstmdrop.nn.rules import Regularizer
from lstmdrop.nn.softmax import FullSoftmax
from lstmdrop.task import Loss
from lstmdrop_tasks.lm.config import LMModelConfig
from lstmdrop_tasks.lm.softmax import make_softmax


class Penalties(NamedTuple):
    """Weights of what is asked of the top layer's outputs (Merity, McCann & Socher 2017, equations 5 and 6)."""

    activation: float
    """Of the mean of their squares, as they are after dropout."""
    slowness: float
    """Of the mean of the squares of their change from step to step, as they are before it."""

    def of(
        self, dropped: Float[Tensor, "time batch hidden"], outputs: Float[Tensor, "time batch hidden"]
    ) -> Float[Tensor, ""]:
        """What is added to the loss of a token."""
        penalty = self.activation * dropped.float().square().mean()
        if len(outputs) > 1:
            penalty = penalty + self.slowness * outputs.float().diff(dim=0).square().mean()
        return penalty


NO_PENALTIES = Penalties(0.0, 0.0)


class LanguageModel(nn.Module):
    """Predicts each token from all before it (Zaremba et al. 2014, section 4.1).

    With ``embedding_dropout`` some words are zeros wherever they come in a window, the others so much larger (Gal &
    Ghahramani 2016, section 4.2). ``output_dropout`` is the rate within the softmax, where that has layers of its own;
    on what it reads the ``regularizer`` acts.
    """

    def __init__(
        self,
        config: LMModelConfig,
        vocabulary_size: int,
        regularizer: Regularizer,
        generator: torch.Generator,
        embedding_dropout: float = 0.0,
        output_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        width = config.embedding_size or config.hidden_size
        top = width if config.tied else config.hidden_size
        self.embedding = nn.Embedding(vocabulary_size, width)
        self.embedding_dropout = nn.Dropout(embedding_dropout)
        self.lstm = RegularizedLSTM(width, config.hidden_size, config.num_layers, regularizer, top)
        self.softmax = make_softmax(config, top, vocabulary_size, output_dropout)
        if config.tied:
            assert isinstance(self.softmax, FullSoftmax)  # as the settings have it
            self.softmax.weight = self.embedding.weight
        draw = draw_uniform if config.initialisation == "uniform" else draw_xavier
        draw(self, config.init_bound, generator)
        if config.forget_bias is not None:
            set_forget_bias(self.lstm, config.forget_bias)

    def features(
        self, inputs: Int[Tensor, "time batch"], state: LSTMState | None = None
    ) -> tuple[Float[Tensor, "time batch hidden"], LSTMState]:
        """What the softmax reads at each step, and the state after the last one."""
        features: tuple[Tensor, LSTMState] = self.lstm(self._embedded(inputs), state)
        return features

    def loss(
        self,
        inputs: Int[Tensor, "time batch"],
        targets: Int[Tensor, "time batch"],
        state: LSTMState | None = None,
        penalties: Penalties = NO_PENALTIES,
    ) -> tuple[Float[Tensor, ""], Float[Tensor, ""] | None, LSTMState]:
        """Negative log-likelihood of the targets, summed over steps and batch, in nats.

        With ``penalties`` they are added to it, and the likelihood by itself is the second value; so it is where the
        softmax trains on an estimate.
        """
        outputs, state = self.lstm.undropped(self._embedded(inputs), state)
        features = self.lstm.drop_output(outputs)
        loss, plain = self.softmax.loss(features.flatten(0, 1), targets.flatten())
        if penalties == NO_PENALTIES:
            return loss, plain, state
        total = loss + targets.numel() * penalties.of(features, outputs)
        return total, loss if plain is None else plain, state

    def _embedded(self, inputs: Tensor) -> Tensor:
        words: Tensor = self.embedding(inputs)
        if not (self.training and self.embedding_dropout.p):
            return words
        kept: Tensor = self.embedding_dropout(words.new_ones(self.embedding.num_embeddings))
        return words * kept[inputs].unsqueeze(-1)

    @torch.no_grad()
    def log_probs(
        self, inputs: Int[Tensor, "time batch"], targets: Int[Tensor, "time batch"], state: LSTMState | None = None
    ) -> tuple[Float[Tensor, "time batch"], LSTMState]:
        """Log-probability of each target, in nats."""
        features, state = self.features(inputs, state)
        return self.softmax.log_probs(features.flatten(0, 1), targets.flatten()).view_as(targets), state

    @torch.no_grad()
    def next_logits(
        self, tokens: Int[Tensor, "time batch"], state: LSTMState | None = None
    ) -> tuple[Float[Tensor, "batch vocabulary"], LSTMState]:
        """Unnormalised log-probabilities of what follows ``tokens``."""
        if len(tokens) == 1:
            last, state = self.lstm.step(self._embedded(tokens[0]), state)
        else:
            features, state = self.features(tokens, state)
            last = features[-1]
        logits: Tensor = self.softmax(last)
        return logits, state


class StreamLoss:
    """Starts at zero, carries the state on, and cuts the gradient at each window (Zaremba et al., section 4.1)."""

    stream_axis = 1

    def __init__(self, model: LanguageModel, penalties: Penalties = NO_PENALTIES) -> None:
        self.model = model
        self.is_replayable = model.softmax.keeps_shapes
        self.penalties = penalties
        self.states: dict[int, LSTMState] = {}

    def __call__(self, window: Window) -> Loss:
        """The paper's loss is a sum over steps and a mean over the batch: hence the divisor."""
        begin = self.begin(window)
        total, plain, state = self.model.loss(window.inputs, window.targets, begin, self.penalties)
        self.carry(window, LSTMState(state.hidden.detach(), state.cell.detach()))
        return Loss(total, count=window.targets.numel(), divisor=window.targets.shape[1], plain=plain)

    def begin(self, window: Window) -> LSTMState | None:
        """What the window's streams carry; None where the text begins."""
        whole = self.states.get(window.part)
        if whole is None or window.streams is None:
            return whole
        first, end = window.streams
        return LSTMState(*(part[:, first:end] for part in whole)) if whole.hidden.shape[1] >= end else None

    def carry(self, window: Window, state: LSTMState) -> None:
        """Into the state of all streams of the part, the same in however many pieces they come."""
        old = self.states.get(window.part)
        if old is not None and window.streams is not None:
            first, end = window.streams
            pieces = ((before[:, :first], now, before[:, end:]) for before, now in zip(old, state, strict=True))
            state = LSTMState(*(torch.cat(three, dim=1) for three in pieces))
        self.states[window.part] = state

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
