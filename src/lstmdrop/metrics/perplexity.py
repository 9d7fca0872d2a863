"""Perplexity from the log-probability of every predicted token."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.metadata import version

import numpy as np
import numpy.typing as npt

from lstmdrop.metrics.score import Score

LogProbs = npt.NDArray[np.floating]


def perplexity(log_probs: LogProbs) -> float:
    """exp(total negative log-likelihood / number of predicted tokens), natural logarithms, in float64.

    Raises:
        ValueError: there is no token to predict.
    """
    if log_probs.size == 0:
        raise ValueError("perplexity needs at least one predicted token")
    return float(np.exp(-log_probs.astype(np.float64).sum() / log_probs.size))


def perplexity_score(log_probs: LogProbs, *, vocabulary_size: int, data_sha256: str, num_models: int = 1) -> Score:
    """Perplexity of one sequential stream with carried state, with the signature that says so."""
    signature = {
        "tokens": log_probs.size,
        "vocabulary": vocabulary_size,
        "stream": "single",
        "state": "carried",
        "models": num_models,
        "data": data_sha256[:12],
        "version": version("lstmdrop"),
    }
    text = "|".join(f"{key}:{value}" for key, value in signature.items())
    return Score("perplexity", perplexity(log_probs), higher_is_better=False, signature=text)


def token_and_word_perplexity(
    log_probs: LogProbs, token: str, vocabulary_size: int, num_words: int, extra: Mapping[str, str]
) -> tuple[Score, Score]:
    """Perplexity of sentences that were predicted apart, by token (of the kind ``token``) and by word.

    Both share one total; ``num_words`` counts the words of the text and the end of each line. Only the second can be
    compared between models that cut text into different tokens, and only where no token was unknown to either.
    """
    by_token = perplexity(log_probs)
    by_word = float(np.exp(-log_probs.astype(np.float64).sum() / num_words))
    common = "".join(f"|{key}:{value}" for key, value in {**extra, "version": version("lstmdrop")}.items())
    return (
        Score(
            "perplexity", by_token, False, f"unit:{token}|tokens:{log_probs.size}|vocabulary:{vocabulary_size}{common}"
        ),
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
