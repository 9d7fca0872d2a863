"""The softmax over a large vocabulary and its loss, forward and backward in one pass."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from lstmdrop.nn.linear import linear
from lstmdrop.nn.shapes import require_shape


class _LinearCrossEntropy(torch.autograd.Function):
    """Computes the gradients together with the loss, while the probabilities are at hand.

    The logits become probabilities and then their own gradient in one piece of memory, where log_softmax,
    nll_loss and their backward passes take four: for a small LSTM with 10,000 words that traffic costs as
    much as the LSTM itself.
    """

    @staticmethod
    def forward(
        ctx: Any, features: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, smoothing: float
    ) -> tuple[Tensor, Tensor]:
        logits = linear(features, weight, bias).to(_loss_dtype(features))
        target_logits = logits.gather(1, targets[:, None])
        mean_logits = logits.mean(1, keepdim=True) if smoothing else target_logits
        largest_logits = logits.amax(1, keepdim=True)
        probabilities = torch.softmax(logits, 1, out=logits)
        log_norms = largest_logits - probabilities.amax(1, keepdim=True).log()  # p = exp(logit - log_norm)
        if any(ctx.needs_input_grad):
            minus_target = probabilities.new_full((len(targets), 1), smoothing - 1.0)
            slope = probabilities.scatter_add_(1, targets[:, None], minus_target)
            if smoothing:
                slope.sub_(smoothing / len(weight))
            slope = slope.to(features.dtype)
            if features.dtype == torch.bfloat16:  # of float32 oneDNN makes the other form faster, transposed
                weight_grad = linear(slope.t(), features.t())
            else:
                weight_grad = linear(features.t(), slope.t()).t()
            ctx.save_for_backward(linear(slope, weight.t()), weight_grad, slope.sum(0))
        nll = (log_norms - target_logits).sum()
        ctx.mark_non_differentiable(nll)
        return torch.lerp(nll, (log_norms - mean_logits).sum(), smoothing), nll

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        grad = grads[0]
        feature_grad, weight_grad, bias_grad = ctx.saved_tensors
        weight_rows = torch.empty_like(weight_grad, memory_format=torch.contiguous_format)
        return feature_grad * grad, torch.mul(weight_grad, grad, out=weight_rows), bias_grad * grad, None, None


def linear_cross_entropy(
    features: Float[Tensor, "items features"],
    weight: Float[Tensor, "vocabulary features"],
    bias: Float[Tensor, " vocabulary"],
    targets: Int[Tensor, " items"],
) -> Float[Tensor, ""]:
    """Summed negative log-likelihood of ``targets`` under ``softmax(features @ weight.T + bias)``, in nats."""
    loss, _ = smoothed_cross_entropy(features, weight, bias, targets, smoothing=0.0)
    return loss


def smoothed_cross_entropy(
    features: Float[Tensor, "items features"],
    weight: Float[Tensor, "vocabulary features"],
    bias: Float[Tensor, " vocabulary"],
    targets: Int[Tensor, " items"],
    smoothing: float,
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """The loss under smoothed labels (Szegedy et al. 2016, section 7), and the plain one, which has no gradient.

    A label keeps ``1 - smoothing`` of its probability; the rest is spread evenly over the whole vocabulary.

    Raises:
        ValueError: the shapes do not fit.
    """
    require_shape("targets", targets, features.shape[:1])
    dtype = features.dtype
    losses: tuple[Tensor, Tensor] = _LinearCrossEntropy.apply(  # type: ignore[no-untyped-call]
        features, weight.to(dtype), bias.to(dtype), targets, smoothing
    )
    return losses


@torch.no_grad()
def target_log_probs(
    features: Float[Tensor, "items features"],
    weight: Float[Tensor, "vocabulary features"],
    bias: Float[Tensor, " vocabulary"],
    targets: Int[Tensor, " items"],
    chunk_size: int | None = None,
) -> Float[Tensor, " items"]:
    """Log-probability of each target, in nats; at most ``chunk_size`` rows of logits exist at a time.

    By default as many as `rows_at_once` has room for.

    Raises:
        ValueError: the shapes do not fit.
    """
    require_shape("targets", targets, features.shape[:1])
    size = chunk_size or rows_at_once(len(weight))
    parts = zip(torch.split(features, size), torch.split(targets, size), strict=True)
    return torch.cat([_log_probs(linear(feature, weight, bias), target) for feature, target in parts])


def _log_probs(logits: Tensor, targets: Tensor) -> Tensor:
    logits = logits.to(_loss_dtype(logits))
    return logits.gather(1, targets[:, None])[:, 0] - logits.logsumexp(1)


def rows_at_once(vocabulary_size: int, most: int = 1024) -> int:
    """How many rows of logits are made at the same time where they are not all needed: at most 2^24 numbers."""
    return max(1, min(most, (1 << 24) // vocabulary_size))


def _loss_dtype(features: Tensor) -> torch.dtype:
    return torch.promote_types(features.dtype, torch.float32)
