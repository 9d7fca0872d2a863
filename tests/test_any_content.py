"""Whatever stands in a file of one's own, it is read or refused with the file's name; nothing else is raised."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstmdrop.errors import DataError
from lstmdrop.report.curves import read_curves
from lstmdrop.report.page.examples import read_examples
from lstmdrop.report.runs import read_summaries
from lstmdrop_tasks.asr.audio.features import Normalisation
from lstmdrop_tasks.asr.audio.reading import with_length
from lstmdrop_tasks.asr.corpora.alignment import read_textgrid
from lstmdrop_tasks.asr.corpora.own import read_manifest
from lstmdrop_tasks.caption.corpora.coco import captions_of, read_karpathy
from lstmdrop_tasks.caption.corpora.flickr import read_captions
from lstmdrop_tasks.caption.corpora.own import own
from lstmdrop_tasks.caption.data import FeaturesAbout
from lstmdrop_tasks.mt.corpora.oddities import oddities
from lstmdrop_tasks.mt.corpora.overview import is_parallel
from lstmdrop_tasks.mt.corpora.parallel import plain_side
from lstmdrop_tasks.mt.corpora.table import TableLayout, table_pairs
from lstmdrop_tasks.mt.translate import Targets

Read = Callable[[Path], object]

KEYS = (
    "audio", "text", "id", "start", "end", "speaker", "features", "image", "captions", "split", "images", "filename",
    "sentences", "raw", "tokens", "event", "epoch", "scores", "training_loss", "name", "value", "task", "data", "size",
    "seed", "regularizer", "hypotheses", "attention", "source_tokens", "longest_ratio", "encoder", "num_channels",
    "num_positions", "mean", "deviation", "references", "dropout", "rule",
)  # fmt: skip
PLAIN = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["train", "a.b"])
)
VALUES = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5)
)
OBJECTS = st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=6) | VALUES


def karpathys(path: Path) -> object:
    return captions_of(read_karpathy(path))


def odd(path: Path) -> object:
    return is_parallel(path), list(oddities(str(path), None))


def rows(layout: TableLayout, path: Path) -> object:
    return list(table_pairs(plain_side(path), layout))


JSON_FILES: dict[str, Read] = {
    "a.jsonl": read_manifest,
    "dataset_coco.json": karpathys,
    "captions.jsonl": own,
    "log.jsonl": lambda path: read_curves(path.parent),
    "examples.jsonl": lambda path: read_examples(path.parent, 3),
    "result.json": lambda path: read_summaries([path.parent]),
    "targets.json": lambda path: Targets.load(path.parent),
    "images.json": lambda path: FeaturesAbout.load(path.parent),
    "statistics.json": Normalisation.load,
}


def read_or_refused(read: Read, path: Path) -> None:
    said = path.parent.name
    try:
        read(path)
    except DataError as error:
        said = str(error)
    assert path.parent.name in said


@pytest.mark.parametrize("name", JSON_FILES)
@settings(deadline=None, max_examples=40)
@given(value=OBJECTS)
def test_any_json(tmp_path_factory: pytest.TempPathFactory, name: str, value: Any) -> None:
    path = tmp_path_factory.mktemp("anything") / name
    path.write_text(json.dumps(value) + "\n", encoding="utf-8")
    read_or_refused(JSON_FILES[name], path)


WORDS = ['"IntervalTier"', '"phones"', '"A1"', "0", "1", "2", "0.5", "-1", "nan", "x", '"', "<exists>"]
HEAD = 'File type = "ooTextFile"\nObject class = "TextGrid"\n0 1 <exists> 1 "IntervalTier" "phones" 0 1 '
TEXTS: dict[str, tuple[Read, st.SearchStrategy[str]]] = {
    "a.TextGrid": (read_textgrid, st.lists(st.sampled_from(WORDS), max_size=9).map(" ".join).map(HEAD.__add__)),
    "b.TextGrid": (read_textgrid, st.text(max_size=20)),
    "captions.txt": (read_captions, st.text('ab,"|#\t\n', max_size=30).map("image,caption\n".__add__)),
    "results.csv": (read_captions, st.text('ab,"|#\t\n 0', max_size=30).map("image_name| n| comment\n".__add__)),
    "tokens.token": (read_captions, st.text('ab,"|#\t\n0', max_size=30)),
    "a.tsv": (partial(rows, TableLayout()), st.text('ab,"\t\n\r\0é', max_size=30)),
    "quoted.tsv": (partial(rows, TableLayout((2, 3), header=True, quoted=True)), st.text('ab,"\t\n\r\0é', max_size=30)),
    "odd.tsv": (odd, st.text('ab1,"\t\n é', max_size=40)),
}


@pytest.mark.parametrize("name", TEXTS)
@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_any_text(tmp_path_factory: pytest.TempPathFactory, name: str, data: st.DataObject) -> None:
    read, texts = TEXTS[name]
    path = tmp_path_factory.mktemp("anything") / name
    path.write_text(data.draw(texts), encoding="utf-8", newline="")
    read_or_refused(read, path)


BEGINNINGS = st.sampled_from([b"", b"\xff\xfb\x90\x00", b"\xff\xf3\x84\xc4", b"ID3\x04\0\0\0\0\0\x05", b"ID3"])


@settings(deadline=None)
@given(st.builds(bytes.__add__, BEGINNINGS, st.binary(max_size=60)))
def test_any_bytes_are_left_as_they_are_or_come_behind_a_frame_that_promises_enough(content: bytes) -> None:
    found = with_length(content)
    assert with_length(found) == found
    if found != content:
        begin = next(
            place for place in range(len(content)) if content[place] == 0xFF and found.endswith(content[place:])
        )
        frame = found[: len(found) - len(content) + begin]
        assert frame[0] == 0xFF
        assert frame.count(b"Xing\0\0\0\1\0\x7f\xff\xff") == 1
