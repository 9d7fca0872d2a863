"""Every parser of ours that reads what somebody else has written, each as one function of a file.

The law that all of them keep, whatever the file holds, is `fuzz.held`: a result, or one `LstmdropError`.
"""

from __future__ import annotations

import io
import json
import shutil
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from lstmdrop.config import SPLITS
from lstmdrop.data.archive import open_unpacked, unpack
from lstmdrop.data.array_file import array_names, read_array
from lstmdrop.data.lines import stream_lines, stream_lines_mended
from lstmdrop.data.rows import read_rows
from lstmdrop.data.text import read_blocks, read_lines
from lstmdrop.data.tokenizer import load_tokenizer
from lstmdrop.data.vocabulary import Vocabulary
from lstmdrop.metrics.perplexity import read_log_probs
from lstmdrop.plugin import installed_tasks, load_plugin
from lstmdrop.presets import parse_override, read_preset, resolve
from lstmdrop.report.curves import read_curves
from lstmdrop.report.page.examples import examples_html, read_examples
from lstmdrop.report.rescore import read_predictions
from lstmdrop.report.rules import read_tries
from lstmdrop.report.runs import read_summary
from lstmdrop.reproduction.grid import read_grid
from lstmdrop.run import Run
from lstmdrop.training.checkpoint import read_checkpoint
from lstmdrop_tasks.asr.arpa import ArpaModel
from lstmdrop_tasks.asr.audio.features import Normalisation
from lstmdrop_tasks.asr.audio.reading import read_audio
from lstmdrop_tasks.asr.corpora.alignment import read_alignment, read_textgrid
from lstmdrop_tasks.asr.corpora.entries import names_recordings
from lstmdrop_tasks.asr.corpora.kaldi import read_data_folder
from lstmdrop_tasks.asr.corpora.own import read_manifest
from lstmdrop_tasks.asr.corpora.published import common_voice, librispeech, ljspeech, timit
from lstmdrop_tasks.asr.corpora.utterances import Selection as Spoken
from lstmdrop_tasks.asr.corpora.utterances import Utterance
from lstmdrop_tasks.asr.hot_words import read_hot_words
from lstmdrop_tasks.asr.objectives.frames import load_phones
from lstmdrop_tasks.caption.corpora.captioned import Selection as Shown
from lstmdrop_tasks.caption.corpora.coco import coco_file, read_karpathy
from lstmdrop_tasks.caption.corpora.flickr import read_captions
from lstmdrop_tasks.caption.corpora.own import own
from lstmdrop_tasks.caption.data import FeaturesAbout
from lstmdrop_tasks.caption.images.reading import read_image
from lstmdrop_tasks.caption.inputs import captioned
from lstmdrop_tasks.mt.corpora.language_pair import LanguagePair, languages_of
from lstmdrop_tasks.mt.corpora.markup import sgm_sides, xml_languages, xml_pairs
from lstmdrop_tasks.mt.corpora.parallel import plain_side
from lstmdrop_tasks.mt.corpora.table import DEFAULT, named_columns, row_pairs, table_pairs
from lstmdrop_tasks.mt.scoring import given
from lstmdrop_tasks.mt.translate import Targets

SPOKEN, SHOWN = Spoken(scored=("test",)), Shown(scored=("test",))
"""Nothing has to be held out, so that a file may be small."""

Read = Callable[[Path], object]


class Target(NamedTuple):
    """A parser, and where the bytes that it reads lie."""

    file: str
    """In a folder of its own; the name says the form."""
    read: Read
    beside: Mapping[str, bytes] = {}
    """Sound files that it needs in the folder too."""


def _all(items: Iterable[object]) -> None:
    deque(items, maxlen=0)


def _text(path: Path) -> None:
    _all(read_lines(path))
    _all(read_blocks(path, lambda text: text.rfind(" ") + 1))


def _stream(path: Path) -> None:
    _all(stream_lines_mended(io.BytesIO(path.read_bytes())))
    with open_unpacked(path) as stream:
        _all(stream_lines(stream, path.name))


def _rows(path: Path) -> None:
    for row in read_rows(path):
        for name in row.names:
            row.get(name)
        assert row.split in (None, *SPLITS)
        _all(row.text(name) for name in row.names)


