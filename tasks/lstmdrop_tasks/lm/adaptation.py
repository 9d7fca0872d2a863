"""What a trained language model may still learn from the text that it is scored on.

Dynamic evaluation goes on with gradient descent, a neural cache remembers where the network was when a word came, a
temperature changes how sure it is; any of them work together. Each token is scored by what was known before it: what
follows it changes nothing.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from lstmdrop.data.batching import num_windows, stream_windows
from lstmdrop.data.work_progress import report_work
from lstmdrop.metrics.perplexity import LogProbs
from lstmdrop.nn.cross_entropy import rows_at_once
from lstmdrop.nn.recurrence import LSTMState
from lstmdrop_tasks.lm.config import LMScoringConfig
from lstmdrop_tasks.lm.model import LanguageModel

PUBLISHED_STEPS = 5
PUBLISHED_RATE = 5e-5
PUBLISHED_DECAY = 2e-3
"""Of Krause et al. for Penn Treebank; with longer segments there are fewer updates, which are as much larger."""
PUBLISHED_THETA = 1.0
PUBLISHED_WEIGHT = 0.1

NUM_STREAMS = 100
"""In which the training text is read for the size of its gradients: a mean over more tokens has a smaller gradient."""

SCORING_WINDOW = 512
"""Steps scored at a time; the state is carried, so that the number changes memory and speed, never a score."""

Weights = Sequence[Tensor]
"""One tensor for each parameter of a model, in its order."""


@dataclass(frozen=True, slots=True)
class Learning:
    """How dynamic evaluation learns."""

    rate: float
    decay: float
    epsilon: float
    num_steps: int


@dataclass(frozen=True, slots=True)
class Adaptation:
    """The settings of `LMScoringConfig`, each default filled in."""

    temperature: float
    learning: Learning | None
    cache_size: int
    """0 where there is no cache."""
    theta: float
    weight: float

    @property
    def signature(self) -> dict[str, str]:
        """What a score's signature says of it: nothing where the model is scored as it was trained."""
        signature = {}
        if self.learning is not None:
            rule = self.learning
            rates = f"rate={rule.rate:g},decay={rule.decay:g}"
            signature["dynamic"] = f"{rates},epsilon={rule.epsilon:g},steps={rule.num_steps}"
        if self.cache_size:
            signature["cache"] = f"size={self.cache_size},theta={self.theta:g},weight={self.weight:g}"
        if self.temperature != 1:
            signature["temperature"] = f"{self.temperature:g}"
        return signature


def adaptation_of(config: LMScoringConfig) -> Adaptation:
    """What the settings say, the published values where they say nothing."""
    scale = config.dynamic_steps / PUBLISHED_STEPS
    learning = Learning(
        _given(config.dynamic_rate, PUBLISHED_RATE * scale),
        _given(config.dynamic_decay, PUBLISHED_DECAY * scale),
        config.dynamic_epsilon,
        config.dynamic_steps,
    )
    return Adaptation(
        temperature=_given(config.temperature, 1.0),
        learning=learning if config.dynamic else None,
        cache_size=config.cache_size if config.cache else 0,
        theta=_given(config.cache_theta, PUBLISHED_THETA),
        weight=_given(config.cache_weight, PUBLISHED_WEIGHT),
    )


def _given(value: float | None, default: float) -> float:
    return default if value is None else value


class Segment(NamedTuple):
    """What the network says of some consecutive tokens before it has learnt from any of them."""

    features: Float[Tensor, "time hidden"]
    """What the softmax reads: the top hidden state h[t]."""
    logits: Float[Tensor, "time vocabulary"]
    targets: Int[Tensor, " time"]


Segments = Generator[Segment, None, None]


def said_as_trained(model: LanguageModel, tokens: np.ndarray, device: torch.device) -> Segments:
    """The segments of a text, by a model in evaluation mode that learns nothing."""
    state = None
    num_steps = rows_at_once(model.embedding.num_embeddings, SCORING_WINDOW)
    for window in stream_windows(tokens, 1, num_steps, device):
        with torch.no_grad():
            features, state = model.features(window.inputs, state)
        yield Segment(features[:, 0], model.softmax.logits(features[:, 0]), window.targets[:, 0])


def said_while_learning(
    model: LanguageModel, tokens: np.ndarray, device: torch.device, rule: Learning, gradient_sizes: Weights
) -> Segments:
    """The segments of a text, by a model in evaluation mode that learns from each one after it was said.

    With g the gradient of the mean loss over a segment of ``rule.num_steps`` tokens, θ_g the weights as they were
    trained, η the rate and λ the decay::

        θ <- θ - η g / (sqrt(MS_g) + ε) + λ RMS_norm (θ_g - θ),    RMS_norm = sqrt(MS_g) / mean(sqrt(MS_g))

    with λ RMS_norm at most 1 in every entry, and the mean that over parameters of each one's mean, as in the authors'
    code. ``gradient_sizes`` are the sqrt(MS_g) of `measure_gradients`. When the iterator ends or is closed, the model
    has the weights with which it began.

    Source: Krause, Kahembwe, Murray & Renals 2018, section 5, "RMS with RMS global prior".
    """
    weights = list(model.parameters())
    trained = [weight.detach().clone() for weight in weights]
    mean_size = torch.stack([size.mean() for size in gradient_sizes]).mean()
    pulls = [(rule.decay * size / mean_size).clamp(max=1) for size in gradient_sizes]
    paces = [rule.rate / (size + rule.epsilon) for size in gradient_sizes]
    state = None
    try:
        for window in stream_windows(tokens, 1, rule.num_steps, device):
            targets = window.targets[:, 0]
            with torch.enable_grad():
                features, state = model.features(window.inputs, state)
                logits = model.softmax(features[:, 0])
                gradients = torch.autograd.grad(F.cross_entropy(logits, targets), weights)
            state = LSTMState(state.hidden.detach(), state.cell.detach())
            yield Segment(features[:, 0].detach(), logits.detach(), targets)
            with torch.no_grad():
                for weight, gradient, pace, pull, old in zip(weights, gradients, paces, pulls, trained, strict=True):
                    weight.lerp_(old, pull).addcmul_(gradient, pace, value=-1)
    finally:
        with torch.no_grad():
            for weight, old in zip(weights, trained, strict=True):
                weight.copy_(old)


