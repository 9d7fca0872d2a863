"""Texts larger than memory: prepared in parts by several processes, trained on from mapped files."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from lstmdrop.commands.train import train
from lstmdrop.config import SPLITS
from lstmdrop.data import batching, look_ahead, parts
from lstmdrop.data.archive import packing
from lstmdrop.data.batching import Variation, stream_windows
from lstmdrop.data.look_ahead import read_ahead
from lstmdrop.data.processes import PROCESSES
from lstmdrop.data.registry import cache_dir
from lstmdrop.data.store import TokenStore, build_store
from lstmdrop.data.tokenizer import train_tokenizer
from lstmdrop.errors import DataError
from lstmdrop.settings import default_name
from lstmdrop.training.checkpoint import read_checkpoint
from lstmdrop.training.progress import Stepped
from lstmdrop_tasks.lm.corpora import find_corpus

Write = Callable[[Path, Sequence[str]], None]
LINES = [f"{word} {number % 7} sees {number % 11} é" for number in range(100) for word in ("cat", "dog", "king")]


def json_rows(lines: Sequence[str]) -> bytes:
    return "".join(json.dumps({"id": number, "body": line}) + "\n" for number, line in enumerate(lines)).encode()


def parquet(path: Path, lines: Sequence[str]) -> None:
    pq.write_table(pa.table({"id": range(len(lines)), "body": list(lines)}), path, row_group_size=9)


KINDS: dict[str, Write] = {
    "txt": lambda path, lines: path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8") and None,
    "txt.gz": lambda path, lines: path.write_bytes(gzip.compress("\n".join(lines).encode())) and None,
    "jsonl": lambda path, lines: path.write_bytes(json_rows(lines)) and None,
    "jsonl.zst": lambda path, lines: path.write_bytes(packing("zstd").compress(json_rows(lines))) and None,
    "parquet": parquet,
}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LSTMDROP_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv(PROCESSES, "1")
    monkeypatch.setattr(parts, "PART_BYTES", 600)


def in_files(folder: Path, kind: str, num_files: int = 3, lines: Sequence[str] = LINES) -> Path:
    folder.mkdir()
    bounds = [round(number * len(lines) / num_files) for number in range(num_files + 1)]
    for number in reversed(range(num_files)):
        KINDS[kind](folder / f"{number}.{kind}", lines[bounds[number] : bounds[number + 1]])
    return folder


def prepared(data: str, kind: Any = "word") -> dict[str, bytes]:
    """What a training maps into memory, and the tokens' identity."""
    corpus = find_corpus(data, column=None if ".txt" in data else "body")
    tokenizer = train_tokenizer(kind, corpus.text("train"), max_size=40)
    found = {"tokens": tokenizer.fingerprint.encode()}
    for split in SPLITS:
        store = build_store(corpus.text(split), tokenizer, cache_dir() / "tokens")
        found[split] = b"".join((store.folder / name).read_bytes() for name in ("tokens.bin", "counts.json"))
        found[f"{split}.txt"] = corpus.text(split).read_bytes()
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_a_text_in_files_is_the_text_whatever_their_kind_and_the_order_in_which_they_are_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    whole = tmp_path / "whole.txt"
    KINDS["txt"](whole, LINES)
    with monkeypatch.context() as patch:
        patch.setattr(parts, "PART_BYTES", 1 << 24)
        expected = prepared(str(whole))
    folder = in_files(tmp_path / "files", kind)
    assert prepared(f"{folder}/*.{kind}") == expected
    monkeypatch.setenv("LSTMDROP_CACHE", str(tmp_path / "other"))
    for name in ("glob", "rglob"):
        plain = getattr(Path, name)
        monkeypatch.setattr(Path, name, lambda self, pattern, plain=plain: reversed(list(plain(self, pattern))))
    assert prepared(f"{folder}/*.{kind}") == expected
    corpus = find_corpus(str(folder), column=None if "txt" in kind else "body")
    assert corpus.text("train").read_bytes() == expected["train.txt"]


