"""SPICE by pycocoevalcap's Java program, where Stanford's models lie beside it."""

from __future__ import annotations

import json
import math
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from lstmdrop.errors import DataError, MissingPartError
from lstmdrop.metrics.java import evaluation_folder, require_java

MODELS = ("stanford-corenlp-3.6.0.jar", "stanford-corenlp-3.6.0-models.jar")
SOURCE = "http://nlp.stanford.edu/software/stanford-corenlp-full-2015-12-09.zip"


def spice_score(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """SPICE from 0 to 1: the mean over images of the F1 of scene graphs (Anderson et al. 2016), of tokenised lines.

    Files are written to a temporary folder only; nothing is kept for the next call.

    Raises:
        MissingPartError: there is no Java, or Stanford's models are not there.
        DataError: the program stopped, or gave no score of every image.
    """
    java, program = require_spice(), evaluation_folder("spice") / "spice-1.0.jar"
    images = [
        {"image_id": number, "test": hypothesis, "refs": list(some)}
        for number, (hypothesis, some) in enumerate(zip(hypotheses, references, strict=True))
    ]
    with tempfile.TemporaryDirectory(prefix="lstmdrop-spice-") as name:
        questions, answers = Path(name) / "images.json", Path(name) / "scores.json"
        questions.write_text(json.dumps(images), encoding="utf-8")
        command = [java, "-Xmx8G", "-jar", str(program), str(questions), "-out", str(answers), "-silent"]
        done = subprocess.run(command, cwd=name, capture_output=True, check=False)
        scores = json.loads(answers.read_text(encoding="utf-8")) if answers.is_file() else []
    if done.returncode or len(scores) != len(images):
        says = done.stderr.decode(errors="replace").strip() or "it does not say why"
        raise DataError(
            f"SPICE gave {len(scores)} scores of {len(images)} (exit code {done.returncode}): {says[-300:]}"
        )
    return math.fsum(float(image["scores"]["All"]["f"]) for image in scores) / len(scores)


def require_spice() -> str:
    """The path of Java, which SPICE needs.

    Raises:
        MissingPartError: there is none, or Stanford's models are not there: they are never downloaded.
    """
    java, folder = require_java("SPICE"), evaluation_folder("spice") / "lib"
    missing = [model for model in MODELS if not (folder / model).is_file()]
    if missing:
        raise MissingPartError(f"SPICE needs {' and '.join(missing)} in {folder}:\ntake them from {SOURCE}")
    return java
