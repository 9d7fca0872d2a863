"""Starting from a trained translator: what making its assets would have checked."""

from __future__ import annotations

from pathlib import Path

from lstmdrop.errors import ConfigError
from lstmdrop.metrics.bleu import bleu_metric
from lstmdrop_tasks.mt.corpora.language_pair import parse_pair, saved_pair
from lstmdrop_tasks.mt.corpora.oddities import require_table
from lstmdrop_tasks.mt.task import MachineTranslation


def begin(task: MachineTranslation, assets: Path) -> None:
    """Make sure that the pairs are of the languages that the translator knows, and can be scored.

    Raises:
        ConfigError: other languages are asked for, or the layout of a table is given, and there is none.
        MissingPartError: what BLEU's tokeniser needs is not here.
    """
    data, known = task.config.data, saved_pair(assets)
    require_table(data.name, data.layout)
    if known is not None and data.pair is not None and parse_pair(data.pair) != parse_pair(known):
        raise ConfigError(f"data.pair = {data.pair}: the run that this one starts from translates {known}")
    bleu_metric(task.bleu_tokenizer("valid"))