@pytest.mark.slow
@pytest.mark.parametrize(("tokens", "processes"), [("word", 2), ("bpe", 3)])
def test_a_text_is_prepared_alike_by_any_number_of_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tokens: str, processes: int
) -> None:
    data = f"{in_files(tmp_path / 'files', 'jsonl')}/*.jsonl"
    alone = prepared(data, tokens)
    monkeypatch.setenv("LSTMDROP_CACHE", str(tmp_path / "other"))
    monkeypatch.setenv(PROCESSES, str(processes))
    assert prepared(data, tokens) == alone


@pytest.mark.parametrize("named", ["train", "training", "Train"])
def test_each_split_may_be_a_folder_of_files(tmp_path: Path, named: str) -> None:
    whole = tmp_path / "corpus"
    whole.mkdir()
    for split, lines in ((named, LINES), ("dev", LINES[:4]), ("test", LINES[:3])):
        in_files(whole / split, "jsonl.zst", 2, lines)
    corpus = find_corpus(str(whole), column="body")
    assert [len(corpus.text(split).read_text().splitlines()) for split in SPLITS] == [300, 4, 3]


def test_files_of_several_kinds_are_not_read_as_one(tmp_path: Path) -> None:
    folder = in_files(tmp_path / "files", "txt", 2)
    KINDS["jsonl"](folder / "9.jsonl", LINES)
    for data in (f"{folder}/*", str(folder)):
        with pytest.raises(
            DataError, match=r"0\.txt is lines of text and .*9\.jsonl is JSON: .*\n.*--data '.*\*\.txt'"
        ):
            find_corpus(data, column="body")
    (folder / "README.md").write_text("not a text of the folder")
    (folder / "9.jsonl").unlink()
    assert len(find_corpus(str(folder)).text("train").read_text().splitlines()) == 270


@pytest.mark.parametrize("kind", ["jsonl", "jsonl.zst", "parquet"])
def test_a_column_that_is_not_there_is_said_with_those_that_are(tmp_path: Path, kind: str) -> None:
    folder = in_files(tmp_path / "files", kind)
    with pytest.raises(DataError, match=r"0\.\S+ ?.*1: there is no 'text'; there are: id, body\n.*--column NAME"):
        find_corpus(f"{folder}/*.{kind}")


