"""Scoring lines with a language model: sentences, and pairs of them, as minimal pairs and n-best lists have them."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from lstmdrop.data.lines import as_they_come
from lstmdrop.data.spelling import other_form
from lstmdrop.data.tokenizer import Tokenizer
from lstmdrop.errors import DataError
from lstmdrop.metrics.perplexity import warn_of_unknown
from lstmdrop.metrics.text_units import bits, perplexity_of, size_of
from lstmdrop_tasks.lm.corpora import line_oddities
from lstmdrop_tasks.lm.reading import Encoded, encoded_line, log_probs_of
from lstmdrop_tasks.lm.task import LanguageModelling

TAB = "\t"

LINES_AT_ONCE = 1024
"""Lines of a file that are sorted by their lengths together; those of a pipe are scored as they come."""

log = logging.getLogger("lstmdrop.lm")


def score(tasks: Sequence[LanguageModelling], lines: Iterable[str], context: str = "") -> Iterator[Mapping[str, Any]]:
    """The log-probability of each line in nats, its end included; of two with a tab between, which is likelier.

    A blank line is a blank line, its end scored. Before each line the models read ``context``, which is not scored.
    Lines are scored in batches of about one length, and come in their own order. What was seen of all lines is told at
    the end: the share of pairs whose first sentence is likelier, and many unknown tokens.

    Raises:
        DataError: a line has tabs that part no two sentences, and the vocabulary has no tab.
    """
    tokenizer = tasks[0].tokenizer
    said: set[str] = set()
    pairs = _Pairs()
    num_lines = num_tokens = num_unknown = 0
    for batch in as_they_come(lines, LINES_AT_ONCE):
        parts: list[list[str]] = []
        for number, line in enumerate(batch, num_lines + 1):
            parts.append(_sentences(line.removesuffix("\n").removesuffix("\r"), number, tokenizer))
            for kind, about in (found for sentence in parts[-1] for found in _oddities(sentence, tokenizer)):
                if kind not in said:
                    said.add(kind)
                    log.warning("line %d: %s", number, about)
        results = iter(_scored(tasks, [sentence for sentences in parts for sentence in sentences], context))
        for number, (line, sentences) in enumerate(zip(batch, parts, strict=True), num_lines + 1):
            scored = [next(results) for _ in sentences]
            num_tokens += sum(one["num_tokens"] for one in scored)
            num_unknown += sum(one["num_unknown"] for one in scored)
            output = pairs.judged(scored) if len(scored) == 2 else pairs.alone(scored[0], line)
            yield {**output, "line": number}
        num_lines += len(batch)
    warn_of_unknown(num_unknown, num_tokens, "the lines")
    pairs.tell()


def _sentences(line: str, number: int, tokenizer: Tokenizer) -> list[str]:
    sentences = line.split(TAB)
    if len(sentences) == 2 and all(map(str.strip, sentences)):
        return sentences
    if len(sentences) == 1 or not line.strip() or TAB in tokenizer.vocabulary:  # there a tab is a letter like any other
        return [line]
    raise DataError(
        f"line {number}: {len(sentences) - 1} tab(s) in {line[:60]!r}: a line is a sentence, or two with a tab "
        "between\na tab within a sentence is a blank: tr '\\t' ' '"
    )


def _oddities(sentence: str, tokenizer: Tokenizer) -> Iterator[tuple[str, str]]:
    if "\n" not in sentence:
        yield from line_oddities(sentence)
    if about := other_form(sentence, tokenizer.vocabulary.letters):
        yield "form", about


def _scored(tasks: Sequence[LanguageModelling], sentences: Sequence[str], context: str) -> Iterator[dict[str, Any]]:
    encoded = [encoded_line(tasks[0].tokenizer, sentence) for sentence in sentences]
    found = log_probs_of(tasks, [one.ids for one in encoded], context)
    for one, log_probs in zip(encoded, found, strict=True):
        yield _described(tasks[0].tokenizer, one, log_probs)


def _described(tokenizer: Tokenizer, line: Encoded, log_probs: list[float]) -> dict[str, Any]:
    total, size = sum(log_probs), size_of(line.text)
    return {
        "log_prob": total,
        "mean": total / len(log_probs),
        "word_perplexity": perplexity_of(total, size.words),
        "bits_per_character": bits(total, size.characters),
        "bits_per_byte": bits(total, size.bytes),
        "num_tokens": len(log_probs),
        "num_unknown": line.num_unknown,
        "tokens": [tokenizer.vocabulary.tokens[token] for token in line.ids],
        "token_log_probs": log_probs,
    }


class _Pairs:
    """Makes the outputs of lines, and counts which sentence of the pairs is likelier."""

    def __init__(self) -> None:
        self.num_lines = self.num_pairs = self.num_first = self.num_first_by_mean = self.num_ties = 0

    def alone(self, scored: Mapping[str, Any], line: str) -> Mapping[str, Any]:
        """Of a sentence: the sum, then each token with its own."""
        self.num_lines += bool(line.strip())
        tokens = zip(scored["tokens"], scored["token_log_probs"], strict=True)
        values = TAB.join(f"{token} {value:.4f}" for token, value in tokens)
        return {"text": f"{scored['log_prob']:.4f}{TAB}{values}" if line.strip() else "", **scored}

    def judged(self, scored: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        """Of a pair: which sentence is likelier by its sum, 0 for neither, both sums, and both means of a token."""
        (first, second), (first_mean, second_mean) = ([one[key] for one in scored] for key in ("log_prob", "mean"))
        likelier = 0 if first == second else 1 if first > second else 2
        self.num_pairs += 1
        self.num_first += likelier == 1
        self.num_first_by_mean += first_mean > second_mean
        self.num_ties += likelier == 0
        text = TAB.join([str(likelier), *(f"{value:.4f}" for value in (first, second, first_mean, second_mean))])
        return {"text": text, "likelier": likelier, "sentences": list(scored)}

    def tell(self) -> None:
        """Say how many pairs were decided how, where there were any."""
        if not self.num_pairs:
            return
        share, by_mean = (
            f"{count:,} ({count / self.num_pairs:.2%})" for count in (self.num_first, self.num_first_by_mean)
        )
        ties = f"; ties: {self.num_ties:,}" if self.num_ties else ""
        others = f"; lines that are no pairs: {self.num_lines:,}" if self.num_lines else ""
        log.warning(
            "of %s pairs the first sentence is likelier in %s, by the mean of a token in %s%s%s",
            f"{self.num_pairs:,}", share, by_mean, ties, others,
        )  # fmt: skip
