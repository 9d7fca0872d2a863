"""The search, chosen by BLEU on held-out data."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from lstmdrop.config import Split
from lstmdrop.data.work_progress import report_work
from lstmdrop.metrics.bleu import translation_scores
from lstmdrop.metrics.score import Score, are_better
from lstmdrop_tasks.mt.task import MachineTranslation, translations_of
from lstmdrop_tasks.mt.translate import search_settings

LENGTH_PENALTIES = (1.0, 0.6, 0.8, 1.2, 1.4, 1.6, 1.8, 2.0)


def tune(tasks: Sequence[MachineTranslation], split: Split) -> Mapping[str, Any]:
    """The length penalty of the highest BLEU, then of the highest chrF, then the first.

    Raises:
        UsageError: the models cut text into different tokens.
    """
    for task in tasks:
        task.model.eval()
    references = tasks[0].text(split).references()
    settings, scoring = search_settings(tasks[0].config), tasks[0].config.scoring
    tokenize = tasks[0].bleu_tokenizer(split)
    best: tuple[float, Sequence[Score]] = (LENGTH_PENALTIES[0], ())
    for done, penalty in enumerate(LENGTH_PENALTIES):
        report_work(f"tuning on {split}", done, len(LENGTH_PENALTIES))
        translations = translations_of(tasks, split, dataclasses.replace(settings, length_penalty=penalty))
        scores = translation_scores(translations, references, tokenize=tokenize, lowercase=scoring.lowercase)
        if not best[1] or are_better(scores, best[1]):
            best = penalty, scores
    report_work(f"tuning on {split}", len(LENGTH_PENALTIES), len(LENGTH_PENALTIES))
    return {"decoding.length_penalty": best[0]}
