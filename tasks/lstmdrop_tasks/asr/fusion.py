"""Shallow fusion (Gülçehre et al. 2015): a trained language model, and its say on prefixes of a CTC search."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lstmdrop.data.tokenizer import Tokenizer
from lstmdrop.data.tokenizers.words import CharacterTokenizer
from lstmdrop.decoding.ctc_search import PrefixScorer
from lstmdrop.errors import UsageError
from lstmdrop.nn.recurrence import LSTMState
from lstmdrop.plugin import load_plugin
from lstmdrop.presets import resolve
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

    def __init__(self, model: _NextLogits, tokenizer: Tokenizer, fingerprint: str = "") -> None:
        self.tokenizer = tokenizer
        self.fingerprint = fingerprint or tokenizer.fingerprint
        """Identity of what it says: of its tokens and its weights."""
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
    weights = run.load_best().tensors
    built.model.load_state_dict(weights)
    built.model.eval()
    digest = hashlib.sha256(built.tokenizer.fingerprint.encode())
    for name, tensor in sorted(weights.items()):
        digest.update(f"{name} {tuple(tensor.shape)}".encode() + tensor.float().cpu().numpy().tobytes())
    return LanguageModel(built.model, built.tokenizer, digest.hexdigest())


WORD_START = "▁"
"""How SentencePiece marks a piece that begins a word."""


def make_scorer(model: LanguageModel, tokenizer: Tokenizer) -> LMScorer:
    """Character by character where both are of characters, else word by word.

    Raises:
        UsageError: the language model knows none of the characters.
    """
    if isinstance(model.tokenizer, CharacterTokenizer) and isinstance(tokenizer, CharacterTokenizer):
        return CharacterScorer(model, tokenizer)
    return WordScorer(model, tokenizer)


class CharacterScorer:
    """Asks for the log-probability of every character."""

    most_gain = 0.0

    def __init__(self, model: LanguageModel, tokenizer: Tokenizer) -> None:
        known = model.tokenizer.vocabulary
        letters = [token for token in tokenizer.vocabulary.tokens if token.isalpha() and len(token) == 1]
        if letters and not any(letter in known for letter in letters):
            raise UsageError(
                f"the language model knows none of {''.join(letters[:10])!r}: transcripts are in lower case\n"
                "train it on such a text, say the assets/transcripts.txt of this run"
            )
        self.fingerprint = model.fingerprint
        self._model = model
        self._ids = [known.id_of(token) for token in tokenizer.vocabulary.tokens]

    def start(self) -> Context:
        """The beginning of a line."""
        return self._model.start()

    def extend(self, states: Sequence[Context], tokens: Sequence[int]) -> Sequence[Context]:
        """Each prefix with one character more."""
        return self._model.extend(states, [self._ids[token] for token in tokens])

    def score(self, state: Context, token: int) -> float:
        """The character's log-probability."""
        return float(state.log_probs[self._ids[token]])

    def finish(self, state: Context) -> float:
        """The log-probability that the line ends."""
        return float(state.log_probs[self._model.tokenizer.eos])


class Partial(NamedTuple):
    """Whole words, as a language model of words read them, and the letters of the one after them."""

    context: Any
    word: str


