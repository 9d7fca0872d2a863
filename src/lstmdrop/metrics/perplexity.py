"""Perplexity from the log-probability of every predicted token."""

from __future__ import annotations

import logging
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from lstmdrop.errors import DataError
from lstmdrop.metrics.score import Score

MOST_UNKNOWN = 0.05

log = logging.getLogger("lstmdrop.metrics")

MOST_BYTES = 1 << 32
"""Of the log-probabilities of a run, unpacked: those of a thousand million tokens."""

LogProbs = npt.NDArray[np.floating]


def perplexity(log_probs: LogProbs) -> float:
    """exp(total negative log-likelihood / number of predicted tokens), natural logarithms, in float64.

    Raises:
        ValueError: there is no token to predict.
    """
    if log_probs.size == 0:
        raise ValueError("perplexity needs at least one predicted token")
    return float(np.exp(-log_probs.astype(np.float64).sum() / log_probs.size))


@dataclass(frozen=True, slots=True)
class Predicted:
    """Of what a text's tokens were predicted."""

    vocabulary_size: int
    fingerprint: str
    """Identity of the tokeniser and its vocabulary."""
    num_unknown: int
    """Tokens of the text that the vocabulary lacks; its own ``<unk>`` is none."""
    data_sha256: str


def stream_perplexities(
    log_probs: LogProbs,
    predicted: Predicted,
    is_known: npt.NDArray[np.bool_],
    num_models: int = 1,
    adaptation: Mapping[str, str] = {},
) -> list[Score]:
    """Perplexity of one sequential stream with carried state, with the signature that says so.

    Where the vocabulary lacks some of the text, a second score leaves out all tokens that are predicted as ``<unk>``
    (``is_known`` says which are not): one guess for very many words makes a model look better than it is. What the
    models learnt from the text as they went, if anything, is ``adaptation``: keys of `lstmdrop.metrics.score.ADAPTED`.
    """
    signature = {
        "vocabulary": predicted.vocabulary_size,
        "fingerprint": predicted.fingerprint[:12],
        "unknown": predicted.num_unknown,
        "stream": "single",
        "state": "carried",
        **adaptation,
        "models": num_models,
        "data": predicted.data_sha256[:12],
        "version": version("lstmdrop"),
    }
    text = "".join(f"|{key}:{value}" for key, value in signature.items())
    scores = [Score("perplexity", perplexity(log_probs), False, f"tokens:{log_probs.size}{text}")]
    if predicted.num_unknown and is_known.any():
        known = log_probs[is_known]
        scores.append(Score("known_perplexity", perplexity(known), False, f"known:{known.size}{text}"))
    return scores


@cache  # a text is validated on after every epoch
def warn_of_unknown(num_unknown: int, num_tokens: int, what: str) -> None:
    """Say so, once, where more than `MOST_UNKNOWN` of the tokens of a text are not in the vocabulary."""
    if num_unknown > MOST_UNKNOWN * num_tokens:
        log.warning(
            "%.1f%% of the tokens of %s are unknown and count as one, <unk>: the less a model knows, the lower its "
            "perplexity. Train on text like it, or with data.tokens=bpe",
            100 * num_unknown / num_tokens, what,
        )  # fmt: skip


def token_and_word_perplexity(
    log_probs: LogProbs, token: str, vocabulary_size: int, fingerprint: str, num_words: int, extra: Mapping[str, str]
) -> tuple[Score, Score]:
    """Perplexity of sentences that were predicted apart, by token (of the kind ``token``) and by word.

    Both share one total; ``num_words`` counts the words of the text and the end of each line. Only the second can be
    compared between models that cut text into different tokens, and only where no token was unknown to either.
    """
    by_token = perplexity(log_probs)
    by_word = float(np.exp(-log_probs.astype(np.float64).sum() / num_words))
    common = "".join(f"|{key}:{value}" for key, value in {**extra, "version": version("lstmdrop")}.items())
    tokens = f"unit:{token}|tokens:{log_probs.size}|vocabulary:{vocabulary_size}|fingerprint:{fingerprint[:12]}"
    return (
        Score("perplexity", by_token, False, f"{tokens}{common}"),
        Score("word_perplexity", by_word, False, f"unit:word|words:{num_words}{common}"),
    )


def mixture_log_probs(members: Iterable[LogProbs]) -> tuple[LogProbs, int]:
    """Log of the arithmetic mean of the members' probabilities, token by token, and how many there were.

    Members are consumed one at a time. Source: model averaging, Zaremba et al. 2014, table 1.

    Raises:
        ValueError: there is no member, or they predict different numbers of tokens.
    """
    total: LogProbs | None = None
    count = 0
    for log_probs in members:
        if total is not None and total.shape != log_probs.shape:
            raise ValueError(f"models predict different numbers of tokens: {total.size} and {log_probs.size}")
        exact = log_probs.astype(np.float64)
        total = exact if total is None else np.logaddexp(total, exact)
        count += 1
    if total is None:
        raise ValueError("an average needs at least one model")
    return total - np.log(count), count


class TokenLogProbs(NamedTuple):
    """Log-probabilities in nats, and where it is known the number of tokens of each sentence."""

    log_probs: LogProbs
    lengths: list[int] | None


def has_log_probs(directory: Path) -> bool:
    """Whether `read_log_probs` finds any."""
    return (directory / "log_probs.npz").is_file()


def read_log_probs(directory: Path) -> TokenLogProbs:
    """The arrays ``log_probs`` and, if there, ``lengths`` of ``log_probs.npz``.

    Raises:
        DataError: it is missing or damaged.
    """
    arrays = read_arrays(directory)
    return TokenLogProbs(arrays["log_probs"], arrays["lengths"].tolist() if "lengths" in arrays else None)


def read_arrays(directory: Path) -> dict[str, Any]:
    """All arrays of ``log_probs.npz``, ``log_probs`` among them.

    Raises:
        DataError: it is missing or damaged.
    """
    path = directory / "log_probs.npz"
    try:
        with path.open("rb") as file:
            with zipfile.ZipFile(file) as archive:
                if sum(member.file_size for member in archive.infolist()) > MOST_BYTES:
                    raise ValueError(f"it unpacks to more than {MOST_BYTES >> 30} GiB")
            file.seek(0)
            with np.load(file, allow_pickle=False) as arrays:
                found = {"log_probs": arrays["log_probs"], **{name: arrays[name] for name in arrays.files}}
        if not all(isinstance(array, np.ndarray) for array in found.values()):  # else it is bytes, as they lie there
            raise ValueError("a member of it is no array")
        return found
    except FileNotFoundError:
        raise DataError(f"{path} does not exist: the run kept no log-probabilities") from None
    except Exception as error:  # a damaged archive fails in many ways
        raise DataError(f"{path} cannot be read: {error}") from None
