"""Images with their captions, and a corpus of them in its three splits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from lstmdrop.config import SPLITS, Split
from lstmdrop.data.spelling import LOOKED_AT, first_oddity, on_disk
from lstmdrop.errors import DataError
from lstmdrop.metrics.ptb_tokenizer import python_tokenize
from lstmdrop.parsing import to_json


@dataclass(frozen=True, slots=True)
class CaptionedImage:
    """An image and what people wrote about it."""

    id: str
    source: Path
    """An image file, or its features as an ``.npy`` or ``.npz`` file."""
    captions: tuple[str, ...]
    """One at least; each has a word."""


@dataclass(frozen=True, slots=True)
class CaptionCorpus:
    """Captioned images in three splits that share none."""

    name: str
    splits: Mapping[Split, tuple[CaptionedImage, ...]]
    split: str
    """How the images came to their splits."""
    dropped: str
    """What was left out; empty if nothing was."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What of some data is asked for, and how images are dealt out that nobody has split."""

    scored: Sequence[Split] = ()
    """Splits that are there to be scored: no other need be."""
    seed: int = 0


EVERYTHING = Selection()

LONGEST_SHOWN = 80
"""Characters of a value that is none."""
FEWEST = 2
"""Images that valid and test need: CIDEr weighs words by the images they are rare in, and scores no single one."""


def text_of(value: object, where: str) -> str:
    """A caption out of JSON: a text, or a number as it is written.

    Raises:
        DataError: it is anything else; the message begins with ``where``.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        shown = to_json(value, ensure_ascii=False)
        raise DataError(f"{where}: a caption is {shown[:LONGEST_SHOWN]}, where a text or its tokens are meant")
    return str(value)


@dataclass(frozen=True, slots=True)
class Captions:
    """The captions of each image, by its name, and how many there were that say nothing."""

    by_image: Mapping[str, Sequence[str]]
    num_blank: int = 0


@dataclass(slots=True)
class CaptionCollector:
    """Takes captions one by one; each becomes one line, and those without a word are counted as blank."""

    by_image: dict[str, list[str]] = field(default_factory=dict)
    num_blank: int = 0

    def add(self, image: str, caption: str) -> None:
        """One caption of an image."""
        own = self.by_image.setdefault(image, [])
        line = " ".join(caption.split())
        if _has_words(line):
            own.append(line)
        else:
            self.num_blank += 1

    def collected(self) -> Captions:
        """All that came."""
        return Captions(self.by_image, self.num_blank)


def _has_words(line: str) -> bool:
    """Whether anything is left of a caption once it is cut into tokens: of marks alone, nothing is."""
    begins_with_one = line[:1].isascii() and line[:1].isalpha()  # as nearly all do: the tokeniser is slow
    return begins_with_one or bool(python_tokenize(line))


def make_corpus(
    name: str,
    how: str,
    names: Mapping[Split, Iterable[str]],
    captions: Captions,
    sources: Mapping[str, Path],
    elsewhere: Mapping[str, int] | None = None,
    scored: Sequence[Split] = (),
) -> CaptionCorpus:
    """The corpus of these splits: of each image the name, its captions and its file.

    ``how`` says how it was split, ``elsewhere`` what the reader of the data has left out, counted. Where splits are
    only to be ``scored``, there are no others.

    Raises:
        DataError: an image is in two splits, or a split has too few images.
    """
    chosen: dict[Split, tuple[str, ...]] = {
        split: tuple(dict.fromkeys(names.get(split, ()))) for split in scored or SPLITS
    }
    _require_apart(name, chosen)
    splits: dict[Split, tuple[CaptionedImage, ...]] = {}
    without = 0
    for split, images in chosen.items():
        found = [(image, tuple(captions.by_image.get(image, ()))) for image in images]
        splits[split] = tuple(CaptionedImage(image, on_disk(sources[image]), own) for image, own in found if own)
        without += len(found) - len(splits[split])
    _require_enough(name, splits, [split for split in names if names[split]] if scored else ())
    left_out = {**(elsewhere or {}), "blank captions": captions.num_blank, "images without captions": without}
    return CaptionCorpus(name, splits, how, ", ".join(f"{count:,} {what}" for what, count in left_out.items() if count))


def oddities(corpus: CaptionCorpus, known: Collection[str] | None = None) -> list[str]:
    """What to say, if anything, of letters that captions write in other code points than others do.

    With ``known`` letters of a vocabulary: in others than the training text had. It looks at the beginning of a split.
    """
    lines = (
        (caption.lower(), f"{corpus.name}, {image.id}")
        for images in corpus.splits.values()
        for image, caption in islice(((image, caption) for image in images for caption in image.captions), LOOKED_AT)
    )
    return first_oddity(lines, known)


def _require_apart(name: str, splits: Mapping[Split, Sequence[str]]) -> None:
    counts = Counter(image for images in splits.values() for image in images)
    shared = [image for image, count in counts.items() if count > 1]
    if shared:
        where = " and ".join(split for split, images in splits.items() if shared[0] in images)
        raise DataError(f"{name}: {len(shared):,} images are in two splits, such as {shared[0]!r} in {where}")


def _require_enough(name: str, splits: Mapping[Split, Sequence[CaptionedImage]], held: Sequence[Split]) -> None:
    for split, images in splits.items():
        if split == "train" and len(splits) == len(SPLITS):
            if not images:
                raise DataError(f"{name}: there is no training image with a caption")
        elif len(images) < FEWEST:
            others = f"; it holds {', '.join(held)}" if held else ""
            raise DataError(
                f"{name}: {split} has {len(images)} images with captions, and CIDEr needs {FEWEST} at least{others}"
            )