def measure_gradients(model: LanguageModel, tokens: np.ndarray, device: torch.device, num_steps: int) -> Weights:
    """sqrt(MS_g): how large the gradient of each weight is over the training text, dropout off.

    MS_g is the mean, over windows of ``num_steps`` steps of `NUM_STREAMS` parallel streams, of the squared gradient
    of the mean loss in each (Krause et al. 2018, section 5). The model has to be in evaluation mode.
    """
    weights = list(model.parameters())
    sums = [torch.zeros_like(weight) for weight in weights]
    num_streams = max(1, min(NUM_STREAMS, len(tokens) // (num_steps + 1)))
    total, state = num_windows(len(tokens), num_streams, num_steps), None
    for done, window in enumerate(stream_windows(tokens, num_streams, num_steps, device)):
        report_work("gradients of the training text", done, total)
        with torch.enable_grad():
            loss, _, state = model.loss(window.inputs, window.targets, state)
            gradients = torch.autograd.grad(loss / window.targets.numel(), weights)
        state = LSTMState(state.hidden.detach(), state.cell.detach())
        for square, gradient in zip(sums, gradients, strict=True):
            square.addcmul_(gradient, gradient)
    report_work("gradients of the training text", total, total)
    return [(square / total).sqrt() for square in sums]


class NeuralCache:
    """The last words of a text, each with the hidden state from which it was to be predicted.

    After a hidden state h_t a word w comes again with the probability of all its occurrences among them::

        p_cache(w) ∝ sum of exp(θ h_t·h_i) over the i in t - size ... t - 1 whose word x_{i+1} is w

    Source: Grave, Joulin & Usunier 2017, section 3.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._features: Tensor | None = None
        self._words: Tensor | None = None

    def log_probs(self, segment: Segment, thetas: Sequence[float]) -> Float[Tensor, "thetas time"]:
        """Log-probability of each target for each θ, before it is remembered: -inf where it is not in the cache.

        NaN at the first token of a text, when the cache is empty.
        """
        features, words, num_old = segment.features, segment.targets, 0
        if self._features is not None and self._words is not None:
            num_old = len(self._words)
            features, words = torch.cat([self._features, features]), torch.cat([self._words, words])
        places = torch.arange(len(words), device=words.device)
        age = places[num_old:, None] - places
        is_held = (age >= 1) & (age <= self.size)
        is_same = is_held & (segment.targets[:, None] == words)
        likeness = segment.features @ features.T
        self._features, self._words = features[-self.size :], words[-self.size :]
        return torch.stack(
            [_log_sum(theta * likeness, is_same) - _log_sum(theta * likeness, is_held) for theta in thetas]
        )


def _log_sum(scores: Float[Tensor, "time places"], counts: Bool[Tensor, "time places"]) -> Float[Tensor, " time"]:
    return scores.masked_fill(~counts, -torch.inf).logsumexp(1)


class Readings(NamedTuple):
    """Log-probabilities in nats of a text's tokens but the first, in float64."""

    vocabulary: LogProbs
    """By the network, ``(temperatures, tokens)``."""
    cache: LogProbs
    """By the cache alone, ``(thetas, tokens)``; the first of them, when it is empty, are not numbers."""


def read(
    segments: Segments, num_tokens: int, temperatures: Sequence[float], thetas: Sequence[float],
    cache_size: int, what: str,
) -> Readings:  # fmt: skip
    """One pass over a text of ``num_tokens`` predictions, for all temperatures and all θ at once.

    Whatever ends it, ``segments``, which is a generator, is closed.
    """
    cache = NeuralCache(cache_size)
    vocabulary = np.zeros((len(temperatures), num_tokens))
    cached = np.zeros((len(thetas) if cache_size else 0, num_tokens))
    done = 0
    with closing(segments):
        for segment in segments:
            report_work(what, done, num_tokens)
            part = slice(done, done + len(segment.targets))
            vocabulary[:, part] = _numbers(_target_log_probs(segment, temperature) for temperature in temperatures)
            if len(cached):
                cached[:, part] = _numbers(cache.log_probs(segment, thetas))
            done = part.stop
    report_work(what, num_tokens, num_tokens)
    return Readings(vocabulary, cached)


def _target_log_probs(segment: Segment, temperature: float) -> Float[Tensor, " time"]:
    """Of softmax(logits / temperature)."""
    logits = segment.logits if temperature == 1 else segment.logits / temperature
    return logits.gather(1, segment.targets[:, None])[:, 0] - logits.logsumexp(1)


def _numbers(rows: Iterable[Tensor]) -> LogProbs:
    return np.stack([row.double().cpu().numpy() for row in rows])


def mixed(vocabulary: LogProbs, cache: LogProbs, weight: float) -> LogProbs:
    """Log of (1 - λ) p_vocabulary + λ p_cache, λ the ``weight``; of the first token, when nothing is cached, plain.

    Source: Grave et al. 2017, section 3, linear interpolation.
    """
    both = vocabulary.copy()
    with np.errstate(divide="ignore"):
        both[1:] = np.logaddexp(vocabulary[1:] + np.log1p(-weight), cache[1:] + np.log(weight))
    return both
