"""Scoring a split with one language model, or with several as one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from lstmdrop.config import Split
from lstmdrop.data.store import TokenStore
from lstmdrop.data.tokenizer import Tokenizer, TokenizerKind
from lstmdrop.errors import DataError
from lstmdrop.metrics.perplexity import LogProbs, Predicted, mixture_log_probs, stream_perplexities, warn_of_unknown
from lstmdrop.metrics.score import Score
from lstmdrop.metrics.text_units import ScoredLines, unit_scores
from lstmdrop_tasks.lm.adaptation import Adaptation, adaptation_of
from lstmdrop_tasks.lm.config import LMConfig


class Scored(Protocol):
    """What is asked of each model."""

    config: LMConfig
    tokenizer: Tokenizer

    def store(self, split: Split) -> TokenStore:
        """The tokens of a split."""
        ...

    def scored_lines(self, split: Split) -> ScoredLines:
        """The sizes of its lines."""
        ...

    def log_probs(self, split: Split, adaptation: Adaptation | None = None) -> LogProbs:
        """Log-probability in nats of each of its tokens but the first."""
        ...


def evaluate(tasks: Iterable[Scored], split: Split, outputs: Path | None = None) -> Sequence[Score]:
    """Perplexity of the models' averaged probabilities; one model is in memory at a time.

    Models of other tokens than words have the scores of `lstmdrop.metrics.text_units.UNITS` too.

    Raises:
        DataError: the models differ in vocabulary or test text, so that their tokens cannot be compared.
    """
    members = _Members(tasks, split)
    log_probs, num_models = mixture_log_probs(members)
    assert members.predicted is not None
    assert members.lines is not None
    if outputs is not None:
        kept: dict[str, Any] = {"log_probs": log_probs.astype(np.float32), **members.lines.arrays}
        np.savez_compressed(outputs / "log_probs.npz", **kept)
    warn_of_unknown(members.predicted.num_unknown, log_probs.size, f"the {split} text")
    assert members.adaptation is not None
    how = members.adaptation.signature
    scores = stream_perplexities(log_probs, members.predicted, members.is_known, num_models, how)
    return [*scores, *unit_scores(scores[0], log_probs, members.lines)] if members.kind != "word" else scores


class _Members:
    """The log-probabilities of each task in turn; all must predict the same tokens."""

    def __init__(self, tasks: Iterable[Scored], split: Split) -> None:
        self.tasks = tasks
        self.split: Split = split
        self.predicted: Predicted | None = None
        self.adaptation: Adaptation | None = None
        """Of all of them as the first one's settings say; each adapts by itself."""
        self.kind: TokenizerKind = "word"
        self.lines: ScoredLines | None = None
        self.is_known = np.zeros(0, np.bool_)
        """Of each token but the first, whether it is another than ``<unk>``."""

    def __iter__(self) -> Iterator[LogProbs]:
        for task in self.tasks:
            store, tokenizer = task.store(self.split), task.tokenizer
            is_known = store.tokens[1:] != tokenizer.unk
            num_unknown = min(store.num_unknown, int((~is_known).sum()))  # the first token is not predicted
            predicted = Predicted(len(tokenizer.vocabulary), tokenizer.fingerprint, num_unknown, store.sha256)
            if self.predicted not in (None, predicted):
                raise DataError("these runs differ in vocabulary or test text: their probabilities cannot be averaged")
            self.predicted, self.is_known = predicted, is_known
            self.kind, self.lines = tokenizer.kind, task.scored_lines(self.split)
            self.adaptation = self.adaptation or adaptation_of(task.config.scoring)
            log_probs = task.log_probs(self.split, self.adaptation)
            del task  # the next model is built only after this one is gone
            yield log_probs
