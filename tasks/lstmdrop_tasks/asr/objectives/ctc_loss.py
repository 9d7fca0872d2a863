"""The loss of connectionist temporal classification (Graves et al. 2006)."""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from lstmdrop.task import Loss
from lstmdrop_tasks.asr.batch import SpeechBatch


def ctc_loss(
    log_probs: Float[Tensor, "steps batch outputs"], batch: SpeechBatch, *, blank: int, stride: int
) -> tuple[Loss, int]:
    """Summed over utterances, in nats, the count being their tokens; and the number of utterances masked.

    Masked are those whose steps are too few for their tokens: their loss is infinite.
    """
    steps = -(-batch.lengths // stride)
    losses = F.ctc_loss(
        log_probs, batch.targets.T.clamp(min=0), steps.to(log_probs.device), batch.target_lengths.to(log_probs.device),
        blank=blank, reduction="none", zero_infinity=True,
    )  # fmt: skip
    targets = batch.targets.cpu()
    repeated = ((targets[1:] == targets[:-1]) & (targets[1:] >= 0)).sum(0)
    fits = steps >= batch.target_lengths + repeated
    count = int(batch.target_lengths[fits].sum())
    return Loss(losses.sum(), count=count, divisor=max(1, count)), int((~fits).sum())
