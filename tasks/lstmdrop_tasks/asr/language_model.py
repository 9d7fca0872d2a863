"""A run of the language model task, opened for shallow fusion."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lstmdrop.config import resolve
from lstmdrop.data.tokenizer import Tokenizer
from lstmdrop.discovery import load_plugin
from lstmdrop.errors import UsageError
from lstmdrop.nn.recurrence import LSTMState
from lstmdrop.run import Run

Vector = npt.NDArray[np.float32]


class _NextLogits(Protocol):
    def next_logits(self, tokens: Tensor, state: LSTMState | None = None) -> tuple[Tensor, LSTMState]: ...


@dataclass(eq=False)
class Context:
    """What a language model remembers of a text, and the log-probability of every token that may follow."""

    state: LSTMState
    """Of shape ``(layers, 1, hidden)``."""
    log_probs: Vector
    """In nats."""
    is_start: bool = False
    after: dict[int, Context] = field(default_factory=dict)
    """Where each token leads that was read from here before."""
    words: dict[str, tuple[Context, int, float]] = field(default_factory=dict)
    """Words that were asked for here before: the context of their last token, that token, their log-probability."""


class LanguageModel:
    """Reads many texts side by side, a token at a time."""

    def __init__(self, model: _NextLogits, tokenizer: Tokenizer, fingerprint: str) -> None:
        self.tokenizer = tokenizer
        self.fingerprint = fingerprint
        self._model = model

    def start(self) -> Context:
        """The beginning of a line."""
        logits, state = self._model.next_logits(torch.tensor([[self.tokenizer.eos]]), None)
        return Context(state, logits.log_softmax(-1)[0].numpy(), is_start=True)

    def extend(self, contexts: Sequence[Context], tokens: Sequence[int]) -> list[Context]:
        """Each text with one token more; what was read before is remembered as long as the text's start is."""
        pairs = list(zip(contexts, tokens, strict=True))
        new = dict.fromkeys((context, token) for context, token in pairs if token not in context.after)
        if new:
            self._read(*zip(*new, strict=True))
        return [context.after[token] for context, token in pairs]

    def _read(self, contexts: Sequence[Context], tokens: Sequence[int]) -> None:
        """All texts together."""
        states = [context.state for context in contexts]
        together = LSTMState(*(torch.cat(parts, 1) for parts in zip(*states, strict=True)))
        logits, after = self._model.next_logits(torch.tensor([list(tokens)]), together)
        log_probs = logits.log_softmax(-1).numpy()
        for n, (context, token) in enumerate(zip(contexts, tokens, strict=True)):
            context.after[token] = Context(LSTMState(*(part[:, n : n + 1] for part in after)), log_probs[n])


def load_language_model(directory: Path) -> LanguageModel:
    """The best weights of a finished run, on the CPU.

    Raises:
        DataError: there is no run, or it is damaged.
        UsageError: it is a run of another task.
    """
    run = Run.open(directory)
    run.require_assets()
    plugin = load_plugin(run.config()["task"])
    built: Any = plugin.build(resolve(plugin.config, [run.config()]), run.assets, torch.device("cpu"), None)
    if not hasattr(built.model, "next_logits") or not hasattr(built, "tokenizer"):
        raise UsageError(f"{directory} is a run of {plugin.name}; --lm takes one of 'lstmdrop train lm'")
    tensors = run.load_best().tensors
    built.model.load_state_dict(tensors)
    built.model.eval()
    return LanguageModel(built.model, built.tokenizer, _identity(built.tokenizer, tensors))


def _identity(tokenizer: Tokenizer, tensors: Mapping[str, Tensor]) -> str:
    """Of the tokens and the weights: two models of one vocabulary give different scores."""
    digest = hashlib.sha256(tokenizer.fingerprint.encode())
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
