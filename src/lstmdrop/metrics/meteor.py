"""METEOR by pycocoevalcap's Java program."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from subprocess import Popen

from lstmdrop.metrics.java import JavaError, evaluation_folder, require_java, running_java

_START, _SECONDS_A_CAPTION = 120.0, 1.0
"""Ample time for the 60 MB of paraphrases that it reads first, and for each caption."""


def meteor_score(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """METEOR 1.5 for English, from 0 to 1, of tokenised lines (Denkowski & Lavie 2014).

    Raises:
        MissingPartError: there is no Java that runs it.
        JavaError: the program stopped, or gave an answer that is not a score.
    """
    require_meteor()
    try:
        return _meteor_score(hypotheses, references, _START + _SECONDS_A_CAPTION * len(hypotheses))
    except JavaError as error:
        raise JavaError(f"METEOR gave no score: {error}\nwhat has been trained is kept: --resume goes on") from None


def require_meteor() -> str:
    """The path of a Java that has been seen to run METEOR.

    Raises:
        MissingPartError: there is none.
    """
    return require_java("METEOR", _try_meteor)


def _try_meteor(limit: float) -> None:
    _meteor_score(["a dog"], [["a dog"]], 2 * limit)


def _meteor_score(hypotheses: Sequence[str], references: Sequence[Sequence[str]], limit: float) -> float:
    command: list[str | Path] = [
        "-Xmx2G",
        "-jar",
        evaluation_folder("meteor") / "meteor-1.5.jar",
        "-",
        "-",
        "-stdio",
        "-l",
        "en",
        "-norm",
    ]
    with running_java(command, limit) as process:
        statistics = [_answer(process, _score_line(*pair)).strip() for pair in zip(hypotheses, references, strict=True)]
        scores = [_answer(process, " ||| ".join(["EVAL", *statistics]))]
        scores += [_answer(process) for _ in statistics]
        return [float(score) for score in scores][-1]  # each image's, then all images'


def _answer(process: Popen[bytes], question: str | None = None) -> str:
    assert process.stdin is not None  # both are pipes
    assert process.stdout is not None
    if question is not None:
        process.stdin.write(f"{question}\n".encode(errors="ignore"))
        process.stdin.flush()
    line = process.stdout.readline().decode()
    if not line:
        raise JavaError("it does not say why")
    return line


def _score_line(hypothesis: str, references: Sequence[str]) -> str:
    caption = hypothesis.replace("|||", "").replace("  ", " ")  # as pycocoevalcap does
    return " ||| ".join(["SCORE", *(line.replace("|||", "") for line in references), caption])