def _arrays(path: Path) -> None:
    for name in array_names(path):
        read_array(path, name=name)


def _unpacked(path: Path) -> None:
    out = path.parent / "out"
    try:
        unpack(path, out)
    finally:
        found = {one for one in path.parent.rglob("*") if one.is_symlink() or not one.is_relative_to(out)}
        shutil.rmtree(out, ignore_errors=True)
    assert found <= {path}, f"{found} is outside of the folder"


@cache
def _configs() -> list[Any]:
    return [load_plugin(task).config for task in installed_tasks()]


def _preset(path: Path) -> None:
    layer = read_preset(path)
    for config in _configs():
        if layer.get("task") in (None, config.model_fields["task"].default):
            resolve(config, [layer])


def _override(path: Path) -> None:
    text = path.read_bytes().decode(errors="surrogateescape")
    for config in _configs():
        resolve(config, [parse_override(text)])


def _run_config(path: Path) -> None:
    read_summary(path.parent)
    _preset(path)


def _log(path: Path) -> None:
    Run(path.parent).rewind_log(lambda entry: entry.get("event") != "stepped")
    read_curves(path.parent)


def _examples(path: Path) -> None:
    html = examples_html("a run", read_examples(path.parent, 8))
    assert "<script>" not in html


def _aligned(path: Path) -> None:
    read_alignment(Utterance("utt", path.with_name("utt.wav"), alignment=path), lambda sound: (16000, 2.0))


def _manifest(path: Path) -> None:
    names_recordings(path)
    read_manifest(path)


def _kaldi(path: Path) -> None:
    read_data_folder(path.parent, path.parent.parent)


def _xml(path: Path) -> None:
    languages = xml_languages(path)
    _all(xml_pairs(path, LanguagePair(languages[0], languages[-1])))


def _marked(path: Path) -> None:
    for side in sgm_sides(path):
        _all(side.lines())


def _pairs(path: Path) -> None:
    named = named_columns(path, None, DEFAULT)
    if named is None:
        _all(table_pairs(plain_side(path), DEFAULT.of(path)))
    else:
        _all(row_pairs(path, named.columns, DEFAULT))


def _translations(path: Path) -> None:
    _all(given(["one", "two"], path))


def _given_pairs(path: Path) -> None:
    _all(given(read_lines(path), None))


def _subwords(path: Path) -> None:
    tokenizer = load_tokenizer(path.parent)
    tokenizer.decode(tokenizer.encode("the cat sat"))


WAV = (
    b"RIFF\x2c\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x80>\x00\x00\x00}\x00\x00\x02\x00\x10\x00"
    b"data\x08\x00\x00\x00" + bytes(8)
)
RESULT = {
    "task": "lm", "data": "lm-demo", "size": "demo", "regularizer": "none", "seed": 1,
    "scores": [{"split": "test", "name": "perplexity", "value": 9.5, "higher_is_better": False, "signature": "x"}],
}  # fmt: skip
_RESULT = {"result.json": json.dumps(RESULT).encode()}
_KALDI = {
    "text": b"a hello\n", "wav.scp": b"a a.wav\n", "segments": b"a a 0.0 0.5\n", "utt2spk": b"a s\n", "a.wav": WAV
}  # fmt: skip
_CLIPS = {"wavs/a.wav": WAV, "wavs/b.wav": WAV}
_WORDS = {"vocabulary.json": b'{"tokens": ["<eos>", "<unk>", "the", "cat"]}'}