class WordScorer:
    """Asks for the log-probability of a word when it is complete."""

    most_gain = 0.0

    def __init__(self, model: LanguageModel, tokenizer: Tokenizer) -> None:
        self.fingerprint = model.fingerprint
        self._model = model
        self._pieces = [piece_of(token, tokenizer) for token in tokenizer.vocabulary.tokens]
        self._is_character = isinstance(model.tokenizer, CharacterTokenizer)

    def start(self) -> Partial:
        """The beginning of a line."""
        return Partial(self._model.start(), "")

    def extend(self, states: Sequence[Partial], tokens: Sequence[int]) -> Sequence[Partial]:
        """Each prefix with one token more; a token that begins a word makes the one before it complete."""
        pieces = [self._pieces[token] for token in tokens]
        complete = [state for state, (begins_word, _) in zip(states, pieces, strict=True) if begins_word]
        contexts = iter(self._contexts_after(complete))
        return [
            Partial(next(contexts), letters) if begins_word else Partial(state.context, state.word + letters)
            for state, (begins_word, letters) in zip(states, pieces, strict=True)
        ]

    def score(self, state: Partial, token: int) -> float:
        """The log-probability of the word that ``token`` makes complete, else 0."""
        begins_word, _ = self._pieces[token]
        return self._look_up(state)[2] if begins_word and state.word else 0.0

    def finish(self, state: Partial) -> float:
        """The log-probability of the last word and of the line's end."""
        (context,) = self._contexts_after([state])
        log_prob = self._look_up(state)[2] if state.word else 0.0
        return log_prob + float(context.log_probs[self._model.tokenizer.eos])

    def _contexts_after(self, states: Sequence[Partial]) -> list[Context]:
        """Where each word leads; all last tokens are read together."""
        ends = [self._look_up(state)[:2] for state in states if state.word]
        read = iter(self._model.extend(*zip(*ends, strict=True)) if ends else [])
        return [next(read) if state.word else state.context for state in states]

    def _look_up(self, state: Partial) -> tuple[Context, int, float]:
        """The context of the word's last token, that token, and the word's log-probability."""
        context: Context = state.context
        word = state.word
        if word not in context.words:
            context.words[word] = self._spelt(context, word)
        return context.words[word]

    def _spelt(self, context: Context, word: str) -> tuple[Context, int, float]:
        text = f" {word}" if self._is_character and not context.is_start else word
        *tokens, last = self._model.tokenizer.encode(text)
        log_prob = 0.0
        for token in tokens:
            log_prob += float(context.log_probs[token])
            (context,) = self._model.extend([context], [token])
        return context, last, log_prob + float(context.log_probs[last])


def piece_of(token: str, tokenizer: Tokenizer) -> tuple[bool, str]:
    """Whether a token begins a word, and what letters it adds."""
    if isinstance(tokenizer, CharacterTokenizer):
        return (True, "") if token.isspace() else (False, token)
    return token.startswith(WORD_START), token.removeprefix(WORD_START)


LMScorer = CharacterScorer | WordScorer


class Adviser(PrefixScorer, Protocol):
    """What has a say in the search: a language model, or words to listen for."""

    @property
    def fingerprint(self) -> str:
        """Identity of what it says."""
        ...

    @property
    def most_gain(self) -> float:
        """The most that it gives for one token: 0 where it gives log-probabilities."""
        ...


class WeightedSum:
    """Several as one; who has weight 0 is not asked."""

    def __init__(self, advisers: Sequence[tuple[float, Adviser]]) -> None:
        self.most_gain = sum(weight * adviser.most_gain for weight, adviser in advisers)
        self._advisers = advisers

    def start(self) -> tuple[Any, ...]:
        """The state of each."""
        return tuple(adviser.start() for _, adviser in self._advisers)

    def extend(self, states: Sequence[tuple[Any, ...]], tokens: Sequence[int]) -> Sequence[tuple[Any, ...]]:
        """Each prefix with one token more."""
        own = zip(self._advisers, zip(*states, strict=True), strict=True)
        columns = [adviser.extend(column, tokens) if weight else column for (weight, adviser), column in own]
        return list(zip(*columns, strict=True))

    def score(self, state: tuple[Any, ...], token: int) -> float:
        """What ``token`` adds, weighted."""
        own = zip(self._advisers, state, strict=True)
        return sum(weight * adviser.score(part, token) for (weight, adviser), part in own if weight)

    def finish(self, state: tuple[Any, ...]) -> float:
        """What the end adds, weighted."""
        own = zip(self._advisers, state, strict=True)
        return sum(weight * adviser.finish(part) for (weight, adviser), part in own if weight)
