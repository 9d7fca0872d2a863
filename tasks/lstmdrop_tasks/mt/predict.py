"""Using translation models: lines in, lines out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from lstmdrop.decoding.beam import BeamSettings, Hypothesis
from lstmdrop_tasks.mt.config import MTDecodingConfig, MTPrediction
from lstmdrop_tasks.mt.task import MachineTranslation
from lstmdrop_tasks.mt.translate import translate


def predict(
    tasks: Sequence[MachineTranslation], inputs: Iterable[str], options: MTPrediction
) -> Iterator[Mapping[str, Any]]:
    """The translation of each line, as soon as a batch of lines has come."""
    for task in tasks:
        task.model.eval()
    settings = _settings(options, tasks[0].config.decoding)
    lines = iter(inputs)
    while batch := list(islice(lines, options.batch_size)):
        for line, hypotheses in zip(batch, translate(tasks, batch, settings, options.batch_size), strict=True):
            best = [_as_json(tasks[0], hypothesis) for hypothesis in hypotheses]
            yield {"text": best[0]["text"], "source": line, "hypotheses": best}


def _settings(options: MTPrediction, default: MTDecodingConfig) -> BeamSettings:
    given = options.model_dump(include={"beam_size", "length_penalty", "coverage_penalty"}, exclude_none=True)
    chosen = {**default.model_dump(exclude={"batch_size"}), **given}
    chosen["beam_size"] = max(chosen["beam_size"], options.num_best)
    return BeamSettings(**chosen, num_best=options.num_best)


def _as_json(task: MachineTranslation, hypothesis: Hypothesis) -> dict[str, Any]:
    target = task.tokenizers.target
    return {
        "text": target.decode(hypothesis.tokens),
        "tokens": [target.vocabulary.tokens[token] for token in hypothesis.tokens],
        "log_prob": hypothesis.log_prob,
        "score": hypothesis.score,
        "finished": hypothesis.finished,
    }
