"""Back-off n-gram language models in ARPA files, as KenLM, SRILM, IRSTLM and NLTK write them."""

from __future__ import annotations

import gzip
import hashlib
import math
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path

from lstmdrop.data.tokenizer import Tokenizer
from lstmdrop.errors import DataError, UsageError
from lstmdrop_tasks.asr.fusion import Partial, piece_of

GZIP = b"\x1f\x8b"
BEGIN, END = "<s>", "</s>"
UNKNOWN = ("<unk>", "<UNK>")
ORDER = re.compile(r"\\(\d{1,3})-grams:")
COUNT = re.compile(r"ngram\s+(\d{1,3})\s*=\s*(\d{1,18})")


class ArpaModel:
    """The n-grams of one file, with their logarithms to base 10 as they stand in it."""

    def __init__(self, path: Path) -> None:
        """Read a file, packed by gzip or plain.

        Raises:
            DataError: it is missing, damaged or no ARPA file.
        """
        self.path = path
        self._digest = hashlib.sha256()
        self._ngrams: dict[str, tuple[float, float]] = {}  # log-probability and back-off weight, by the words
        try:
            with path.open("rb") as packed:
                is_packed = packed.read(2) == GZIP
            with gzip.open(path) if is_packed else path.open("rb") as stream:
                self.order = self._read(stream)
        except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise DataError(f"{path}: the ARPA file cannot be read ({reason})") from None
        self.fingerprint = self._digest.hexdigest()
        """Of its lines."""
        unigrams = (one for one in self._ngrams.items() if " " not in one[0] and one[0] != BEGIN)
        self._of_unknown = min((log_prob for _, (log_prob, _) in unigrams), default=0.0)
        """Where the model has no word for it, what it does not know is as rare as its rarest word."""

    @property
    def words(self) -> Iterator[str]:
        """All but marks such as ``<s>``."""
        return (words for words in self._ngrams if " " not in words and not words.startswith("<"))

    def __contains__(self, word: str) -> bool:
        return word in self._ngrams

    def in_lower_case(self) -> None:
        """Take capital letters for small ones: LibriSpeech's models, say, have no others."""
        self._ngrams = {words.lower(): weights for words, weights in self._ngrams.items()}

    def known(self, word: str) -> str:
        """The word, or what the model calls a word that it does not know."""
        return next((name for name in (word, *UNKNOWN) if name in self._ngrams), word)

    def log_prob(self, history: Sequence[str], word: str) -> float:
        """Of ``word`` after the words of ``history``, in nats, with back-off (Katz 1987)."""
        backed_off = 0.0
        for start in range(max(0, len(history) - self.order + 1), len(history) + 1):
            context = history[start:]
            found = self._ngrams.get(" ".join((*context, word)))
            if found is not None:
                return (backed_off + found[0]) * math.log(10)
            if context:
                backed_off += self._ngrams.get(" ".join(context), (0.0, 0.0))[1]
        return (backed_off + self._of_unknown) * math.log(10)

    def _read(self, stream: Iterable[bytes]) -> int:
        """All sections; the order of the model."""
        promised: dict[int, int] = {}
        found: dict[int, int] = {}
        order, is_whole = 0, False
        for number, raw in enumerate(stream, 1):
            self._digest.update(raw)
            line = raw.decode("utf-8").strip()
            if mark := ORDER.fullmatch(line):
                order = int(mark[1])
                found[order] = 0
            elif line == "\\end\\":
                is_whole = True
                break
            elif order and line:
                self._add(line, order, number)
                found[order] += 1
            elif count := COUNT.fullmatch(line):
                promised[int(count[1])] = int(count[2])
        promised = {size: count for size, count in promised.items() if count}
        if not promised or not is_whole or found != promised:
            what = f"it promises {promised}, and has {found}" if promised else "it promises no n-grams"
            raise DataError(f"{self.path}: not a whole ARPA file: {what} (by order){'' if is_whole else ' and no end'}")
        return max(promised)

    def _add(self, line: str, order: int, number: int) -> None:
        log_prob, *rest = line.split()
        words, weights = rest[:order], rest[order:]
        try:
            if len(words) < order or len(weights) > 1:
                raise ValueError
            self._ngrams[" ".join(words)] = float(log_prob), float(weights[0]) if weights else 0.0
        except ValueError:
            raise DataError(f"{self.path}:{number}: {line[:60]!r} is no n-gram of {order} words") from None


