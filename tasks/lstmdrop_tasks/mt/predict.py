"""Using translation models: lines in, lines out."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from lstmdrop.data.lines import as_they_come
from lstmdrop.data.spelling import first_oddity
from lstmdrop.data.text import read_lines
from lstmdrop.decoding.beam import BeamSettings, Hypothesis
from lstmdrop.decoding.hypotheses import warn_of_cut
from lstmdrop.decoding.sampling import SamplingOptions, seed_of
from lstmdrop.errors import UsageError
from lstmdrop.presets import decoding_with
from lstmdrop.report.plots import attention_figure
from lstmdrop_tasks.mt.config import MTConfig, MTDecodingConfig, MTPrediction
from lstmdrop_tasks.mt.task import MachineTranslation
from lstmdrop_tasks.mt.translate import draw_translations, longest_ratio_of, translate

log = logging.getLogger("lstmdrop.mt")

Models = Sequence[MachineTranslation]

NUM_EXAMPLES = 8
"""Translations that a run keeps for the results page."""


def predict(tasks: Models, inputs: Iterable[str], options: MTPrediction) -> Iterator[Mapping[str, Any]]:
    """The translation of each line; what has come while the lines before were translated is translated together.

    Raises:
        UsageError: a picture of attention or a coverage penalty was asked for, and there is no attention, or a
            picture and there is more than one line.
    """
    architectures = [task.config.model.architecture for task in tasks]
    if options.coverage_penalty and "attention" not in architectures:
        raise UsageError(
            f"--coverage-penalty needs attention, and a model of architecture {architectures[0]!r} has none"
        )
    if not options.sample:  # what does not fit is refused before a line has come
        options = options.model_copy(update={"beam_size": _settings(options, tasks[0].config).beam_size})
    for task in tasks:
        task.model.eval()
    lines = inputs if options.attention is None else _only_line(inputs)
    num_lines = num_cut = 0
    for output in _translated(tasks, lines, options):
        num_lines += 1
        num_cut += not output["hypotheses"][0]["finished"]
        yield output
    ratio = longest_ratio_of(tasks) if options.max_length_ratio is None else options.max_length_ratio
    warn_of_cut(num_cut, num_lines, "translations", f"--max-length-ratio {ratio:g}")


def _translated(tasks: Models, lines: Iterable[str], options: MTPrediction) -> Iterator[Mapping[str, Any]]:
    first = 0
    known, told = tasks[0].tokenizers.source.vocabulary.letters, False
    for batch in as_they_come(lines, options.batch_size):
        numbered = ((line, f"line {number}") for number, line in enumerate(batch, first + 1))
        for about in () if told else first_oddity(numbered, known):
            log.warning(about)
            told = True
        found = _drawn(tasks, batch, options, first) if options.sample else _searched(tasks, batch, options)
        for number, (line, hypotheses) in enumerate(zip(batch, found, strict=True), first + 1):
            source = _source_tokens(tasks[0], line)
            if options.attention is not None:
                _draw_attention(options.attention, tasks[0], source, hypotheses[0])
            best = [_as_json(tasks[0], hypothesis) for hypothesis in hypotheses]
            yield {
                "text": best[0]["text"], "line": number, "source": line, "source_tokens": source, "hypotheses": best
            }  # fmt: skip
        first += len(batch)


def examples(task: MachineTranslation) -> Iterator[Mapping[str, Any]]:
    """The first lines of the test split: translated, with the reference and where the model looked."""
    text = task.text("test")
    sources, references = (list(islice(read_lines(path), NUM_EXAMPLES)) for path in (text.source, text.target))
    task.model.eval()
    for output, reference in zip(_translated([task], sources, MTPrediction()), references, strict=True):
        yield {**output, "references": [reference]}


def _searched(tasks: Models, lines: Sequence[str], options: MTPrediction) -> list[list[Hypothesis]]:
    return translate(tasks, lines, _settings(options, tasks[0].config), options.batch_size, options.max_length_ratio)


def _drawn(tasks: Models, lines: Sequence[str], options: MTPrediction, first: int) -> list[list[Hypothesis]]:
    seeds = [
        [seed_of(options.seed, line, sample) for sample in range(options.num_best)]
        for line in range(first, first + len(lines))
    ]
    unknown = tasks[0].tokenizers.target.unk
    how = SamplingOptions(options.temperature, options.top_k, options.top_p, banned=[unknown])
    return draw_translations(tasks, lines, how, seeds, options.batch_size, options.max_length_ratio)


def _settings(options: MTPrediction, config: MTConfig) -> BeamSettings:
    chosen: MTDecodingConfig = decoding_with(config, options)
    return BeamSettings(chosen.beam_size, chosen.length_penalty, chosen.coverage_penalty, num_best=options.num_best)


def _source_tokens(task: MachineTranslation, line: str) -> list[str]:
    source = task.tokenizers.source
    return [source.vocabulary.tokens[token] for token in (*source.encode(line), source.eos)]


def _as_json(task: MachineTranslation, hypothesis: Hypothesis) -> dict[str, Any]:
    attention = hypothesis.attention
    return {
        "text": task.tokenizers.target.decode(hypothesis.tokens),
        "tokens": _target_tokens(task, hypothesis),
        "log_prob": hypothesis.log_prob,
        "score": hypothesis.score,
        "finished": hypothesis.finished,
        # for each token, <eos> too, the source token that it looked at most
        "alignment": None if attention is None else attention.argmax(1).tolist(),
        "attention": None if attention is None else attention.double().round(decimals=4).tolist(),
    }


def _target_tokens(task: MachineTranslation, hypothesis: Hypothesis) -> list[str]:
    target = task.tokenizers.target
    ends = [target.eos] if hypothesis.finished else []
    return [target.vocabulary.tokens[token] for token in (*hypothesis.tokens, *ends)]


def _only_line(inputs: Iterable[str]) -> list[str]:
    lines = list(inputs)
    if len(lines) != 1:
        raise UsageError(f"--attention draws the translation of one line; {len(lines):,} came")
    if not lines[0].strip():
        raise UsageError("--attention: the line is blank, so there is nothing to look at")
    return lines


def _draw_attention(path: Path, task: MachineTranslation, source: Sequence[str], hypothesis: Hypothesis) -> None:
    if hypothesis.attention is None:
        raise UsageError(f"a model of architecture {task.config.model.architecture!r} has no attention to draw")
    figure = attention_figure(source, _target_tokens(task, hypothesis), hypothesis.attention.tolist())
    path.write_text(figure, encoding="utf-8")
