"""Penn Treebank tokens by Stanford's own tokeniser, in Java."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lstmdrop.errors import DataError
from lstmdrop.metrics.java import evaluation_folder, run_java

VERSION = "3.4.1"
"""Of Stanford CoreNLP, as in pycocoevalcap and so in every published caption score."""


def java_tokens(lines: Sequence[str]) -> list[str]:
    """Each line's tokens in lower case with blanks between, punctuation still there; a line holds no line break.

    Raises:
        MissingPartError: there is no Java.
        DataError: another number of lines came back than went in.
    """
    jar = evaluation_folder("tokenizer") / f"stanford-corenlp-{VERSION}.jar"
    tokeniser: list[str | Path] = ["-XX:+UseSerialGC", "-cp", jar, "edu.stanford.nlp.process.PTBTokenizer"]
    options = ["-preserveLines", "-lowerCase", "-encoding", "UTF-8"]
    text = "".join(f"{line}\n" for line in lines)
    tokenised = run_java([*tokeniser, *options], text, "the PTB tokeniser").split("\n")[:-1]
    if len(tokenised) != len(lines):
        raise DataError(f"the PTB tokeniser made {len(tokenised)} lines of {len(lines)} captions")
    return tokenised
