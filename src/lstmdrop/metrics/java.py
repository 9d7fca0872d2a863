"""Java, and the programs for it that come with pycocoevalcap."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from lstmdrop.errors import MissingPartError

INSTALL_JAVA = (
    "install a Java runtime, version 8 or later, such as OpenJDK (package openjdk-17-jre-headless or the like)"
)


def find_java() -> str | None:
    """The path of ``java``, or None where there is none."""
    return shutil.which("java")


def require_java(what: str) -> str:
    """The path of ``java``.

    Raises:
        MissingPartError: there is none; ``what`` is what needs it.
    """
    java = find_java()
    if java is None:
        raise MissingPartError(f"{what} needs Java, and no program named java is found: {INSTALL_JAVA}")
    return java


def evaluation_folder(part: str) -> Path:
    """The folder of a part of pycocoevalcap, such as ``meteor``."""
    return Path(str(files("pycocoevalcap") / part))


def run_java(command: Sequence[str | Path], text: str, what: str) -> str:
    """What a Java program writes when it is given ``text``, both in UTF-8; halves of characters are dropped.

    Raises:
        MissingPartError: there is no Java, or the program does not run with it.
    """
    done = subprocess.run(
        [require_java(what), *command], input=text.encode(errors="ignore"), capture_output=True, check=False
    )
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines() or ["it says nothing"]
        raise MissingPartError(f"{what} failed in Java with exit code {done.returncode}: {lines[0]}")
    return done.stdout.decode()
