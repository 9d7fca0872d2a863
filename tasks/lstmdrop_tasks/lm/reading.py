"""Lines as a language model reads them: each for itself after a line end or a context, many side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from lstmdrop.data.tokenizer import Tokenizer
from lstmdrop.nn.recurrence import LSTMState
from lstmdrop_tasks.lm.adaptation import SCORING_WINDOW
from lstmdrop_tasks.lm.model import LanguageModel
from lstmdrop_tasks.lm.task import LanguageModelling

TOKENS_AT_ONCE = 1 << 14
"""Of the lines of a batch, filled up to the longest one; a longer line is a batch by itself, read window by window."""

Ids = Sequence[int]


class Encoded(NamedTuple):
    """A line, its end among it."""

    text: str
    ids: list[int]
    num_unknown: int


def encoded_line(tokenizer: Tokenizer, line: str) -> Encoded:
    """The line as a text has it: whatever its line ends are, they are newlines, one of them at its end."""
    text = line.replace("\r\n", "\n") + "\n"
    ids, num_unknown = tokenizer.encode_block(text)
    return Encoded(text, ids.tolist(), num_unknown)


def encoded_prompt(tokenizer: Tokenizer, text: str) -> list[int]:
    """What a model reads before it goes on: a line end, and the text, its line ends what they were in training."""
    return [tokenizer.eos, *encoded_line(tokenizer, text).ids[:-1]]


def log_probs_of(tasks: Sequence[LanguageModelling], lines: Sequence[Ids], context: str = "") -> list[list[float]]:
    """Log of the mean of the models' probabilities of each token of each line, in nats, in the order of the lines.

    Lines of about one length are read together: what stands beside a line changes its numbers by rounding alone.
    """
    before = encoded_prompt(tasks[0].tokenizer, context)
    found: list[list[float]] = [[] for _ in lines]
    for numbers in batches([len(line) for line in lines]):
        batch = [lines[number] for number in numbers]
        members = torch.stack([_log_probs(task, batch, before) for task in tasks])
        mixed = members.logsumexp(0) - torch.tensor(len(tasks)).log()
        for number, row in zip(numbers, mixed.T.tolist(), strict=True):
            found[number] = row[: len(lines[number])]
    return found


def batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """The numbers of all lines, the shortest first, as many together as `TOKENS_AT_ONCE` has room for."""
    batch: list[int] = []
    for number in sorted(range(len(lengths)), key=lambda one: (lengths[one], one)):
        if batch and (len(batch) + 1) * lengths[number] > TOKENS_AT_ONCE:
            yield batch
            batch = []
        batch.append(number)
    if batch:
        yield batch


def state_after(model: LanguageModel, before: Ids, batch_size: int, device: torch.device) -> LSTMState | None:
    """That of a model which has read all but the last of some tokens, once for each row of a batch."""
    if len(before) == 1:
        return None
    tokens = torch.tensor(before[:-1], device=device)[:, None]
    state = None
    with torch.no_grad():
        for window in torch.split(tokens, SCORING_WINDOW):
            _, state = model.features(window, state)
    assert state is not None
    return LSTMState(*(part.expand(-1, batch_size, -1).contiguous() for part in state))


def padded(lines: Sequence[Ids], device: torch.device) -> Tensor:
    """Shape ``(time, lines)``; what follows the end of a line is of no account."""
    columns = np.zeros((max(map(len, lines)), len(lines)), np.int64)
    for number, line in enumerate(lines):
        columns[: len(line), number] = line
    return torch.from_numpy(columns).to(device)


def _log_probs(task: LanguageModelling, lines: Sequence[Ids], before: Ids) -> Tensor:
    """Shape ``(time, lines)``, in double precision."""
    targets = padded(lines, task.device)
    first = torch.full_like(targets[:1], before[-1])
    inputs = torch.cat([first, targets[:-1]])
    state = state_after(task.model, before, len(lines), task.device)
    parts = []
    for some, wanted in zip(*(torch.split(part, SCORING_WINDOW) for part in (inputs, targets)), strict=True):
        log_probs, state = task.model.log_probs(some, wanted, state)
        parts.append(log_probs.double().cpu())
    return torch.cat(parts)