def test_a_bad_line_of_a_large_file_is_named_by_its_number(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(json_rows(LINES) + b"{}{\n" + json_rows(LINES))
    with pytest.raises(DataError, match=r"a\.jsonl:301: this is no JSON"):
        find_corpus(str(path), column="body")


KILLED = """
import sys
from lstmdrop.data import parts
parts.PART_BYTES = 600
from pathlib import Path
from lstmdrop.data.store import build_store
from lstmdrop.data.tokenizers.words import EncodedBlock, WordTokenizer
from lstmdrop.data.tokenizer import train_tokenizer
from slow_tokenizer import SlowTokenizer

text, cache = map(Path, sys.argv[1:])
build_store(text, SlowTokenizer(train_tokenizer("word", text).vocabulary), cache)
"""
SLOW = """
import time
from lstmdrop.data.tokenizers.words import WordTokenizer

class SlowTokenizer(WordTokenizer):
    def encode_block(self, text):
        time.sleep(0.3)
        return super().encode_block(text)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are looked for in /proc")
def test_a_killed_preparation_goes_on_with_the_shards_that_are_whole(tmp_path: Path) -> None:
    text, cache = tmp_path / "text", tmp_path / "tokens"
    KINDS["txt"](text, LINES)
    (tmp_path / "slow_tokenizer.py").write_text(SLOW)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path]), PROCESSES: "2"}
    with subprocess.Popen([sys.executable, "-c", KILLED, str(text), str(cache)], env=environment) as process:
        while len(notes := sorted(cache.glob(".*.unfinished/*.json"))) < 3:
            assert process.poll() is None
            time.sleep(0.01)
        workers = children_of(process.pid)
        process.send_signal(signal.SIGKILL)
    assert workers
    assert len(notes) < len(parts.text_parts(text, parts.WORDS))
    made = {path: path.stat().st_mtime_ns for path in notes}
    deadline = time.monotonic() + 60
    while any(map(is_alive, workers)):
        assert time.monotonic() < deadline, "processes are left that nobody waits for"
        time.sleep(0.1)
    tokenizer = train_tokenizer("word", text)
    left = {path: path.stat().st_mtime_ns for path in notes}
    assert left == made
    calls = []
    plain = tokenizer.encode_block
    tokenizer.encode_block = lambda block: (calls.append(block), plain(block))[1]  # type: ignore[method-assign]
    num_left = len(parts.text_parts(text, parts.WORDS)) - len(list(cache.glob(".*.unfinished/*.json")))
    found = build_store(text, tokenizer, cache)
    assert len(calls) == num_left
    assert found.tokens.tolist() == build_store(text, train_tokenizer("word", text), tmp_path / "new").tokens.tolist()


def children_of(process: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(path.read_text(encoding="utf-8").rpartition(")")[2].split()[1]) == process:
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def store(tmp_path: Path) -> TokenStore:
    text = tmp_path / "text"
    KINDS["txt"](text, LINES)
    return build_store(text, train_tokenizer("word", text), tmp_path / "tokens")


@pytest.mark.parametrize("variation", [(False, False), (True, False), (False, True), (True, True)])
@pytest.mark.parametrize("at_once", [1, 70, 1000])
def test_windows_of_a_mapped_text_are_those_of_one_in_memory_however_much_is_read_at_once(
    store: TokenStore, monkeypatch: pytest.MonkeyPatch, variation: tuple[bool, bool], at_once: int
) -> None:
    def windows(tokens: np.ndarray) -> list[Any]:
        varied = Variation(np.random.default_rng(3), *variation)
        return [
            (window.inputs.tolist(), window.targets.tolist(), window.part)
            for window in stream_windows(tokens, 6, 7, torch.device("cpu"), 2, varied)
        ]

    monkeypatch.setattr(batching, "TOKENS_AT_ONCE", at_once)
    assert isinstance(store.tokens, np.memmap)
    released = []
    monkeypatch.setattr(batching, "let_go", lambda array: (released.append(array), look_ahead.let_go(array)))
    assert windows(store.tokens) == windows(np.array(store.tokens))
    assert released
    monkeypatch.setattr(batching, "read_ahead", lambda reads: (read() for read in reads))
    assert windows(store.tokens) == windows(np.array(store.tokens))


def test_what_comes_next_is_read_while_the_last_is_used() -> None:
    begun = []

    def read(number: int) -> int:
        begun.append(number)
        if number == 4:
            raise OSError("the disk")
        return number

    results = read_ahead(partial(read, number) for number in range(5))
    assert begun == []
    for number in range(4):
        assert next(results) == number
        deadline = time.monotonic() + 30
        while begun != list(range(number + 2)):
            assert time.monotonic() < deadline
            time.sleep(0.001)
    with pytest.raises(OSError, match="the disk"):
        next(results)
    assert list(read_ahead(iter(()))) == []
    left = read_ahead(partial(read, number) for number in range(3))
    next(left)
    left.close()  # type: ignore[attr-defined]


RESIDENT = """
import sys
from pathlib import Path
import numpy as np, torch
from lstmdrop.data.batching import Variation, stream_windows

def resident():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmRSS"))

tokens = np.memmap(sys.argv[1], np.uint16, "r")
most = 0
before = None
for number, window in enumerate(stream_windows(tokens, 20, 3500, torch.device("cpu"), 1, Variation(np.random.default_rng(1), rotate=True))):
    before = before or resident()
    most = max(most, resident())
print(most - before)
"""  # noqa: E501


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="resident memory is read from /proc")
def test_an_epoch_over_a_large_text_takes_no_more_memory(tmp_path: Path) -> None:
    path = tmp_path / "tokens.bin"
    np.zeros(80_000_000, np.uint16).tofile(path)  # 160 MB
    outcome = subprocess.run(
        [sys.executable, "-c", RESIDENT, str(path)], capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert int(outcome.stdout) < 110_000  # KiB: blocks of 16 MiB, read, turned and read ahead


@pytest.fixture
def toy_run(tmp_path: Path, toy_settings: list[str]) -> Callable[..., Path]:
    folder = in_files(tmp_path / "files", "parquet", lines=LINES)
    varied = ["training.random_steps=true", "training.rotate=true", "training.save_minutes=0"]

    def run(name: str, **named: Any) -> Path:
        out = tmp_path / name
        settings = [*toy_settings, *varied, "data.column=body", "training.kernel=native"]
        train("lm", size="tiny", data=f"{folder}/*.parquet", overrides=settings, out=out, device="cpu", **named)
        return out

    return run


def test_training_on_files_goes_on_to_the_weights_that_it_would_have_had(
    toy_run: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batching, "TOKENS_AT_ONCE", 500)
    whole = toy_run("whole")

    def stop(event: Any) -> None:
        if isinstance(event, Stepped) and event.step == 30:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        toy_run("stopped", listener=stop)
    other = tmp_path / "elsewhere"
    other.mkdir()
    monkeypatch.chdir(other)  # what a pattern names is found from any folder
    config = json.loads((tmp_path / "stopped" / "config.json").read_text())
    assert Path(config["data"]["name"]).is_absolute()
    stopped = toy_run("stopped", resume=True)
    best, again = (read_checkpoint(run / "best.safetensors") for run in (whole, stopped))
    assert best.values == again.values
    assert all(torch.equal(again.tensors[name], tensor) for name, tensor in best.tensors.items())


def test_a_shard_that_has_changed_is_noticed(toy_run: Callable[..., Path], tmp_path: Path) -> None:
    def stop(event: Any) -> None:
        if isinstance(event, Stepped) and event.step == 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        toy_run("stopped", listener=stop)
    parquet(tmp_path / "files" / "1.parquet", [f"{line}!" for line in LINES])
    with pytest.raises(DataError, match="data"):
        toy_run("stopped", resume=True)


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ("demo", "demo"), ("texts/mine.txt", "mine.txt"), ("/data/corpus/*.jsonl.zst", "corpus"),
        ("/data/corpus/**/part-?.txt", "corpus"), ("s3://bucket/news/*.parquet", "news"), ("*.txt", "*.txt"),
    ],
)  # fmt: skip
def test_a_run_on_many_files_is_called_as_their_folder(data: str, name: str) -> None:
    config = {"task": "lm", "size": "tiny", "seed": 1, "data": {"name": data}, "regularizer": {"rule": "zaremba"}}
    assert default_name(config) == f"lm-tiny-{name}-s1"


def test_an_own_text_is_prepared_ahead_of_training(lstmdrop: Any, tmp_path: Path) -> None:
    folder = in_files(tmp_path / "files", "jsonl.zst")
    outcome = lstmdrop("data", "prepare", f"{folder}/*.zst", "--column", "body")
    assert outcome.code == 0
    named = dict(line.split("\t") for line in outcome.output.splitlines())
    assert [len(Path(named[split]).read_bytes().splitlines()) for split in SPLITS] == [270, 15, 15]
    for arguments, code, message in (
        ((f"{folder}/*.zst",), 4, "there is no 'text'; there are: id, body"),
        ((f"{folder}/none*.zst",), 4, "no file matches"),
        (("memory://none/*",), 4, "memory://none/*: there is no such file"),
        ((folder, "--from", folder), 2, "--from is for datasets that have a name"),
        (("ptb", "--column", "body"), 2, "--column is for a text of your own"),
    ):
        outcome = lstmdrop("data", "prepare", *arguments)
        assert (outcome.code, outcome.output) == (code, "")
        assert message in outcome.messages
    assert "no file matches" in lstmdrop("data", "info", f"{folder}/none*.zst").messages
