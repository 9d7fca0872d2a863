"""The softmax of a language model: which one, what it knows of the training text, what it costs."""

from __future__ import annotations

import logging
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import torch

from lstmdrop.errors import ConfigError
from lstmdrop.nn.softmax import AdaptiveSoftmax, FullSoftmax, SampledSoftmax, usual_cutoffs, usual_samples
from lstmdrop_tasks.lm.config import LMConfig, LMModelConfig

log = logging.getLogger("lstmdrop.lm")

LARGE = 50_000
"""Words from which on something is said where most of the arithmetic is the softmax's."""


def make_softmax(
    config: LMModelConfig, num_features: int, vocabulary_size: int, dropout: float = 0.0
) -> FullSoftmax | AdaptiveSoftmax:
    """The one that the settings name; ``dropout`` is p on what groups read of the features.

    Raises:
        ConfigError: its groups do not fit the vocabulary.
    """
    if config.softmax == "full":
        return FullSoftmax(num_features, vocabulary_size)
    if config.softmax == "sampled":
        return SampledSoftmax(num_features, vocabulary_size, config.softmax_samples or usual_samples(vocabulary_size))
    cutoffs = config.softmax_cutoffs or usual_cutoffs(vocabulary_size)
    if cutoffs[-1] >= vocabulary_size:
        raise ConfigError(
            f"model.softmax_cutoffs: {cutoffs[-1]} is not below {vocabulary_size}, the size of the vocabulary; "
            f"left out, it is {list(usual_cutoffs(vocabulary_size))}"
        )
    return AdaptiveSoftmax(num_features, vocabulary_size, cutoffs, config.softmax_reduction, dropout)


def begin_softmax(
    softmax: FullSoftmax | AdaptiveSoftmax, config: LMConfig, counts: Callable[[], npt.NDArray[np.int64]]
) -> None:
    """Let a new one know how often each word comes, if it asks; of one that is costly say what costs less."""
    if isinstance(softmax, AdaptiveSoftmax | SampledSoftmax):
        softmax.take_counts(torch.from_numpy(counts()))
        return
    size = softmax.out_features
    own = softmax_flops(config, size)
    share = own / (own + lstm_flops(config))
    if size >= LARGE and share > 0.5:
        log.warning(
            "the softmax over %s words is %.0f%% of the arithmetic, and a batch of its logits takes %s MiB: "
            "--set model.softmax=sampled or adaptive takes a fraction of both",
            f"{size:,}", 100 * share, f"{batch_bytes(softmax, config) / 2**20:,.0f}",
        )  # fmt: skip


def lstm_flops(config: LMConfig) -> int:
    """Of the layers' matrix products for a token: one pass forward, two passes' worth backward."""
    widths = _widths(config.model)
    return 3 * 2 * sum(4 * (below + above) * above for below, above in pairwise(widths))


def softmax_flops(config: LMConfig, vocabulary_size: int) -> int:
    """The same of the softmax; of groups by the share of their words in a text as language is (Zipf 1935)."""
    with torch.device("meta"):
        softmax = make_softmax(config.model, _widths(config.model)[-1], vocabulary_size)
    return round(softmax.flops(_batch_items(config), 1 / torch.arange(1, vocabulary_size + 1)))


def _widths(model: LMModelConfig) -> list[int]:
    """Of the embedding and each layer."""
    width = model.embedding_size or model.hidden_size
    return [width, *[model.hidden_size] * (model.num_layers - 1), width if model.tied else model.hidden_size]


def _batch_items(config: LMConfig) -> int:
    training = config.training
    return training.batch_size // training.accumulate * training.num_steps


def batch_bytes(softmax: FullSoftmax | AdaptiveSoftmax, config: LMConfig) -> int:
    """What the logits of one part of a batch take."""
    return 4 * _batch_items(config) * softmax.num_logits


def described(softmax: FullSoftmax | AdaptiveSoftmax) -> dict[str, str]:
    """A row that names one which is not full."""
    if isinstance(softmax, SampledSoftmax):
        return {"softmax": f"trained on {softmax.num_samples:,} of {softmax.out_features:,} words at a time"}
    if isinstance(softmax, FullSoftmax):
        return {}
    sizes = [f"{softmax.num_frequent:,} words, {softmax.head.in_features} numbers"]
    sizes += [f"{words.out_features:,} words, {words.in_features}" for words in softmax.groups()]
    return {"softmax": f"{'; '.join(sizes)} each"}
