"""A corpus of any size in the layout in which WMT 2014 is published, and what it takes to prepare it.

By hand, for five million pairs of English and French:

    python tests/mt/generate_wmt14.py make /tmp/wmt14 5_000_000
    python tests/mt/generate_wmt14.py measure /tmp/wmt14

The second prints the pairs a second and the peak memory of `find_corpus`, with its report.
"""

from __future__ import annotations

import gzip
import json
import os
import resource
import sys
import tarfile
import time
from collections.abc import Iterable, Iterator, Sequence
from io import BufferedWriter
from itertools import product
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np

TRAINING = {
    "fr": {
        "training-parallel-europarl-v7.tgz": ("training/europarl-v7.fr-en.{}", 2.0),
        "training-parallel-commoncrawl.tgz": ("commoncrawl.fr-en.{}", 3.2),
        "training-parallel-un.tgz": ("un/undoc.2000.fr-en.{}", 12.9),
        "training-parallel-nc-v9.tgz": ("training/news-commentary-v9.fr-en.{}", 0.2),
        "training-giga-fren.tar": ("giga-fren.release2.fixed.{}.gz", 22.5),
    },
    "de": {
        "training-parallel-europarl-v7.tgz": ("training/europarl-v7.de-en.{}", 1.9),
        "training-parallel-commoncrawl.tgz": ("commoncrawl.de-en.{}", 2.4),
        "training-parallel-nc-v9.tgz": ("training/news-commentary-v9.de-en.{}", 0.2),
    },
}
"""Each archive's member and its size as published, in million pairs."""

Pair = tuple[bytes, bytes]

DAMAGE: tuple[Pair, ...] = (
    (b"", b"rien"),
    (b"word " * 81, b"mot " * 70),
    (b"far too short", b"beaucoup trop long " * 9),
    (b"caf\xe9", b"caf\xc3\xa9"),
)
"""One pair for each reason to drop one: empty, too long, ratio, not UTF-8."""


def draw_pairs(num_pairs: int, seed: int = 0) -> Iterator[Pair]:
    """Lines of about 25 words; one pair in ten comes again soon, one in fifty is to be dropped."""
    rng = np.random.default_rng(seed)
    words = ["".join(letters) for letters in rng.choice(list("abdeéilmnorstu"), size=(30_000, 6))]
    recent: list[Pair] = [(b"Good morning.", b"Bonjour.")]
    for start in range(0, num_pairs, 1000):
        block = min(1000, num_pairs - start)
        lengths = rng.integers(10, 41, size=block)
        ranks = (len(words) * rng.random(int(lengths.sum())) ** 3).astype(int)
        fates = rng.random(block)
        end = 0
        for length, fate in zip(lengths.tolist(), fates.tolist(), strict=True):
            end, begin = end + length, end
            line = " ".join([words[rank] for rank in ranks[begin:end]])
            pair = (f"En {line}.".encode(), f"Fr {line[::-1]}.".encode())
            if fate < 0.02:
                pair = DAMAGE[int(fate * 200)]
            elif fate < 0.12:
                pair = recent[int(fate * 1e6) % len(recent)]
            elif len(recent) < 5000:
                recent.append(pair)
            else:
                recent[int(fate * 1e6) % 5000] = pair
            yield pair


def write_training(folder: Path, num_pairs: int, others: Sequence[str] = ("fr",)) -> None:
    """The training archives of English with ``others``, their sizes in the proportions of the published ones."""
    folder.mkdir(parents=True, exist_ok=True)
    totals = {other: sum(share for _, share in TRAINING[other].values()) for other in others}
    for seed, archive in enumerate(TRAINING["fr"]):
        texts = []
        for other in others:
            if archive in TRAINING[other]:
                member, share = TRAINING[other][archive]
                pairs = draw_pairs(max(1, round(num_pairs * share / totals[other])), seed + 100 * len(texts))
                texts.append(((member.format("en"), member.format(other)), pairs))
        if texts:
            write_archive(folder / archive, texts)


