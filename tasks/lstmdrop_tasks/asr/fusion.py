"""Shallow fusion (Gülçehre et al. 2015): a language model's say on prefixes of a CTC search."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from lstmdrop.data.tokenizer import Tokenizer
from lstmdrop.data.tokenizers.characters import CharacterTokenizer
from lstmdrop.errors import UsageError
from lstmdrop_tasks.asr.language_model import Context, LanguageModel

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


class _Partial(NamedTuple):
    """Whole words, as the language model read them, and the letters of the one after them."""

    context: Context
    word: str


class WordScorer:
    """Asks for the log-probability of a word when it is complete."""

    def __init__(self, model: LanguageModel, tokenizer: Tokenizer) -> None:
        self.fingerprint = model.fingerprint
        self._model = model
        self._pieces = [_piece(token, tokenizer) for token in tokenizer.vocabulary.tokens]
        self._is_character = isinstance(model.tokenizer, CharacterTokenizer)

    def start(self) -> _Partial:
        """The beginning of a line."""
        return _Partial(self._model.start(), "")

    def extend(self, states: Sequence[_Partial], tokens: Sequence[int]) -> Sequence[_Partial]:
        """Each prefix with one token more; a token that begins a word makes the one before it complete."""
        pieces = [self._pieces[token] for token in tokens]
        complete = [state for state, (begins_word, _) in zip(states, pieces, strict=True) if begins_word]
        contexts = iter(self._contexts_after(complete))
        return [
            _Partial(next(contexts), letters) if begins_word else _Partial(state.context, state.word + letters)
            for state, (begins_word, letters) in zip(states, pieces, strict=True)
        ]

    def score(self, state: _Partial, token: int) -> float:
        """The log-probability of the word that ``token`` makes complete, else 0."""
        begins_word, _ = self._pieces[token]
        return self._look_up(state)[2] if begins_word and state.word else 0.0

    def finish(self, state: _Partial) -> float:
        """The log-probability of the last word and of the line's end."""
        (context,) = self._contexts_after([state])
        log_prob = self._look_up(state)[2] if state.word else 0.0
        return log_prob + float(context.log_probs[self._model.tokenizer.eos])

    def _contexts_after(self, states: Sequence[_Partial]) -> list[Context]:
        """Where each word leads; all last tokens are read together."""
        ends = [self._look_up(state)[:2] for state in states if state.word]
        read = iter(self._model.extend(*zip(*ends, strict=True)) if ends else [])
        return [next(read) if state.word else state.context for state in states]

    def _look_up(self, state: _Partial) -> tuple[Context, int, float]:
        """The context of the word's last token, that token, and the word's log-probability."""
        context, word = state
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


def _piece(token: str, tokenizer: Tokenizer) -> tuple[bool, str]:
    """Whether a token begins a word, and what letters it adds."""
    if isinstance(tokenizer, CharacterTokenizer):
        return (True, "") if token.isspace() else (False, token)
    return token.startswith(WORD_START), token.removeprefix(WORD_START)


LMScorer = CharacterScorer | WordScorer
