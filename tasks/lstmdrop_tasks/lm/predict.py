"""Using a language model: sampling text, telling what may come next, scoring lines, looking inside."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from lstmdrop.data.tokenizer import Tokenizer
from lstmdrop.decoding.sampling import SamplingOptions, sample, seed_of
from lstmdrop.errors import UsageError
from lstmdrop.nn.recurrence import LSTMState
from lstmdrop_tasks.lm.adaptation import SCORING_WINDOW
from lstmdrop_tasks.lm.config import READING, LMPrediction
from lstmdrop_tasks.lm.reading import encoded_prompt
from lstmdrop_tasks.lm.scoring import score
from lstmdrop_tasks.lm.states import write_states
from lstmdrop_tasks.lm.task import LanguageModelling

SAMPLED_AT_ONCE = 64
"""Texts that are drawn side by side."""

States = Sequence[LSTMState | None]


def predict(
    tasks: Sequence[LanguageModelling], inputs: Iterable[str], options: LMPrediction
) -> Iterator[Mapping[str, Any]]:
    """Score each line of ``inputs``, or go on from each, or write what is inside the model; else continue the prompt.

    Each output names the number of its line under ``line``, the first one's is 1.

    Raises:
        UsageError: there are inputs that nothing would read, the models have different vocabularies, or the states of
            several are asked for.
    """
    if isinstance(inputs, Sequence) and inputs and not READING.holds(options):
        raise UsageError(
            f"{inputs[0]!r}: a text to continue is given with --prompt, several as lines with --prompts, "
            "lines to score with --score"
        )
    for task in tasks:
        task.model.eval()
    if len({task.tokenizer.fingerprint for task in tasks}) > 1:
        raise UsageError("these runs have different vocabularies and cannot speak as one")
    if options.states is not None:
        if len(tasks) > 1:
            raise UsageError("--states takes one run: the layers of several have nothing in common")
        write_states(tasks[0], inputs, options.states, options.context)
        return iter(())
    return score(tasks, inputs, options.context) if options.score else _gone_on(tasks, inputs, options)


def examples(task: LanguageModelling) -> Iterator[Mapping[str, Any]]:
    """Three texts from the beginning, for the results page."""
    return predict([task], (), LMPrediction(length=60, num_samples=3))


def _gone_on(
    tasks: Sequence[LanguageModelling], lines: Iterable[str], options: LMPrediction
) -> Iterator[Mapping[str, Any]]:
    """From the prompt, or from each line: every line gives what it gives as the only prompt."""
    go_on = _sampled if options.next is None else _next_tokens
    if not options.prompts:
        yield from go_on(tasks, options.prompt, options)
        return
    for number, line in enumerate(lines, 1):
        prompt = line.removesuffix("\n").removesuffix("\r")
        for output in go_on(tasks, prompt, options):
            yield {**output, "prompt": prompt, "line": number}


def _sampled(tasks: Sequence[LanguageModelling], prompt: str, options: LMPrediction) -> Iterator[Mapping[str, Any]]:
    task = tasks[0]
    tokenizer = task.tokenizer
    banned = banned_ids(tokenizer, options.ban)
    context = encoded_prompt(tokenizer, prompt)
    how = SamplingOptions(options.temperature, options.top_k, options.top_p, banned)

    def next_logits(tokens: Tensor, states: States | None) -> tuple[Tensor, States]:
        return _mixture_logits(tasks, tokens, states)

    for first in range(0, options.num_samples, SAMPLED_AT_ONCE):
        numbers = range(first, min(first + SAMPLED_AT_ONCE, options.num_samples))
        tokens = torch.tensor(context, device=task.device)[:, None].expand(-1, len(numbers))
        seeds = [seed_of(options.seed, number) for number in numbers]
        for ids in sample(next_logits, tokens, options.length, how, seeds).T.tolist():
            yield drawn_text(tokenizer, context, ids)


def drawn_text(tokenizer: Tokenizer, context: Sequence[int], ids: Sequence[int]) -> dict[str, Any]:
    """The output for what was drawn after a prompt, as `encoded_prompt` gives it."""
    continuation = [tokenizer.vocabulary.tokens[token] for token in ids]
    return {"text": tokenizer.decode([*context[1:], *ids]).rstrip("\n"), "tokens": continuation}


def _next_tokens(tasks: Sequence[LanguageModelling], prompt: str, options: LMPrediction) -> Iterator[Mapping[str, Any]]:
    """The likeliest tokens after a prompt, each with its probability; ``entropy`` is of all of them, in bits."""
    tokenizer = tasks[0].tokenizer
    states: States | None = None
    log_probs = torch.zeros(0)
    read = torch.tensor(encoded_prompt(tokenizer, prompt), device=tasks[0].device)[:, None]
    for window in torch.split(read, SCORING_WINDOW):
        logits, states = _mixture_logits(tasks, window, states)
        log_probs = logits[0].double().log_softmax(-1).cpu()
    found = log_probs.topk(min(options.next or 1, len(log_probs)))
    tokens = [
        {"token": tokenizer.vocabulary.tokens[token], "probability": math.exp(value), "log_prob": value}
        for value, token in zip(found.values.tolist(), found.indices.tolist(), strict=True)
    ]
    entropy = float(torch.special.entr(log_probs.exp()).sum()) / math.log(2)
    rest = max(0.0, 1.0 - math.fsum(token["probability"] for token in tokens))
    yield {"text": _table(prompt, tokens, rest), "next": tokens, "rest": rest, "entropy": entropy, "prompt": prompt}


def _table(prompt: str, tokens: Sequence[Mapping[str, Any]], rest: float) -> str:
    """A line for each token, the likeliest first, under the prompt."""
    rows = [f"{token['probability']:>10.4%}  {token['log_prob']:>9.4f}  {token['token']}" for token in tokens]
    return "\n".join([repr(prompt), *rows, f"{rest:>10.4%}             (all others)"])


def _mixture_logits(tasks: Sequence[LanguageModelling], tokens: Tensor, states: States | None) -> tuple[Tensor, States]:
    """Log of the mean of the models' probabilities."""
    before = states if states is not None else [None] * len(tasks)
    members = [task.model.next_logits(tokens, state) for task, state in zip(tasks, before, strict=True)]
    log_probs = torch.stack([logits.log_softmax(-1) for logits, _ in members])
    return log_probs.logsumexp(0), [state for _, state in members]


def banned_ids(tokenizer: Tokenizer, tokens: Sequence[str]) -> list[int]:
    """The ids of tokens that are never to be drawn.

    Raises:
        UsageError: one is unknown, or nothing is left.
    """
    unknown = [token for token in tokens if token not in tokenizer.vocabulary]
    if unknown:
        raise UsageError(f"--ban {unknown[0]!r}: the vocabulary has no such token")
    if len(set(tokens)) == len(tokenizer.vocabulary):
        raise UsageError("--ban: every token of the vocabulary is banned, so none can be sampled")
    return [tokenizer.vocabulary.id_of(token) for token in tokens]