def write_archive(archive: Path, texts: Iterable[tuple[tuple[str, str], Iterable[Pair]]]) -> None:
    """A tar archive (compressed if it is a ``.tgz``) with two members for each text, one a side of its pairs."""
    with tarfile.open(archive, "w:gz" if archive.suffix == ".tgz" else "w", **compression(archive)) as contents:
        for names, pairs in texts:
            paths = [archive.with_name(f"{side}.part") for side in range(2)]
            with opened(names[0], paths[0]) as first, opened(names[1], paths[1]) as second:
                for pair in pairs:
                    first.write(pair[0] + b"\n")
                    second.write(pair[1] + b"\n")
            for name, path in zip(names, paths, strict=True):
                contents.add(path, name)
                path.unlink()


def opened(member: str, path: Path) -> gzip.GzipFile | BufferedWriter:
    return gzip.open(path, "wb", 1) if member.endswith(".gz") else path.open("wb")


def compression(archive: Path) -> dict[str, int]:
    return {"compresslevel": 1} if archive.suffix == ".tgz" else {}


def write_news(folder: Path, num_lines: int = 30, others: Sequence[str] = ("fr",)) -> None:
    """``dev.tgz`` and ``test-full.tgz``: each set in both directions, and members that nobody asks for."""
    languages = ("en", *others)
    sets = {
        "dev.tgz": {f"dev/newstest{year}": languages for year in (2012, 2013)},
        "test-full.tgz": {f"test-full/newstest2014-{other}en": ("en", other) for other in others},
    }
    for archive, names in sets.items():
        with tarfile.open(folder / archive, "w:gz") as contents:
            for name, spoken in names.items():
                for role, language in product(("src", "ref"), spoken):
                    path = folder / "set.part"
                    lines = news_lines(name, language, num_lines)
                    path.write_text(sgm(name.rpartition("/")[2], role, language, lines), encoding="utf-8")
                    contents.add(path, f"{name}-{role}.{language}.sgm")
                    path.unlink()


def news_lines(name: str, language: str, num_lines: int) -> list[str]:
    """What a set says; an ampersand and angle brackets are marked up in the archive."""
    return [f"{name[-8:]} {number} in {language} & <so on>" for number in range(1, num_lines + 1)]


def sgm(name: str, role: str, language: str, lines: list[str]) -> str:
    """A set in NIST's markup, two documents of it, as the workshop publishes it."""
    element = {"src": "srcset", "ref": "refset"}[role]
    half = len(lines) // 2
    documents = "".join(
        f'<doc sysid="ref" docid="{name}.{number}" genre="news" origlang="en">\n<p>\n'
        + "".join(f'<seg id="{index}">{escape(line)}</seg>\n' for index, line in enumerate(part, 1))
        + "</p>\n</doc>\n"
        for number, part in enumerate((lines[:half], lines[half:]), 1)
    )
    return f'<{element} setid="{name}" srclang="any" trglang="{language}">\n{documents}</{element}>\n'


def measure(folder: Path) -> None:
    """Prepare a corpus that was made into ``folder`` and print what that took."""
    os.environ["LSTMDROP_CACHE"] = str(folder / "cache")
    from lstmdrop_tasks.mt.corpora.find import find_corpus

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    corpus = find_corpus("wmt14", "en-fr", folder)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    read = int(str(corpus.report["train"]["read"]))
    print(json.dumps(corpus.report, indent=2))
    print(f"{read:,} pairs in {seconds:,.1f} s: {read / seconds:,.0f} pairs a second")
    print(f"peak memory {peak / 1024:,.0f} MiB, {before / 1024:,.0f} MiB of it before it began")


if __name__ == "__main__":
    if sys.argv[1] == "make":
        write_training(Path(sys.argv[2]) / "wmt14", int(sys.argv[3]))
        write_news(Path(sys.argv[2]) / "wmt14")
    else:
        measure(Path(sys.argv[2]))
