"""A language model behind a server: texts go on, word by word where that is wanted, or are scored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import torch
from pydantic import Field
from torch import Tensor

from lstmdrop.config import Section, Seed
from lstmdrop.decoding.sampling import SamplingOptions, draws, sample, seed_of
from lstmdrop.nn.recurrence import LSTMState
from lstmdrop.service import Output, Service
from lstmdrop_tasks.lm.config import LMPrediction
from lstmdrop_tasks.lm.predict import banned_ids, drawn_text, predict
from lstmdrop_tasks.lm.reading import encoded_prompt
from lstmdrop_tasks.lm.task import LanguageModelling


class CompleteOptions(Section):
    """As those of ``predict``, which says more of them."""

    length: int = Field(default=40, ge=1, le=1000, description="tokens to sample")
    temperature: float = Field(default=1.0, gt=0, allow_inf_nan=False, description="below 1 is safer, above 1 bolder")
    top_k: int | None = Field(default=None, ge=1, description="sample from the N likeliest tokens only")
    top_p: float | None = Field(default=None, gt=0, le=1, description="sample from the likeliest of this mass")
    ban: str = Field(default="", max_length=1000, description="tokens never to sample, with blanks between")
    seed: Seed = Field(default=1, description="other seeds give other texts")


class ScoreOptions(Section):
    """There is nothing to choose."""


def services(task: LanguageModelling) -> Sequence[Service]:
    """Completing and scoring."""
    return [
        Service(
            "complete", "A text goes on.", "text", CompleteOptions, partial(_complete, task), partial(_stream, task)
        ),
        Service("score", "How likely a line is, and each of its tokens.", "text", ScoreOptions, partial(_score, task)),
    ]


def _score(task: LanguageModelling, texts: Sequence[str], options: ScoreOptions) -> Sequence[Output]:
    return list(predict([task], texts, LMPrediction(score=True)))


def _complete(task: LanguageModelling, texts: Sequence[str], options: CompleteOptions) -> Sequence[Output]:
    """Prompts of one length are read together, and all texts go on together."""
    prompts = [encoded_prompt(task.tokenizer, text) for text in texts]
    logits, begun = _read(task, prompts)

    def next_logits(tokens: Tensor, state: LSTMState | None) -> tuple[Tensor, LSTMState]:
        return (logits, begun) if state is None else _next(task, tokens, state)

    last = torch.tensor([[prompt[-1] for prompt in prompts]], device=task.device)
    seeds = [seed_of(options.seed, 0)] * len(texts)
    found = sample(next_logits, last, options.length, _how(task, options), seeds).T.tolist()
    return [drawn_text(task.tokenizer, prompt, ids) for prompt, ids in zip(prompts, found, strict=True)]


def _stream(task: LanguageModelling, text: str, options: CompleteOptions) -> Iterator[Output]:
    prompt = encoded_prompt(task.tokenizer, text)
    column = torch.tensor(prompt, device=task.device)[:, None]
    ids: list[int] = []
    for token in draws(partial(_next, task), column, options.length, _how(task, options), [seed_of(options.seed, 0)]):
        ids.append(int(token))
        yield drawn_text(task.tokenizer, prompt, ids)


def _how(task: LanguageModelling, options: CompleteOptions) -> SamplingOptions:
    banned = banned_ids(task.tokenizer, options.ban.split())
    return SamplingOptions(options.temperature, options.top_k, options.top_p, banned)


def _next(task: LanguageModelling, tokens: Tensor, state: LSTMState | None) -> tuple[Tensor, LSTMState]:
    logits, state = task.model.next_logits(tokens, state)
    return logits.log_softmax(-1), state


def _read(task: LanguageModelling, prompts: Sequence[Sequence[int]]) -> tuple[Tensor, LSTMState]:
    """What may follow each prompt, and the states after them, in their order."""
    logits: list[Tensor] = [torch.empty(0)] * len(prompts)
    states: list[LSTMState | None] = [None] * len(prompts)
    for length in {len(prompt) for prompt in prompts}:
        rows = [row for row, prompt in enumerate(prompts) if len(prompt) == length]
        columns = torch.tensor([prompts[row] for row in rows], device=task.device).T
        found, state = _next(task, columns, None)
        for column, row in enumerate(rows):
            one = slice(column, column + 1)
            logits[row], states[row] = found[one], LSTMState(state.hidden[:, one], state.cell[:, one])
    known = [state for state in states if state is not None]
    together = LSTMState(*(torch.cat(parts, 1) for parts in zip(*known, strict=True)))
    return torch.cat(logits), together
