"""What a network says of the next word: over the whole vocabulary, in steps from frequent to rare, or by samples."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from lstmdrop.nn.cross_entropy import linear_cross_entropy, target_log_probs
from lstmdrop.nn.linear import linear
from lstmdrop.nn.shapes import require_shape

CHECKED_ROWS = 8
"""Of a batch, chosen at random: what samples make of their loss is set right by what the whole softmax says of them."""


class WordLoss(NamedTuple):
    """The loss of some targets, summed, in nats."""

    total: Float[Tensor, ""]
    """What is trained."""
    plain: Float[Tensor, ""] | None
    """Their negative log-likelihood without a gradient, where ``total`` is an estimate that leans to one side."""


class FullSoftmax(nn.Linear):
    """One product with a matrix that has a row for each word."""

    keeps_shapes = True
    """Whether a step of training is always of tensors of the same shapes, whatever the words: see `Replayable`."""

    def loss(self, features: Float[Tensor, "items features"], targets: Int[Tensor, " items"]) -> WordLoss:
        """Negative log-likelihood of the targets."""
        return WordLoss(linear_cross_entropy(features, self.weight, self.bias, targets), None)

    def log_probs(
        self, features: Float[Tensor, "items features"], targets: Int[Tensor, " items"]
    ) -> Float[Tensor, " items"]:
        """Of each target, in nats, without a gradient; not all logits exist at the same time."""
        return target_log_probs(features, self.weight, self.bias, targets)

    @torch.no_grad()
    def logits(self, features: Float[Tensor, "items features"]) -> Float[Tensor, "items vocabulary"]:
        """What calling it gives, faster, without a gradient."""
        return linear(features, self.weight, self.bias)

    def flops(self, num_items: int, counts: Float[Tensor, " vocabulary"]) -> float:
        """Multiplications and additions of the products that train on one of ``num_items`` words.

        ``counts``: how often the words come, the most frequent first, to any scale.
        """
        return 6.0 * self.weight.numel()

    @property
    def num_logits(self) -> int:
        """How many of them training makes for a word."""
        return self.out_features


class SampledSoftmax(FullSoftmax):
    """The same in evaluation; in training its normaliser is estimated from the target and other words drawn by chance.

    For each batch ``num_samples`` different words are drawn, frequent ones more often. With s the logits, π_i the
    chance of word i to be among those that were drawn (given how the others fell out) and t the target::

        Z = exp(s_t) + sum of exp(s_i) / π_i over the drawn words i other than t,    loss = log Z - s_t

    Z is unbiased, and with all words drawn it is the normaliser itself. The words are those with the earliest of
    exponential arrival times, as many a second as the word came in the training text: π_i = 1 - exp(-rate_i T), T the
    first time that is too late. Its logarithm is too small on average, so that `WordLoss.plain` is made of it and of
    `CHECKED_ROWS` whole softmaxes.

    Source: Bengio & Senécal 2008; Jean, Cho, Memisevic & Bengio 2015, section 3; the target by itself as in Blanc &
    Rendle 2018, equation 3; drawing and π as in Duffield, Lund & Thorup 2007.
    """

    shares: Tensor

    def __init__(self, num_features: int, num_words: int, num_samples: int) -> None:
        super().__init__(num_features, num_words)
        self.num_samples = min(num_samples, num_words)
        self.register_buffer("shares", torch.full((num_words,), 1 / num_words))

    def take_counts(self, counts: Int[Tensor, " vocabulary"]) -> None:
        """Draw words as often as they came, once more than that."""
        more = counts.double() + 1
        self.shares.copy_(more / more.sum())

    def loss(self, features: Float[Tensor, "items features"], targets: Int[Tensor, " items"]) -> WordLoss:
        """In training that of the class's formula."""
        if not self.training:
            return super().loss(features, targets)
        require_shape("targets", targets, features.shape[:1])
        drawn, log_chances = self.draw()
        rows = torch.cat([drawn, targets])  # looked up at once, as each gradient of a look-up is a whole matrix
        sizes = [len(drawn), len(targets)]
        others, own = torch.split(self.weight.index_select(0, rows), sizes)
        other_bias, own_bias = torch.split(self.bias.index_select(0, rows), sizes)
        target_logits = (features * own).sum(1) + own_bias
        logits = F.linear(features, others, other_bias - log_chances).to(target_logits.dtype)
        logits = logits.masked_fill(targets[:, None] == drawn, -torch.inf)
        losses = torch.logaddexp(logits.logsumexp(1), target_logits) - target_logits
        total = losses.sum()
        checked = torch.randint(len(targets), (CHECKED_ROWS,), device=targets.device)
        exact = -self.log_probs(features.detach()[checked].to(self.weight.dtype), targets[checked])
        return WordLoss(total, total.detach() + len(targets) * (exact - losses.detach()[checked]).mean())

    @torch.no_grad()
    def draw(self) -> tuple[Int[Tensor, " samples"], Float[Tensor, " samples"]]:
        """Different words, and the logarithm of each one's chance to be among them."""
        if self.num_samples == len(self.shares):
            return torch.arange(len(self.shares), device=self.shares.device), torch.zeros_like(self.shares)
        arrivals = torch.empty_like(self.shares).exponential_() / self.shares
        times, words = arrivals.topk(self.num_samples + 1, largest=False)
        return words[:-1], (-torch.expm1(-self.shares[words[:-1]] * times[-1])).log()

    def flops(self, num_items: int, counts: Float[Tensor, " vocabulary"]) -> float:
        """As `FullSoftmax.flops`, with what is computed whole for the logged loss."""
        return 6 * self.in_features * (self.num_samples + 1) + 2 * self.weight.numel() * CHECKED_ROWS / num_items

    @property
    def num_logits(self) -> int:
        """As `FullSoftmax.num_logits`."""
        return self.num_samples


