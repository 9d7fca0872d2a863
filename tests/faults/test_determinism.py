"""The same seed gives the same weights, whatever a machine or an account does otherwise: real processes, compared."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from faults.notes import FaultMaker, share
from lstmdrop.training.checkpoint import read_checkpoint

Toys = dict[str, tuple[str, list[str]]]

TRAIN = """
import json, os, sys
os.umask(int(os.environ.get("TEST_UMASK", "022"), 8))
from pathlib import Path
from lstmdrop.commands.train import train
for task, (data, overrides) in json.loads(sys.argv[1]).items():
    train(task, size="tiny", data=data, overrides=overrides, out=Path(sys.argv[2]) / task, device="cpu")
"""

UNSORTED = """
import os
listdir, scandir = os.listdir, os.scandir

class Backwards:
    def __init__(self, path):
        with scandir(path) as entries:
            self.entries = sorted(entries, key=lambda entry: entry.name, reverse=True)
    def __iter__(self):
        return iter(self.entries)
    def __next__(self):
        return self.entries.pop(0)
    def __enter__(self):
        return self
    def __exit__(self, *error):
        pass
    def close(self):
        pass

os.listdir = lambda path=".": sorted(listdir(path), reverse=True)
os.scandir = lambda path=".": Backwards(path)
os.cpu_count = lambda: int(os.environ.get("TEST_CORES", "1"))
"""
"""What Python runs as it starts: folders list their files backwards, and a machine has as many cores as is said."""

USUAL = {"PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8", "TZ": "UTC", "TEST_UMASK": "022", "TEST_CORES": "1"}

OTHERWISE: dict[str, dict[str, str]] = {
    "nothing": {},
    "the hash seed of Python": {"PYTHONHASHSEED": "12345"},
    "the locale": {"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
    "the time zone": {"TZ": "Asia/Kathmandu"},
    "the umask": {"TEST_UMASK": "077"},
    "the order of files on disk": {"BACKWARDS": "1"},
    "the number of threads that load data": {"TEST_CORES": "7", "BACKWARDS": "1"},
}
OTHERWISE["everything"] = {key: value for one in OTHERWISE.values() for key, value in one.items()}


@pytest.fixture(scope="module")
def varied(toys: Toys, tmp_path_factory: pytest.TempPathFactory) -> Toys:
    """The toys, with letters that a locale may not know, and pictures that threads read."""
    found: Toys = {}
    for task, (data, overrides) in toys.items():
        found[task] = (data, [*overrides, "training.epochs=1"])
        if task in ("lm", "mt"):
            folder = tmp_path_factory.mktemp("texts") / task
            shutil.copytree(data, folder)
            for path in folder.iterdir():
                text = path.read_text(encoding="utf-8")
                path.write_text(text.replace("u", "ü").replace("o", "о"), encoding="utf-8")
            found[task] = (str(folder), found[task][1])
    settings = [one for one in found["caption"][1] if not one.startswith("images.")]
    found["caption"] = (str(_pictures(tmp_path_factory.mktemp("pictures"))), settings)
    return found


def _pictures(folder: Path) -> Path:
    rng, lines = np.random.default_rng(0), []
    for split, number in (("train", 12), ("valid", 2), ("test", 2)):
        for place in range(number):
            name = f"{split}{place}.png"
            Image.fromarray(rng.integers(0, 255, (40, 40, 3), np.uint8)).save(folder / name)
            captions = [f"{split} picture {place % 3}", "a picture of noise"]
            lines.append(json.dumps({"image": name, "captions": captions, "split": split}) + "\n")
    (folder / "captions.jsonl").write_text("".join(lines), encoding="utf-8")
    return folder / "captions.jsonl"


def made_by(toys: Toys, folder: Path, otherwise: Mapping[str, str]) -> dict[str, str]:
    """By name the content of all that a process makes from the data: what it prepares, trains, scores and writes."""
    start = folder / "start"
    start.mkdir(parents=True)
    backwards = UNSORTED if "BACKWARDS" in otherwise else UNSORTED.replace("reverse=True", "reverse=False")
    (start / "sitecustomize.py").write_text(backwards)
    environment = {**os.environ, **USUAL, **otherwise, "LSTMDROP_CACHE": str(folder / "cache")}
    environment["PYTHONPATH"] = os.pathsep.join([str(start), *sys.path])
    environment["OMP_NUM_THREADS"] = "1"
    runs = folder / "runs"
    command = [sys.executable, "-c", TRAIN, json.dumps(toys), str(runs)]
    ended = subprocess.run(command, env=environment, capture_output=True, check=False, cwd=folder)
    assert ended.returncode == 0, ended.stderr.decode(errors="replace")[-2000:]
    files = [path for root in (runs, folder / "cache") for path in root.rglob("*") if path.is_file()]
    files = [
        path for path in files if path.parent.name != "digests"
    ]  # of files that have lain long enough to be trusted
    return {str(path.relative_to(folder)): _content(path) for path in files}


def _content(path: Path) -> str:
    """Its hash; of what says how long something took, that of all else."""
    if path.suffix == ".safetensors":
        checkpoint = read_checkpoint(path)
        values = {key: value for key, value in checkpoint.values.items() if "seconds" not in key}
        digest = hashlib.sha256(json.dumps(values, sort_keys=True).encode())
        for name in sorted(checkpoint.tensors):
            digest.update(name.encode() + checkpoint.tensors[name].contiguous().numpy().tobytes())
        return digest.hexdigest()
    if path.name in ("result.json", "last.json", "log.jsonl"):
        text = path.read_text(encoding="utf-8")
        entries = map(json.loads, [text] if path.suffix == ".json" else text.splitlines())
        kept = [{key: value for key, value in entry.items() if not _is_of_the_moment(key)} for entry in entries]
        return json.dumps(kept, sort_keys=True)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _is_of_the_moment(key: str) -> bool:
    return "second" in key or key == "git"  # somebody may be at work on the toolkit meanwhile


@pytest.fixture(scope="module")
def usual(varied: Toys, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What one process makes."""
    made = made_by(varied, tmp_path_factory.mktemp("usual"), {})
    assert {"cache", "runs"} == {name.partition(os.sep)[0] for name in made}
    return made


@pytest.mark.parametrize("otherwise", list(OTHERWISE) if share() else ["everything"])
def test_equal_seeds_give_equal_bits_whatever_surrounds_them(
    otherwise: str, varied: Toys, usual: dict[str, str], tmp_path: Path, fault: FaultMaker
) -> None:
    """Of the four tasks; the kernel is chosen by ``auto``."""
    note = fault(
        "determinism",
        f"a second process, in which {otherwise} is another",
        "what is prepared, the weights, logs, scores and predictions of four tasks are the same to the bit",
    )
    with note.one(otherwise):
        found = made_by(varied, tmp_path / "second", OTHERWISE[otherwise])
        assert found.keys() == usual.keys()
        assert [path for path in usual if found[path] != usual[path]] == []


@pytest.mark.parametrize("task", ["lm"])
def test_the_check_would_see_another_seed(varied: Toys, tmp_path: Path, task: str) -> None:
    """A control: what is compared depends on the seed."""
    data, overrides = varied[task]
    first, second = (made_by({task: (data, [*overrides, f"seed={seed}"])}, tmp_path / str(seed), {}) for seed in (1, 2))
    differing = {path.rpartition(os.sep)[2] for path in first if first[path] != second[path]}
    assert {"best.safetensors", "last.safetensors", "log.jsonl", "result.json", "log_probs.npz"} <= differing
