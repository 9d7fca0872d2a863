"""What the training pairs say of translations: how long they may be, and what their words are."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from lstmdrop.errors import DataError
from lstmdrop.metrics.bleu_tokenizer import TokenizerName
from lstmdrop_tasks.mt.pairs import Pairs

LONGEST_RATIO, LONGEST_MORE = 2.0, 10
"""A translation is cut after so many times its source's tokens, and so many more, or later where pairs are so."""
FILE = "targets.json"
_QUANTILE, _HEADROOM = 0.999, 1.25
"""Pairs that are no translations are fewer than the rest, and new sentences may be longer than the known ones."""


@dataclass(frozen=True, slots=True)
class Targets:
    """Kept in a run's assets; a run from before there was such a file goes by the defaults."""

    longest_ratio: float = LONGEST_RATIO
    """Target tokens a source token (``<eos>`` is one), beyond the first `LONGEST_MORE`."""
    tokenize: TokenizerName | None = None
    """sacreBLEU's tokeniser for the target language; None: to be told from the text that is scored."""

    def save(self, assets: Path) -> None:
        """Write what `load` reads."""
        (assets / FILE).write_text(json.dumps(asdict(self)) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, assets: Path) -> Targets:
        """Read what `save` wrote.

        Raises:
            DataError: the file is damaged.
        """
        path = assets / FILE
        try:
            return cls(**json.loads(path.read_bytes())) if path.is_file() else cls()
        except (ValueError, TypeError) as error:
            raise DataError(f"{path} is damaged ({error})") from None


def longest_ratio(pairs: Pairs, max_length: int) -> float:
    """Room for nearly all of the pairs that are trained on, at least `LONGEST_RATIO`."""
    kept = pairs.kept(max_length)
    if len(kept) == 0:
        return LONGEST_RATIO
    ratios = (pairs.target.lengths[kept] - 1 - LONGEST_MORE) / pairs.source.lengths[kept]
    return max(LONGEST_RATIO, round(_HEADROOM * float(np.quantile(ratios, _QUANTILE)), 2))
