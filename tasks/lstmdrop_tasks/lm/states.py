"""What a language model has in its layers as it reads: hidden states, cells and embeddings, written for analysis."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from lstmdrop.data.atomic import atomic_file
from lstmdrop.data.tokenizer import Tokenizer
from lstmdrop.nn.recurrence import LSTMState
from lstmdrop_tasks.lm.reading import Ids, batches, encoded_line, encoded_prompt, padded, state_after
from lstmdrop_tasks.lm.task import LanguageModelling

log = logging.getLogger("lstmdrop.lm")

Array = npt.NDArray[Any]


def write_states(task: LanguageModelling, lines: Iterable[str], path: Path, context: str = "") -> None:
    """One ``.npz`` of all lines; each is read by itself, after ``context``, its end included.

    ``h1``, ``c1`` and so on, the lowest layer first: shape ``(tokens, units)``, float32, the state after each token was
    read. ``ids`` and ``tokens``: shape ``(tokens,)``. ``spans``: shape ``(tokens, 2)``, where each begins and ends in
    its line, in characters; the line's end is the character after its last. ``offsets``: shape ``(lines + 1,)``; those
    of line n are ``offsets[n]`` to ``offsets[n + 1]``. ``embeddings``: shape ``(vocabulary, numbers)``, float32, and
    ``vocabulary`` its tokens. All of it is in memory until it is written.
    """
    tokenizer = task.tokenizer
    encoded = [encoded_line(tokenizer, line) for line in lines]
    ids = [line.ids for line in encoded]
    offsets = np.array([0, *accumulate(map(len, ids))], np.int64)
    arrays: dict[str, Array] = dict(_states(task, ids, offsets, context))
    vocabulary = np.array(tokenizer.vocabulary.tokens, np.str_)
    arrays["ids"] = np.array([token for line in ids for token in line], np.int32)
    arrays["tokens"] = vocabulary[arrays["ids"]]
    spans = [span for line in encoded for span in _spans(tokenizer, line.text)]
    arrays["spans"] = np.array(spans, np.int32).reshape(-1, 2)
    arrays["offsets"] = offsets
    arrays["embeddings"] = task.model.embedding.weight.detach().float().cpu().numpy()
    arrays["vocabulary"] = vocabulary
    with atomic_file(path) as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]
    sizes = ", ".join(f"{name} {'x'.join(map(str, array.shape))}" for name, array in arrays.items())
    log.warning("%s: %d line(s), %d tokens; %s", path, len(ids), offsets[-1], sizes)


def _spans(tokenizer: Tokenizer, text: str) -> list[tuple[int, int]]:
    spans, start = [], 0
    for line in text.removesuffix("\n").split("\n"):
        spans += [(start + begin, start + end) for begin, end in tokenizer.spans(line)]
        start += len(line) + 1
        spans.append((start - 1, start))
    return spans


@torch.no_grad()
def _states(task: LanguageModelling, lines: Sequence[Ids], offsets: Array, context: str) -> dict[str, Array]:
    """By name, of all tokens of the lines one after the other."""
    widths = [layer.hidden_size for layer in task.model.lstm.layers if isinstance(layer, nn.LSTM)]
    empty = [np.zeros((int(offsets[-1]), width), np.float32) for width in widths]
    hidden, cells = empty, [array.copy() for array in empty]
    before = encoded_prompt(task.tokenizer, context)
    for numbers in batches([len(line) for line in lines]):
        batch = [lines[number] for number in numbers]
        places, lengths = offsets[numbers], np.array([len(line) for line in batch])
        state = state_after(task.model, [*before, 0], len(batch), task.device)
        for step, tokens in enumerate(padded(batch, task.device)):
            _, state = task.model.features(tokens[None], state)
            is_there = lengths > step
            _keep(state, places[is_there] + step, is_there, hidden, cells)
    return {
        f"{kind}{number}": array
        for number, pair in enumerate(zip(hidden, cells, strict=True), 1)
        for kind, array in zip("hc", pair, strict=True)
    }


def _keep(
    state: LSTMState, places: Array, rows: Array, hidden: Sequence[npt.NDArray[np.float32]],
    cells: Sequence[npt.NDArray[np.float32]],
) -> None:  # fmt: skip
    """Write the state after a step into the places of its tokens, each layer's own width of it."""
    for part, arrays in zip(state, (hidden, cells), strict=True):
        for layer, array in zip(part.float().cpu().numpy(), arrays, strict=True):
            array[places] = layer[rows, : array.shape[1]]
