"""Using a language model: sampling text, and scoring it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from lstmdrop.data.tokenizer import Tokenizer
from lstmdrop.decoding.sampling import SamplingOptions, sample, seed_of
from lstmdrop.errors import UsageError
from lstmdrop.nn.recurrence import LSTMState
from lstmdrop_tasks.lm.config import LMPrediction
from lstmdrop_tasks.lm.scoring import score
from lstmdrop_tasks.lm.task import LanguageModelling

SAMPLED_AT_ONCE = 64
"""Texts that are drawn side by side."""

States = Sequence[LSTMState | None]


def predict(
    tasks: Sequence[LanguageModelling], inputs: Iterable[str], options: LMPrediction
) -> Iterator[Mapping[str, Any]]:
    """Score each line of ``inputs`` (see `lstmdrop_tasks.lm.scoring.score`), or continue the prompt."""
    if isinstance(inputs, Sequence) and inputs and not options.score:
        raise UsageError(f"{inputs[0]!r}: a text to continue is given with --prompt, lines to score with --score")
    for task in tasks:
        task.model.eval()
    if len({task.tokenizer.fingerprint for task in tasks}) > 1:
        raise UsageError("these runs have different vocabularies and cannot speak as one")
    return score(tasks, inputs) if options.score else _sample(tasks, options)


def examples(task: LanguageModelling) -> Iterator[Mapping[str, Any]]:
    """Three texts from the beginning, for the results page."""
    return predict([task], (), LMPrediction(length=60, num_samples=3))


def _sample(tasks: Sequence[LanguageModelling], options: LMPrediction) -> Iterator[Mapping[str, Any]]:
    task = tasks[0]
    tokenizer = task.tokenizer
    banned = _banned_ids(tokenizer, options.ban)
    context = [tokenizer.eos, *_encoded(tokenizer, options.prompt)]
    how = SamplingOptions(options.temperature, options.top_k, options.top_p, banned)

    def next_logits(tokens: Tensor, states: States | None) -> tuple[Tensor, States]:
        return _mixture_logits(tasks, tokens, states)

    for first in range(0, options.num_samples, SAMPLED_AT_ONCE):
        numbers = range(first, min(first + SAMPLED_AT_ONCE, options.num_samples))
        prompt = torch.tensor(context, device=task.device)[:, None].expand(-1, len(numbers))
        seeds = [seed_of(options.seed, number) for number in numbers]
        for ids in sample(next_logits, prompt, options.length, how, seeds).T.tolist():
            continuation = [tokenizer.vocabulary.tokens[token] for token in ids]
            yield {"text": tokenizer.decode([*context[1:], *ids]).rstrip("\n"), "tokens": continuation}


def _encoded(tokenizer: Tokenizer, text: str) -> list[int]:
    """The ids of a text, its line ends what they were in training: ``<eos>``."""
    first, *others = text.replace("\r\n", "\n").split("\n")
    return [*tokenizer.encode(first), *(token for line in others for token in (tokenizer.eos, *tokenizer.encode(line)))]


def _mixture_logits(tasks: Sequence[LanguageModelling], tokens: Tensor, states: States | None) -> tuple[Tensor, States]:
    """Log of the mean of the models' probabilities."""
    before = states if states is not None else [None] * len(tasks)
    members = [task.model.next_logits(tokens, state) for task, state in zip(tasks, before, strict=True)]
    log_probs = torch.stack([logits.log_softmax(-1) for logits, _ in members])
    return log_probs.logsumexp(0), [state for _, state in members]


def _banned_ids(tokenizer: Tokenizer, tokens: Sequence[str]) -> list[int]:
    unknown = [token for token in tokens if token not in tokenizer.vocabulary]
    if unknown:
        raise UsageError(f"--ban {unknown[0]!r}: the vocabulary has no such token")
    if len(set(tokens)) == len(tokenizer.vocabulary):
        raise UsageError("--ban: every token of the vocabulary is banned, so none can be sampled")
    return [tokenizer.vocabulary.id_of(token) for token in tokens]
