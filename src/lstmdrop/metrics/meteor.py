"""METEOR by pycocoevalcap's Java program."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import IO

from lstmdrop.errors import DataError
from lstmdrop.metrics.java import evaluation_folder, require_java


def meteor_score(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """METEOR 1.5 for English, from 0 to 1, of tokenised lines (Denkowski & Lavie 2014).

    Raises:
        MissingPartError: there is no Java.
        DataError: the program stopped, or gave an answer that is not a score.
    """
    with _running_meteor() as (questions, answers, errors):
        try:
            statistics = []
            for pair in zip(hypotheses, references, strict=True):
                _write(questions, _score_line(*pair))
                statistics.append(answers.readline().strip())
            _write(questions, " ||| ".join(["EVAL", *statistics]))
            return [float(answers.readline()) for _ in range(len(statistics) + 1)][-1]  # each image's, then all images'
        except (OSError, ValueError):
            errors.seek(0)
            raise DataError(f"METEOR gave no score: {errors.read().strip()[-300:] or 'it does not say why'}") from None


def require_meteor() -> str:
    """The path of Java, which METEOR needs.

    Raises:
        MissingPartError: there is none.
    """
    return require_java("METEOR")


def _score_line(hypothesis: str, references: Sequence[str]) -> str:
    caption = hypothesis.replace("|||", "").replace("  ", " ")  # as pycocoevalcap does
    return " ||| ".join(["SCORE", *(line.replace("|||", "") for line in references), caption])


def _write(questions: IO[str], line: str) -> None:
    questions.write(f"{line}\n")
    questions.flush()


@contextmanager
def _running_meteor() -> Iterator[tuple[IO[str], IO[str], IO[str]]]:
    """The program's standard input, output and errors; it has ended when the ``with`` block has."""
    jar = evaluation_folder("meteor") / "meteor-1.5.jar"
    command = [require_meteor(), "-Xmx2G", "-jar", str(jar), "-", "-", "-stdio", "-l", "en", "-norm"]
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, encoding="utf-8"
        )
        assert process.stdin is not None  # both are pipes
        assert process.stdout is not None
        try:
            yield process.stdin, process.stdout, errors
        finally:
            process.kill()
            with suppress(OSError):  # what was not yet written to a program that has stopped
                process.stdin.close()
            process.stdout.close()
            process.wait()
