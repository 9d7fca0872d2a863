"""Using translation models: lines in, lines out."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice, repeat
from pathlib import Path
from typing import Any

from lstmdrop.data.lines import as_they_come
from lstmdrop.data.spelling import first_oddity
from lstmdrop.data.text import read_lines
from lstmdrop.decoding.beam import BeamSettings, Hypothesis
from lstmdrop.decoding.forced import Beginning
from lstmdrop.decoding.hypotheses import warn_of_cut
from lstmdrop.decoding.sampling import SamplingOptions, seed_of
from lstmdrop.errors import DataError, UsageError
from lstmdrop.presets import decoding_with
from lstmdrop.report.plots import attention_figure
from lstmdrop_tasks.mt.config import MTConfig, MTDecodingConfig, MTPrediction
from lstmdrop_tasks.mt.scoring import score
from lstmdrop_tasks.mt.task import MachineTranslation
from lstmdrop_tasks.mt.translate import Prefixes, draw_translations, longest_ratio_of, translate

log = logging.getLogger("lstmdrop.mt")

Models = Sequence[MachineTranslation]

NUM_EXAMPLES = 8
"""Translations that a run keeps for the results page."""


def predict(tasks: Models, inputs: Iterable[str], options: MTPrediction) -> Iterator[Mapping[str, Any]]:
    """The translation of each line; what has come while the lines before were translated is translated together.

    With ``score`` what `lstmdrop_tasks.mt.scoring.score` says of translations that are given.

    Raises:
        DataError: translations or beginnings that are given do not fit the lines.
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
    if options.score:
        yield from score(tasks, inputs, options.against, _settings(options, tasks[0].config), options.batch_size)
        return
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
    beginnings = _beginnings(tasks[0], options)
    for batch in as_they_come(lines, options.batch_size):
        begun = list(islice(beginnings, len(batch)))
        if len(begun) < len(batch):
            raise DataError(f"{options.prefixes} ends before line {first + len(begun) + 1:,}, which the input has")
        numbered = ((line, f"line {number}") for number, line in enumerate(batch, first + 1))
        for about in () if told else first_oddity(numbered, known):
            log.warning(about)
            told = True
        prefixes = [one.tokens for one in begun]
        search = _drawn if options.sample else _searched
        found = search(tasks, batch, options, prefixes if any(prefixes) else (), first)
        for number, (line, beginning, hypotheses) in enumerate(zip(batch, begun, found, strict=True), first + 1):
            source = _source_tokens(tasks[0], line)
            if options.attention is not None:
                _draw_attention(options.attention, tasks[0], source, hypotheses[0])
            best = [_as_json(tasks[0], hypothesis, beginning) for hypothesis in hypotheses]
            yield {
                "text": best[0]["text"], "line": number, "source": line, "source_tokens": source, "hypotheses": best
            }  # fmt: skip
        first += len(batch)
    if options.prefixes is not None and next(beginnings, None) is not None:
        raise DataError(f"{options.prefixes} has more lines than the input, which has {first:,}")


def _beginnings(task: MachineTranslation, options: MTPrediction) -> Iterator[Beginning]:
    """What the translation of each line begins with; the first one that the vocabulary lacks a part of is said."""
    target, told = task.tokenizers.target, False
    given = repeat(options.prefix) if options.prefixes is None else read_lines(options.prefixes)
    for number, text in enumerate(given, 1):
        tokens = target.encode(text.strip())
        if target.unk in tokens and not told:
            where = "--prefix" if options.prefixes is None else f"{options.prefixes}:{number}"
            log.warning("%s: the vocabulary lacks a part of %r: it is kept, and the model reads <unk>", where, text)
            told = True
        yield Beginning(text.strip(), tokens)


def examples(task: MachineTranslation) -> Iterator[Mapping[str, Any]]:
    """The first lines of the test split: translated, with the reference and where the model looked."""
    text = task.text("test")
    sources = list(islice(read_lines(text.source), NUM_EXAMPLES))
    task.model.eval()
    for output, references in zip(_translated([task], sources, MTPrediction()), text.references(), strict=False):
        yield {**output, "references": references}


def _searched(
    tasks: Models, lines: Sequence[str], options: MTPrediction, prefixes: Prefixes, first: int
) -> list[list[Hypothesis]]:
    settings = _settings(options, tasks[0].config)
    return translate(tasks, lines, settings, options.batch_size, options.max_length_ratio, prefixes)


def _drawn(
    tasks: Models, lines: Sequence[str], options: MTPrediction, prefixes: Prefixes, first: int
) -> list[list[Hypothesis]]:
    seeds = [
        [seed_of(options.seed, line, sample) for sample in range(options.num_best)]
        for line in range(first, first + len(lines))
    ]
    unknown = tasks[0].tokenizers.target.unk
    how = SamplingOptions(options.temperature, options.top_k, options.top_p, banned=[unknown])
    return draw_translations(tasks, lines, how, seeds, options.batch_size, options.max_length_ratio, prefixes)


def _settings(options: MTPrediction, config: MTConfig) -> BeamSettings:
    chosen: MTDecodingConfig = decoding_with(config, options)
    return BeamSettings(chosen.beam_size, chosen.length_penalty, chosen.coverage_penalty, num_best=options.num_best)


def _source_tokens(task: MachineTranslation, line: str) -> list[str]:
    source = task.tokenizers.source
    return [source.vocabulary.tokens[token] for token in (*source.encode(line), source.eos)]


def _as_json(task: MachineTranslation, hypothesis: Hypothesis, beginning: Beginning) -> dict[str, Any]:
    attention = hypothesis.attention
    return {
        "text": beginning.written(task.tokenizers.target.decode, hypothesis.tokens),
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
