"""What a run said of the test split: predicted lines, and the log-probability of every token."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from lstmdrop.errors import DataError
from lstmdrop.metrics.perplexity import LogProbs


class TokenLogProbs(NamedTuple):
    """Log-probabilities in nats, and where it is known the number of tokens of each sentence."""

    log_probs: LogProbs
    lengths: list[int] | None


def read_predictions(directory: Path) -> list[str]:
    """The lines of ``predictions.txt``.

    Raises:
        DataError: it is missing or not UTF-8.
    """
    path = directory / "predictions.txt"
    try:
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise DataError(f"{path} does not exist: the run kept no predictions") from None
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}") from None
    return text.removesuffix("\n").split("\n")  # not splitlines, which breaks at more than line ends


def read_log_probs(directory: Path) -> TokenLogProbs:
    """The arrays ``log_probs`` and, if there, ``lengths`` of ``log_probs.npz``.

    Raises:
        DataError: it is missing or damaged.
    """
    path = directory / "log_probs.npz"
    try:
        with np.load(path, allow_pickle=False) as arrays:
            lengths = arrays["lengths"].tolist() if "lengths" in arrays else None
            return TokenLogProbs(arrays["log_probs"], lengths)
    except FileNotFoundError:
        raise DataError(f"{path} does not exist: the run kept no log-probabilities") from None
    except Exception as error:  # a damaged archive fails in many ways
        raise DataError(f"{path} cannot be read: {error}") from None
