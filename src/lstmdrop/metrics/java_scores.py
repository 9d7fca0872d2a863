"""METEOR and SPICE, which are Java programs."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Sequence
from pathlib import Path
from subprocess import Popen

from lstmdrop.errors import MissingPartError
from lstmdrop.metrics.java import JavaError, evaluation_folder, require_java, run_java, running_java

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


MODELS = ("stanford-corenlp-3.6.0.jar", "stanford-corenlp-3.6.0-models.jar")
_START, _SECONDS_A_CAPTION = 600.0, 5.0
"""Ample time for the parser's models, and for each caption."""
SOURCE = "http://nlp.stanford.edu/software/stanford-corenlp-full-2015-12-09.zip"


def spice_score(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """SPICE from 0 to 1: the mean over images of the F1 of scene graphs (Anderson et al. 2016), of tokenised lines.

    Files are written to a temporary folder only; nothing is kept for the next call.

    Raises:
        MissingPartError: there is no Java that runs it, or Stanford's models are not there.
        JavaError: the program stopped, or gave no score of every image.
    """
    require_spice()
    try:
        return _spice_score(hypotheses, references, _START + _SECONDS_A_CAPTION * len(hypotheses))
    except JavaError as error:
        raise JavaError(f"SPICE gave no score: {error}\nwhat has been trained is kept: --resume goes on") from None


def require_spice() -> str:
    """The path of a Java that has been seen to run SPICE.

    Raises:
        MissingPartError: there is none, or Stanford's models are not there: they are never downloaded.
    """
    return require_java("SPICE", _try_spice)


def _try_spice(limit: float) -> None:
    folder = evaluation_folder("spice") / "lib"
    missing = [model for model in MODELS if not (folder / model).is_file()]
    if missing:
        raise MissingPartError(f"SPICE needs {' and '.join(missing)} in {folder}:\ntake them from {SOURCE}")
    _spice_score(["a dog"], [["a dog"]], max(limit, _START))


def _spice_score(hypotheses: Sequence[str], references: Sequence[Sequence[str]], limit: float) -> float:
    images = [
        {"image_id": number, "test": hypothesis, "refs": list(some)}
        for number, (hypothesis, some) in enumerate(zip(hypotheses, references, strict=True))
    ]
    with tempfile.TemporaryDirectory(prefix="lstmdrop-spice-") as name:
        questions, answers = Path(name) / "images.json", Path(name) / "scores.json"
        questions.write_text(json.dumps(images, allow_nan=False), encoding="utf-8", errors="ignore")
        program = evaluation_folder("spice") / "spice-1.0.jar"
        run_java(["-Xmx8G", "-jar", program, questions, "-out", answers, "-silent"], "", limit, Path(name))
        scores = json.loads(answers.read_text(encoding="utf-8")) if answers.is_file() else []
    if len(scores) != len(images):
        raise JavaError(f"{len(scores)} scores of {len(images)}")
    return math.fsum(float(image["scores"]["All"]["f"]) for image in scores) / len(scores)