class ArpaScorer:
    """Asks for the log-probability of a word when it is complete.

    A word that the model does not know shares the probability of unknown words with all others: it is spelt letter by
    letter, each as likely as any, and the search hears of that as soon as no known word begins so. Else it would take
    two words for one, which costs no more in the model and less in the search.
    """

    most_gain = 0.0

    def __init__(self, model: ArpaModel, tokenizer: Tokenizer) -> None:
        """Write the words of ``model`` with ``tokenizer``.

        Raises:
            UsageError: none of its words can be written.
        """
        self.fingerprint = model.fingerprint
        self._model = model
        self._pieces = [piece_of(token, tokenizer) for token in tokenizer.vocabulary.tokens]
        special = (tokenizer.eos, tokenizer.unk)
        spoken = (letters for token, (_, letters) in enumerate(self._pieces) if token not in special)
        num_letters = len(set(chain.from_iterable(spoken)))
        self._of_a_letter = -math.log(num_letters + 1)  # or the end of the word
        if not _can_write(tokenizer, model):
            model.in_lower_case()
        if not _can_write(tokenizer, model):
            raise UsageError(
                f"{model.path}: this run has not the letters of its words, such as {next(model.words, END)!r}\n"
                "it takes an n-gram model of words, spelt as in the assets/transcripts.txt of this run"
            )
        self._beginnings = {word[:end] for word in model.words for end in range(len(word) + 1)}

    def start(self) -> Partial:
        """The beginning of a line."""
        return Partial((BEGIN,), "")

    def extend(self, states: Sequence[Partial], tokens: Sequence[int]) -> Sequence[Partial]:
        """Each prefix with one token more; a token that begins a word makes the one before it complete."""
        pieces = [self._pieces[token] for token in tokens]
        return [
            Partial(self._after(state), letters) if begins_word else Partial(state.context, state.word + letters)
            for state, (begins_word, letters) in zip(states, pieces, strict=True)
        ]

    def score(self, state: Partial, token: int) -> float:
        """The log-probability of the word that ``token`` makes complete, and of letters that no known word has."""
        begins_word, letters = self._pieces[token]
        if begins_word:
            return self._of_word(state) - self._spelling(state.word) + self._spelling(letters)
        return self._spelling(state.word + letters) - self._spelling(state.word)

    def finish(self, state: Partial) -> float:
        """The log-probability of the last word and of the line's end, less what ``score`` has given of it."""
        rest = self._of_word(state) - self._spelling(state.word)
        return rest + self._model.log_prob(self._after(state), END)

    def _spelling(self, word: str) -> float:
        return 0.0 if word in self._beginnings else len(word) * self._of_a_letter

    def _of_word(self, state: Partial) -> float:
        if not state.word:
            return 0.0
        spelling = 0.0 if state.word in self._model else (len(state.word) + 1) * self._of_a_letter
        return spelling + self._model.log_prob(state.context, self._model.known(state.word))

    def _after(self, state: Partial) -> tuple[str, ...]:
        return (*state.context, self._model.known(state.word))[-self._model.order :] if state.word else state.context


def _can_write(tokenizer: Tokenizer, model: ArpaModel) -> bool:
    """Whether it has the letters of most of the words; some hundred tell."""
    words = list(islice(filter(str.isalpha, model.words), 500))
    return 2 * sum(tokenizer.unk not in tokenizer.encode(word) for word in words) > len(words)
