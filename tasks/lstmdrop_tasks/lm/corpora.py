"""The texts that language models are trained on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lstmdrop.data.registry import Dataset, locate
from lstmdrop.errors import DataError

DATASETS: tuple[Dataset, ...] = ()


@dataclass(frozen=True, slots=True)
class Corpus:
    """Three texts."""

    name: str
    train: Path
    valid: Path
    test: Path


def find_corpus(data: str, data_dir: Path | None) -> Corpus:
    """The texts of a named dataset."""
    if data != "ptb":
        raise DataError(f"no dataset {data!r}")
    folder = locate(data, data_dir)
    return Corpus(data, *(folder / f"ptb.{split}.txt" for split in ("train", "valid", "test")))
