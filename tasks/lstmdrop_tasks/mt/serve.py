"""A translation model behind a server."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from pydantic import Field

from lstmdrop.config import Section
from lstmdrop.errors import UsageError
from lstmdrop.service import Output, Service
from lstmdrop_tasks.mt.config import MTPrediction
from lstmdrop_tasks.mt.predict import predict
from lstmdrop_tasks.mt.task import MachineTranslation


class TranslateOptions(Section):
    """As those of ``predict``, which says more of them."""

    beam_size: int | None = Field(default=None, ge=1, le=32, description="hypotheses kept; default: the run's")
    num_best: int = Field(default=1, ge=1, le=32, description="translations, best first")


def services(task: MachineTranslation) -> Sequence[Service]:
    """Translating."""
    into = f"A line, translated from {task.languages.source} to {task.languages.target}." if task.languages else ""
    summary = into or "A line, translated."
    return [Service("translate", summary, "text", TranslateOptions, partial(_translate, task))]


def _translate(task: MachineTranslation, lines: Sequence[str], options: TranslateOptions) -> Sequence[Output]:
    if any("\n" in line for line in lines):
        raise UsageError("a text to translate is one line: ask for each line of it")
    return list(predict([task], lines, MTPrediction(**options.model_dump(exclude_none=True))))