TARGETS: dict[str, Target] = {
    # texts and tables
    "text": Target("a.txt", _text),
    "text-packed": Target("a.gz", _text),
    "stream": Target("a.txt", _stream),
    "rows-jsonl": Target("a.jsonl", _rows),
    "rows-json": Target("a.json", _rows),
    "rows-csv": Target("a.csv", _rows),
    "rows-tsv": Target("a.tsv", _rows),
    "archive": Target("a.archive", _unpacked),
    # numbers
    "npy": Target("a.npy", read_array),
    "npz": Target("a.npz", _arrays),
    "log-probs": Target("log_probs.npz", lambda path: read_log_probs(path.parent)),
    "checkpoint": Target("best.safetensors", read_checkpoint),
    # vocabularies and tokenisers
    "vocabulary": Target("vocabulary.json", Vocabulary.load),
    "tokenizer": Target("tokenizer.json", lambda path: load_tokenizer(path.parent), _WORDS),
    "subwords": Target("sentencepiece.model", _subwords, {"tokenizer.json": b'{"kind": "bpe"}'}),
    # settings
    "preset-toml": Target("a.toml", _preset),
    "preset-json": Target("a.json", _preset),
    "override": Target("set", _override),
    "grid": Target("grid.toml", read_grid),
    # run folders
    "config": Target("config.json", _run_config, _RESULT),
    "result": Target("result.json", lambda path: read_summary(path.parent)),
    "log": Target("log.jsonl", _log),
    "examples": Target("examples.jsonl", _examples),
    "tries": Target("tries.jsonl", lambda path: read_tries(path.parent)),
    "predictions": Target("predictions.txt", lambda path: read_predictions(path.parent)),
    # speech
    "textgrid": Target("utt.TextGrid", read_textgrid),
    "phn": Target("utt.phn", _aligned),
    "ctm": Target("all.ctm", _aligned),
    "manifest-jsonl": Target("train.jsonl", _manifest),
    "manifest-json": Target("train.json", _manifest),
    "manifest-csv": Target("train.csv", _manifest),
    "manifest-tsv": Target("train.tsv", _manifest),
    **{f"kaldi-{name}": Target(name, _kaldi, _KALDI) for name in ("text", "wav.scp", "segments", "utt2spk")},
    "arpa": Target("lm.arpa", ArpaModel),
    "common-voice": Target("test.tsv", lambda path: common_voice(path.parent, SPOKEN)),
    "ljspeech": Target("metadata.csv", lambda path: ljspeech(path.parent, SPOKEN), _CLIPS),
    "librispeech": Target(
        "test-clean/1/2/1-2.trans.txt",
        lambda path: librispeech(path.parents[3], SPOKEN),
        {"test-clean/1/2/1-2-0.wav": WAV},
    ),
    "timit": Target(
        "TEST/DR1/S/SX1.PHN",
        lambda path: timit(path.parents[3], SPOKEN),
        {"TEST/DR1/S/SX1.WAV": WAV, "TEST/DR1/S/SX1.TXT": b"0 8 hello\n"},
    ),
    "hot-words": Target("words.txt", lambda path: read_hot_words(str(path))),
    "normalisation": Target("normalisation.json", Normalisation.load),
    "phones": Target("phones.json", lambda path: load_phones(path.parent)),
    "audio": Target("a.wav", lambda path: read_audio(path, 8000)),
    # captions
    "karpathy": Target("dataset.json", read_karpathy),
    "coco": Target("captions.json", lambda path: coco_file(path, SHOWN), {"a.jpg": b""}),
    "captions": Target("captions.jsonl", lambda path: own(path, SHOWN)),
    "flickr": Target("captions.txt", read_captions),
    "caption-lines": Target("lines.tsv", lambda path: _all(captioned([str(path)]))),
    "image": Target("a.jpg", lambda path: read_image(path, 32)),
    "features-about": Target("images.json", lambda path: FeaturesAbout.load(path.parent)),
    # translation
    "tmx": Target("a.tmx", _xml),
    "wmt-xml": Target("a.xml", _xml),
    "sgm": Target("a.sgm", _marked),
    "pairs-tsv": Target("a.tsv", _pairs),
    "pairs-csv": Target("a.csv", _pairs),
    "pairs-jsonl": Target("a.jsonl", _pairs),
    "translations": Target("best.txt", _translations),
    "given-pairs": Target("pairs.tsv", _given_pairs),
    "targets": Target("targets.json", lambda path: Targets.load(path.parent)),
    "pair": Target("pair.txt", lambda path: languages_of(None, path.parent)),
}


def seeds(name: str, folder: Path) -> Iterator[bytes]:
    """What the repository keeps for a target: files from which mutation begins, and those that once broke a law."""
    return (path.read_bytes() for path in sorted((folder / name).glob("*")))
