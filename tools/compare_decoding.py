r"""Our searches beside those of other libraries: the same weights, the same machine, by turns.

    build/peers/bin/python tools/compare_decoding.py --output docs/results/speed/decoding.jsonl
    build/peers/bin/python tools/compare_decoding.py --task mt --run runs/mt-small-multi30k-s1 --texts test.de
    python tools/compare_decoding.py --output docs/results/speed/decoding.jsonl \
        --into docs/results/speed/decoding.md

How the environment ``build/peers`` is made stands in docs/results/speed/decoding.md; a library that is not there is
left out with a word. Without ``--run`` networks have random weights and never end, so that every hypothesis has the
same length and both searches have the same definition: what they find must agree. With a run, texts end where they
do, and OpenNMT's search differs: a hypothesis that ends takes its place in the beam with it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from lstmdrop.commands.evaluate import load_tasks, open_runs
from lstmdrop.data.text import read_lines
from lstmdrop.data.tokenizers.words import CharacterTokenizer, WordTokenizer
from lstmdrop.data.vocabulary import EOS, UNK, Vocabulary
from lstmdrop.decoding.beam import BeamSettings
from lstmdrop.nn.rules import make_regularizer
from lstmdrop.plugin import load_plugin
from lstmdrop.settings import resolve_config
from lstmdrop_tasks.asr.config import ASRDecodingConfig
from lstmdrop_tasks.asr.decoder import Decoder
from lstmdrop_tasks.caption.captioning import caption
from lstmdrop_tasks.caption.model import build_captioner
from lstmdrop_tasks.mt.model import build_translator
from lstmdrop_tasks.mt.pairs import Tokenizers, padded_columns
from lstmdrop_tasks.mt.task import MachineTranslation
from lstmdrop_tasks.mt.translate import LONGEST_MORE, translate
from peers import ctc, opennmt

PEERS = {"mt": ("OpenNMT-py",), "caption": ("OpenNMT-py",), "asr": ("fast-ctc-decode", "flashlight-text")}
ITEMS = {"mt": "sentences", "caption": "captions", "asr": "utterances"}
SHARPNESS = 4.0
"""Random logits times this: nearly uniform ones would leave the order to rounding."""
NEVER = -1e4
"""The logit of the end."""
BEGIN, END = "<!-- measured: tools/compare_decoding.py -->", "<!-- end -->"

Found = list[tuple[tuple[int, ...], float | None]]
"""Of each input the tokens of the best hypothesis and its log-probability, where it is told."""


@dataclass(frozen=True, slots=True)
class Case:
    """Two searches for the same."""

    ours: Callable[[], Found]
    theirs: Callable[[], Found]
    num_items: int


@dataclass(frozen=True, slots=True)
class Row:
    """What was measured of a case."""

    task: str
    network: str
    beam: int
    library: str
    items: str
    ours: float
    """Items a second, in the middle."""
    theirs: float
    ours_spread: tuple[float, float]
    """The slowest and the fastest turn."""
    theirs_spread: tuple[float, float]
    same: float
    """The share of the items of which both find the same, or ours the likelier."""
    differs: float
    """The most by which the log-probabilities of the same differ."""
    threads: int
    machine: str
    load: float
    clock: str
    torch: str


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and append a line a case, or put the table into a document."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", nargs="+", choices=list(PEERS), default=list(PEERS))
    parser.add_argument("--beams", type=int, nargs="+", default=[1, 5, 12])
    parser.add_argument("--size", default="small")
    parser.add_argument("--run", type=Path, help="a translation run; its best weights in place of random ones")
    parser.add_argument("--texts", type=Path, help="what the run translates, a line each")
    parser.add_argument("--items", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cpu-time", action="store_true", help="count processor time: others use the machine too")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--into", type=Path, help="measure nothing: put what OUTPUT holds into a document")
    given = parser.parse_args(arguments)
    if (given.run is None) != (given.texts is None):
        parser.error("--run and --texts belong together")
    if given.into is not None:
        into(given.into, given.output)
        return
    for row in measured(given):
        line = json.dumps(asdict(row))
        print(line, flush=True)
        if given.output is not None:
            given.output.parent.mkdir(parents=True, exist_ok=True)
            with given.output.open("a", encoding="utf-8") as record:
                record.write(line + "\n")


def measured(given: argparse.Namespace) -> Iterator[Row]:
    """A row for each task, library and beam."""
    for task in given.task if given.run is None else ["mt"]:
        for library in PEERS[task]:
            try:
                release = version(library)
            except PackageNotFoundError:
                print(f"{task}: {library} is not here and is left out")
                continue
            for beam_size in given.beams:
                name, case = CASES[task](given, library, beam_size)
                yield row_of(case, given.rounds, given.cpu_time, task=task, network=name, beam=beam_size,
                             library=f"{library} {release}", items=ITEMS[task])  # fmt: skip


def row_of(case: Case, rounds: int, cpu_time: bool, **about: Any) -> Row:
    """Measure by turns; the first turn of each is not counted, but what it finds is compared."""
    same, differs = agreement(case.ours(), case.theirs())
    now = time.process_time if cpu_time else time.perf_counter
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for run, taken in zip((case.ours, case.theirs), seconds, strict=True):
            start = now()
            run()
            taken.append(now() - start)
    ours, theirs = ([case.num_items / one for one in taken] for taken in seconds)
    return Row(
        **about, ours=median(ours), theirs=median(theirs), ours_spread=(min(ours), max(ours)),
        theirs_spread=(min(theirs), max(theirs)), same=same, differs=differs, threads=torch.get_num_threads(),
        machine=f"{platform.machine()}, {os.cpu_count()} cores", load=round(os.getloadavg()[0], 1),
        clock="processor" if cpu_time else "wall",
        torch=torch.__version__,
    )  # fmt: skip


def agreement(ours: Found, theirs: Found) -> tuple[float, float]:
    """The share that is the same (or where ours is likelier), and how far log-probabilities of the same lie apart."""
    agree, differs = 0, 0.0
    for (tokens, log_prob), (other_tokens, other) in zip(ours, theirs, strict=True):
        known = log_prob is not None and other is not None
        if tokens == other_tokens:
            differs = max(differs, abs(log_prob - other)) if known else differs  # type: ignore[operator]
        agree += tokens == other_tokens or (known and log_prob > other)  # type: ignore[operator]
    return agree / max(1, len(ours)), differs


def translation(given: argparse.Namespace, library: str, beam_size: int) -> tuple[str, Case]:
    """Sentences of 8 to 32 words, or those of a text."""
    if given.run is None:
        task = _random_translator(given.size)
        drawn = np.random.default_rng(1)
        lines = [" ".join(f"w{word}" for word in drawn.integers(0, 1_000, 24)) for _ in range(given.items)]
        ratio = 1.0
    else:
        (task,) = load_tasks(load_plugin("mt"), open_runs("mt", [given.run]), "cpu", None, None)  # type: ignore[assignment]
        lines, ratio = list(read_lines(given.texts))[: given.items], task.longest_ratio
    task.model.eval()
    target, settings = task.tokenizers.target, BeamSettings(beam_size, length_penalty=0.0)
    batch_size = task.config.decoding.batch_size
    batches = _batches(task, lines, batch_size)
    longest = int(ratio * max(batch["src"].shape[1] for _, batch in batches)) + LONGEST_MORE
    peer = opennmt.translator(task.model, target.eos, target.unk, beam_size, longest)

    def theirs() -> Found:
        found: Found = [((), None)] * len(lines)
        for numbers, batch in batches:
            for number, one in zip(numbers, opennmt.search(peer, [batch], target.eos), strict=True):
                found[number] = one
        return found

    def ours() -> Found:
        return [(best.tokens, best.log_prob) for best, *_ in translate([task], lines, settings, batch_size, ratio)]

    return given.size if given.run is None else given.run.name, Case(ours, theirs, len(lines))


def captioning(given: argparse.Namespace, library: str, beam_size: int) -> tuple[str, Case]:
    """Captions of 20 words, of random maps."""
    config: Any = resolve_config(load_plugin("caption"), given.size)
    words = WordTokenizer(Vocabulary((EOS, UNK, *(f"w{number}" for number in range(3_000)))))
    rule = make_regularizer("none", 0.0, 0.0)
    model = build_captioner(config.model, 1_280, len(words.vocabulary), rule, torch.Generator().manual_seed(1)).eval()
    _without_end(model, words.eos)
    rows = 50 if config.model.architecture == "attend" else 1
    features = torch.randn(given.items, rows, 1_280, generator=torch.Generator().manual_seed(2))
    encoder = opennmt.Encoded(model.encode)
    peer = opennmt.translator(model, words.eos, words.unk, beam_size, 20, encoder)
    lengths = torch.full((given.items,), max(1, rows - 1))
    captioner = _Captioner(config, model, words, torch.device("cpu"))
    settings = BeamSettings(beam_size, length_penalty=0.0)

    def ours() -> Found:
        return [(best.tokens, best.log_prob) for best, *_ in caption([captioner], [features], settings, 20)]

    def theirs() -> Found:
        return list(opennmt.search(peer, [{"src": features, "srclen": lengths}], words.eos))

    return given.size, Case(ours, theirs, given.items)


def recognition(given: argparse.Namespace, library: str, beam_size: int) -> tuple[str, Case]:
    """The search alone, over made-up outputs of six seconds: letters that are clear, doubtful or between two."""
    letters = CharacterTokenizer(Vocabulary((EOS, UNK, *" 'abcdefghijklmnopqrstuvwxyz")))
    num_tokens, steps, drawn = len(letters.vocabulary), 300, np.random.default_rng(1)
    logits = drawn.standard_normal((steps, given.items, num_tokens), np.float32)
    logits[..., letters.eos] += 9
    for place in range(4, steps - 2, 6):
        said = drawn.integers(2, num_tokens, given.items)
        logits[place, np.arange(given.items), said] += drawn.choice([8.0, 10.0, 14.0], given.items)
    log_probs = torch.from_numpy(logits).log_softmax(-1).numpy()
    decoder = Decoder(letters, ASRDecodingConfig(beam_size=beam_size))
    decode = {"fast-ctc-decode": ctc.fast_ctc_decode, "flashlight-text": ctc.flashlight}[library](beam_size, num_tokens)
    utterances = [np.ascontiguousarray(log_probs[:, number]) for number in range(given.items)]

    def ours() -> Found:
        return [(best.tokens, None) for best, *_ in map(decoder.decode, utterances)]

    def theirs() -> Found:
        return [(tokens, None) for tokens in decode(utterances)]

    return "made-up outputs", Case(ours, theirs, given.items)


CASES: dict[str, Callable[[argparse.Namespace, str, int], tuple[str, Case]]] = {
    "mt": translation, "caption": captioning, "asr": recognition,
}  # fmt: skip


@dataclass(slots=True)
class _Captioner:
    config: Any
    model: Any
    tokenizer: Any
    device: torch.device


def _random_translator(size: str) -> MachineTranslation:
    config: Any = resolve_config(load_plugin("mt"), size)
    words = WordTokenizer(Vocabulary((EOS, UNK, *(f"w{number}" for number in range(8_000)))))
    rule = make_regularizer("none", 0.0, 0.0)
    num_words = len(words.vocabulary)
    model = build_translator(config.model, num_words, num_words, rule, torch.Generator().manual_seed(1))
    _without_end(model, words.eos)
    return MachineTranslation(config, model, Tokenizers(words, words), _no_corpus, torch.device("cpu"))


def _without_end(model: Any, eos: int) -> None:
    with torch.no_grad():
        model.decoder.softmax.weight *= SHARPNESS
        model.decoder.softmax.bias[eos] = NEVER


def _no_corpus() -> Any:
    raise AssertionError("random words come from no corpus")


def _batches(task: MachineTranslation, lines: Sequence[str], size: int) -> list[tuple[list[int], dict[str, Any]]]:
    """As theirs wants them: the longest first, so many at once, and which lines they are."""
    tokenizer = task.tokenizers.source
    sources = [np.array([*tokenizer.encode(line), tokenizer.eos], np.int64) for line in lines]
    order = sorted(range(len(lines)), key=lambda number: -len(sources[number]))
    found = []
    for first in range(0, len(order), size):
        numbers = order[first : first + size]
        columns, lengths = padded_columns([sources[number] for number in numbers])
        read = task.model.read(columns, lengths)
        found.append((numbers, {"src": read.T[..., None], "srclen": lengths}))
    return found


def into(document: Path, record: Path) -> None:
    """Put the table into a document, between its two marks."""
    text = document.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    rows = [json.loads(line) for line in record.read_text(encoding="utf-8").splitlines()]
    document.write_text(f"{before}{BEGIN}\n{table(rows)}\n{END}{rest.partition(END)[2]}", encoding="utf-8")


def table(rows: Sequence[dict[str, Any]]) -> str:
    """All that was measured, in Markdown; of cases that were measured again the last time."""
    last = {
        tuple(row[key] for key in ("task", "network", "library", "beam", "machine", "threads")): row for row in rows
    }
    lines = [
        "| task | network | beside | beam | ours, a second | theirs, a second | ours / theirs | same | machine |",
        "|---|---|---|--:|--:|--:|--:|--:|---|",
    ]
    for row in last.values():
        ours, theirs = (
            f"{row[who]:,.1f} ({row[f'{who}_spread'][0]:,.1f} to {row[f'{who}_spread'][1]:,.1f})"
            for who in ("ours", "theirs")
        )
        lines.append(
            f"| {row['task']} | {row['network']} | {row['library']} | {row['beam']} | {ours} {row['items']} | "
            f"{theirs} | {row['ours'] / row['theirs']:.2f} | {row['same']:.0%} | {row['machine']}, "
            f"{row['threads']} threads, load {row['load']}, {row['clock']} clock |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
