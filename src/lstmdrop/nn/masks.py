"""Dropout masks: inverted, so that evaluation needs no rescaling."""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def draw_mask(shape: tuple[int, ...], rate: float, like: Tensor) -> Tensor:
    """A fresh mask of ``shape`` whose entries are 0 with probability ``rate``, else ``1 / (1 - rate)``."""
    return F.dropout(like.new_ones(shape), rate)


def drop_each_step(inputs: Float[Tensor, "time batch features"], rate: float) -> Tensor:
    """Drop entries with a fresh, independent mask at every step (Zaremba et al. 2014, the operator D)."""
    return F.dropout(inputs, rate)


def drop_locked(inputs: Float[Tensor, "time batch features"], rate: float) -> Tensor:
    """Drop entries with one mask for all steps of the sequence (Gal & Ghahramani 2016, section 4)."""
    _, batch, features = inputs.shape
    return inputs * draw_mask((1, batch, features), rate, inputs)