class AdaptiveSoftmax(nn.Module):
    """First a frequent word or a group of rarer ones is chosen, then a word of the group, from fewer numbers.

    Sorted by their counts in the training text, the words before ``cutoffs[0]`` stand in the head, those from
    ``cutoffs[n]`` to the next in group n, which reads ``features / reduction ** (n + 1)`` numbers, a product of the
    features. Source: Grave, Joulin, Cissé, Grangier & Jégou 2017, section 4; unlike there each word has a bias, and
    ``dropout`` is p on what a group reads.
    """

    keeps_shapes = False
    places: Tensor
    starts: Tensor

    def __init__(
        self, num_features: int, num_words: int, cutoffs: Sequence[int], reduction: float, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.cutoffs = tuple(cutoffs)
        self.num_frequent = cutoffs[0]
        self.head = nn.Linear(num_features, cutoffs[0] + len(cutoffs))
        self.tails = nn.ModuleList(
            _Tail(num_features, max(1, int(num_features / reduction**number)), end - start, dropout)
            for number, (start, end) in enumerate(pairwise([*cutoffs, num_words]), 1)
        )
        self.register_buffer("places", torch.arange(num_words))
        self.register_buffer("starts", torch.tensor(cutoffs), persistent=False)

    def take_counts(self, counts: Int[Tensor, " vocabulary"]) -> None:
        """Sort the words by how often they came, the most frequent first."""
        order = counts.sort(descending=True, stable=True).indices
        self.places[order] = torch.arange(len(order), device=self.places.device)

    def forward(self, features: Float[Tensor, "*items features"]) -> Float[Tensor, "*items vocabulary"]:
        """The log-probability of each word."""
        first = self.head(features).log_softmax(-1)
        groups = first[..., self.num_frequent :].split(1, -1)
        parts = [tail(features).log_softmax(-1) + group for tail, group in zip(self.tails, groups, strict=True)]
        by_count = torch.cat([first[..., : self.num_frequent], *parts], -1)
        return by_count.index_select(-1, self.places)

    def loss(self, features: Float[Tensor, "items features"], targets: Int[Tensor, " items"]) -> WordLoss:
        """Negative log-likelihood of the targets; of a group only those of its words are computed."""
        losses = [
            linear_cross_entropy(inputs, layer.weight, layer.bias, choices)
            for _, inputs, layer, choices in self._choices(features, targets)
        ]
        return WordLoss(torch.stack(losses).sum(), None)

    @torch.no_grad()
    def log_probs(
        self, features: Float[Tensor, "items features"], targets: Int[Tensor, " items"]
    ) -> Float[Tensor, " items"]:
        """As `FullSoftmax.log_probs`, of the groups in question alone."""
        (_, inputs, layer, choices), *others = self._choices(features, targets)
        found = target_log_probs(inputs, layer.weight, layer.bias, choices)
        for rows, inputs, layer, choices in others:
            if len(rows):
                found[rows] += target_log_probs(inputs, layer.weight, layer.bias, choices)
        return found

    @torch.no_grad()
    def logits(self, features: Float[Tensor, "items features"]) -> Float[Tensor, "items vocabulary"]:
        """What calling it gives, without a gradient."""
        values: Tensor = self(features)
        return values

    def _choices(self, features: Tensor, targets: Tensor) -> Iterator[tuple[Tensor, Tensor, nn.Linear, Tensor]]:
        """Of the head and each group: the rows in question, what is read of them, the layer, and what is chosen."""
        places = self.places[targets]
        groups = torch.bucketize(places, self.starts, right=True)  # 0 in the head
        in_head = torch.where(groups == 0, places, self.num_frequent - 1 + groups)
        yield torch.arange(len(targets), device=targets.device), features, self.head, in_head
        for number, tail in enumerate(self.tails):
            assert isinstance(tail, _Tail)
            rows = (groups == number + 1).nonzero()[:, 0]
            yield rows, tail.reads(features.index_select(0, rows)), tail.words, places[rows] - self.starts[number]

    def flops(self, num_items: int, counts: Float[Tensor, " vocabulary"]) -> float:
        """As `FullSoftmax.flops`; each group by the share of its words."""
        weights = [sum(part.numel() for part in tail.parameters() if part.dim() == 2) for tail in self.tails]
        shares = [
            float(counts[start:end].sum() / counts.sum()) for start, end in pairwise([*self.cutoffs, len(counts)])
        ]
        return 6 * (self.head.weight.numel() + sum(map(math.prod, zip(weights, shares, strict=True))))

    @property
    def num_logits(self) -> int:
        """As `FullSoftmax.num_logits`: those of the head, as few words are of a group."""
        return self.head.out_features

    def groups(self) -> Iterator[nn.Linear]:
        """What makes the logits of each group."""
        yield from (tail.words for tail in self.tails if isinstance(tail, _Tail))


class _Tail(nn.Module):
    def __init__(self, num_features: int, width: int, num_words: int, dropout: float) -> None:
        super().__init__()
        self.narrow = nn.Linear(num_features, width, bias=False)
        self.dropout = nn.Dropout(dropout)
        self.words = nn.Linear(width, num_words)

    def reads(self, features: Tensor) -> Tensor:
        values: Tensor = self.dropout(self.narrow(features))
        return values

    def forward(self, features: Tensor) -> Tensor:
        logits: Tensor = self.words(self.reads(features))
        return logits


def usual_cutoffs(num_words: int) -> tuple[int, ...]:
    """20 times the root of the vocabulary in the head, a fifth of it at most; each group ends at five times as many.

    10,000 words: 2,000; 250,000: 10,000 and 50,000. The last group has half of all words or more.
    """
    cutoffs = [max(1, min(20 * math.isqrt(num_words), num_words // 5))]
    while 10 * cutoffs[-1] <= num_words:
        cutoffs.append(5 * cutoffs[-1])
    return tuple(cutoffs)


def usual_samples(num_words: int) -> int:
    """Eight times the root of the vocabulary: 800 of 10,000 words, 4,000 of 250,000."""
    return 8 * math.isqrt(num_words)
