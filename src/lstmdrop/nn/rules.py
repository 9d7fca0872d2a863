"""The dropout rules: where an LSTM is noisy in training.

Each rule is a function of two rates: ``dropout`` for the non-recurrent connections, ``recurrent`` for the
path through time. It returns a `Regularizer`, four small functions that the LSTM calls.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal, get_args

import torch.nn.functional as F
from torch import Tensor

from lstmdrop.nn.recurrence import SILENT, Noise
from lstmdrop.nn.shapes import draw_mask, drop_each_step, drop_locked

RuleName = Literal["none", "zaremba", "naive", "variational", "recurrent", "zoneout", "weight-drop"]
RULE_NAMES: tuple[RuleName, ...] = get_args(RuleName)

Shape = tuple[int, int, int]


def _silent(shape: Shape, like: Tensor) -> Noise:
    return SILENT


def unchanged(tensor: Tensor) -> Tensor:
    """Nothing is dropped."""
    return tensor


def _dropped_hidden(shape: Shape, like: Tensor, rate: float) -> Noise:
    return Noise(hidden=draw_mask(shape, rate, like))


def _locked_hidden(shape: Shape, like: Tensor, rate: float) -> Noise:
    _, batch, hidden = shape
    return Noise(hidden=draw_mask((1, batch, hidden), rate, like))


def _dropped_candidate(shape: Shape, like: Tensor, rate: float) -> Noise:
    return Noise(candidate=draw_mask(shape, rate, like))


def _zones(shape: Shape, like: Tensor, rate: float) -> Noise:
    hidden, cell = (like.new_empty(shape).bernoulli_(rate) for _ in range(2))
    return Noise(zone_hidden=hidden, zone_cell=cell)


def _expected_zones(shape: Shape, like: Tensor, rate: float) -> Noise:
    expected = like.new_full((1, 1, 1), rate)
    return Noise(zone_hidden=expected, zone_cell=expected)


@dataclass(frozen=True, slots=True)
class Regularizer:
    """What a rule does.

    In training ``between`` acts on the input of every layer and on the top output, but for the first and the last of
    these where ``input`` and ``output`` say otherwise; ``noise`` acts on the recurrent path (for a ``(time, batch,
    hidden)`` shape) and ``weight`` on the recurrent weights.
    In evaluation only ``expectation`` acts, and it is silent for every rule but zoneout.
    ``library_rate`` is the rate at which a library's own dropout between layers is all that the rule does there.
    All are functions of a module or partial ones, so that networks can be pickled.
    """

    between: Callable[[Tensor], Tensor] = unchanged
    noise: Callable[[Shape, Tensor], Noise] = _silent
    weight: Callable[[Tensor], Tensor] = unchanged
    expectation: Callable[[Shape, Tensor], Noise] = _silent
    library_rate: float | None = None
    input: Callable[[Tensor], Tensor] | None = None
    output: Callable[[Tensor], Tensor] | None = None

    def at(self, place: int, num_layers: int) -> Callable[[Tensor], Tensor]:
        """What acts below layer ``place``, counted from 0; above the top one it is number ``num_layers``."""
        own = self.input if place == 0 else self.output if place == num_layers else None
        return own or self.between

    @property
    def acts_in_evaluation(self) -> bool:
        """Whether ``expectation`` does anything."""
        return self.expectation is not _silent


def none(dropout: float, recurrent: float) -> Regularizer:
    """No noise at all: the plain LSTM."""
    return Regularizer(library_rate=0.0)


def zaremba(dropout: float, recurrent: float) -> Regularizer:
    """Fresh masks at every step on the non-recurrent connections only (Zaremba et al. 2014)."""
    return Regularizer(between=partial(drop_each_step, rate=dropout), library_rate=dropout)


def naive(dropout: float, recurrent: float) -> Regularizer:
    """Zaremba's masks, and fresh ones on h[t-1] too: the paper's counter-example."""
    return Regularizer(between=partial(drop_each_step, rate=dropout), noise=partial(_dropped_hidden, rate=recurrent))


def variational(dropout: float, recurrent: float) -> Regularizer:
    """One mask per sequence on every connection, the recurrent ones too (Gal & Ghahramani 2016)."""
    return Regularizer(between=partial(drop_locked, rate=dropout), noise=partial(_locked_hidden, rate=recurrent))


def recurrent(dropout: float, recurrent: float) -> Regularizer:
    """Zaremba's masks, and fresh ones on the candidate update g[t] (Semeniuta et al. 2016, equation 15)."""
    return Regularizer(between=partial(drop_each_step, rate=dropout), noise=partial(_dropped_candidate, rate=recurrent))


def zoneout(dropout: float, recurrent: float) -> Regularizer:
    """Zaremba's masks; units of h and c keep their previous value at random (Krueger et al. 2017, eq. 6)."""
    return Regularizer(
        between=partial(drop_each_step, rate=dropout),
        noise=partial(_zones, rate=recurrent),
        expectation=partial(_expected_zones, rate=recurrent),
    )


def weight_drop(dropout: float, recurrent: float) -> Regularizer:
    """DropConnect on the recurrent weights, one mask per sequence elsewhere (Merity et al. 2018)."""
    return Regularizer(between=partial(drop_locked, rate=dropout), weight=partial(F.dropout, p=recurrent))


RULES: dict[str, Callable[[float, float], Regularizer]] = {
    "none": none,
    "zaremba": zaremba,
    "naive": naive,
    "variational": variational,
    "recurrent": recurrent,
    "zoneout": zoneout,
    "weight-drop": weight_drop,
}


def make_regularizer(
    rule: str,
    dropout: float = 0.0,
    recurrent: float | None = None,
    input: float | None = None,  # noqa: A002 (the field's name for it)
    output: float | None = None,
) -> Regularizer:
    """The named rule at its rates; the path through time, the input and the output get ``dropout`` if not their own.

    Raises:
        ValueError: the rule is unknown, or a rate is outside [0, 1).
    """
    rates = [dropout, *(dropout if rate is None else rate for rate in (recurrent, input, output))]
    if rule not in RULE_NAMES:
        raise ValueError(f"unknown rule {rule!r}: one of {', '.join(RULE_NAMES)}")
    if not all(0 <= rate < 1 for rate in rates):
        raise ValueError(f"dropout rates lie in [0, 1), not {tuple(rates)}")
    make, recurrent_rate = RULES[rule], rates[1]
    return replace(
        make(dropout, recurrent_rate),
        input=None if input is None else make(input, recurrent_rate).between,
        output=None if output is None else make(output, recurrent_rate).between,
    )
