"""Penn Treebank tokens by Stanford's own tokeniser, in Java."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lstmdrop.metrics.java import JavaError, evaluation_folder, run_java

VERSION = "3.4.1"
"""Of Stanford CoreNLP, as in pycocoevalcap and so in every published caption score."""

_A_MINUTE, _LINES_A_SECOND = 60.0, 1000
"""What a slow machine takes to begin, and a twentieth of what one core does then."""


def java_tokens(lines: Sequence[str], limit: float | None = None) -> list[str]:
    """Each line's tokens in lower case with blanks between, punctuation still there; a line holds no line break.

    Raises:
        JavaError: Java does not run, or not in ``limit`` seconds (by default ample time for the lines), or gave back
            another number of lines than it got.
    """
    jar = evaluation_folder("tokenizer") / f"stanford-corenlp-{VERSION}.jar"
    tokeniser: list[str | Path] = ["-XX:+UseSerialGC", "-cp", jar, "edu.stanford.nlp.process.PTBTokenizer"]
    options = ["-preserveLines", "-lowerCase", "-encoding", "UTF-8"]
    text = "".join(f"{line}\n" for line in lines)
    limit = limit or _A_MINUTE + len(lines) / _LINES_A_SECOND
    tokenised = run_java([*tokeniser, *options], text, limit).split("\n")[:-1]
    if len(tokenised) != len(lines):
        raise JavaError(f"it made {len(tokenised)} lines of {len(lines)} captions")
    return tokenised


def try_java_tokens(limit: float) -> None:
    """Tokenise one line.

    Raises:
        JavaError: that fails, or something else came back.
    """
    tokens = java_tokens(["A dog's."], limit)
    if tokens != ["a dog 's ."]:
        raise JavaError(f'it made {tokens} of "A dog\'s."')
