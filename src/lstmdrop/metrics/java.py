"""Java, and the programs for it that come with pycocoevalcap: Stanford's tokeniser among them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import IO

from lstmdrop.errors import LstmdropError, MissingPartError

INSTALL_JAVA = (
    "install a Java runtime, version 8 or later, such as OpenJDK (package openjdk-17-jre-headless or the like)"
)
FIRST_ANSWER = 60.0
"""Seconds after which a program that is only tried is taken to hang: the slowest needs five on one busy core."""

Question = Callable[[float], object]
"""Asks a program something small, with so many seconds for the answer; raises `JavaError`."""


class JavaError(LstmdropError):
    """A Java program did not do its work; what had been trained is kept."""


def find_java() -> str | None:
    """The path of ``java``, or None where there is none; whether it runs is another question."""
    return shutil.which("java")


def require_java(what: str, ask: Question) -> str:
    """The path of ``java``, which has answered ``ask`` once.

    Raises:
        MissingPartError: there is none, or it does not run what needs it, which is ``what``.
    """
    java = find_java()
    if java is None:
        raise MissingPartError(f"{what} needs Java, and no program named java is found: {INSTALL_JAVA}")
    problem = java_problem(java, ask)
    if problem is not None:
        raise MissingPartError(f"{what} needs Java, and {java} does not run it ({problem}): {INSTALL_JAVA}")
    return java


@cache
def java_problem(java: str, ask: Question) -> str | None:
    """Why ``java`` does not answer; None if it does. Each is asked once a process."""
    try:
        ask(FIRST_ANSWER)
    except JavaError as error:
        return str(error)
    return None


def evaluation_folder(part: str) -> Path:
    """The folder of a part of pycocoevalcap, such as ``meteor``."""
    return Path(str(files("pycocoevalcap") / part))


def run_java(command: Sequence[str | Path], text: str, limit: float, folder: Path | None = None) -> str:
    """What a Java program, in a folder, writes when it is given ``text``, both in UTF-8; halves of characters go.

    Raises:
        JavaError: it does not run, or not to its end within ``limit`` seconds.
    """
    with running_java(command, limit, folder) as process:
        output, _ = process.communicate(text.encode(errors="ignore"))
        if process.returncode:
            raise JavaError(f"exit code {process.returncode}")
        return output.decode()


@contextmanager
def running_java(
    command: Sequence[str | Path], limit: float, folder: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A Java program; with all that it has started, it has ended when the block has, or ``limit`` seconds are over.

    Raises:
        JavaError: in place of an error of the block about what came from the program; with what it wrote about that.
    """
    deadline = time.monotonic() + limit
    with tempfile.TemporaryFile() as errors:
        try:
            process = subprocess.Popen(
                [find_java() or "java", *command],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, start_new_session=True, cwd=folder,
            )  # fmt: skip
        except OSError as error:
            raise JavaError(error.strerror or str(error)) from None
        timer = threading.Timer(limit, _end, [process])
        timer.start()
        try:
            yield process
        except (JavaError, OSError, ValueError) as error:
            late = f"no answer within {limit:.0f} seconds" if time.monotonic() > deadline else None
            raise JavaError(late or _last_words(errors) or str(error)) from None
        finally:
            timer.cancel()
            _end(process)
            for pipe in (process.stdin, process.stdout):
                with suppress(OSError, AttributeError):  # what was not yet written to a program that has stopped
                    pipe.close()  # type: ignore[union-attr]
            process.wait()


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.returncode is not None:
        return
    # A start-up script's Java would go on, and hold the pipe, if the script alone were ended.
    with suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()


def _last_words(errors: IO[bytes]) -> str:
    """The first line of what a program wrote about its failure."""
    errors.seek(0)
    lines = errors.read().decode(errors="replace").splitlines()
    said = [line.strip() for line in lines if line.strip() and not line.startswith("Picked up ")]
    return said[0][:300] if said else ""


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
