"""LibriSpeech: ``PART/SPEAKER/CHAPTER/`` with ``SPEAKER-CHAPTER.trans.txt`` and a FLAC file an utterance."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lstmdrop.data.text import read_lines
from lstmdrop.errors import DataError
from lstmdrop.task import Split
from lstmdrop_tasks.asr.corpora.own_splits import tell_missing, with_held_out
from lstmdrop_tasks.asr.corpora.utterance import SpeechCorpus, Utterance

TRAIN = ("train-clean-5", "train-clean-100", "train-clean-360", "train-other-500")
VALID = ("dev-clean", "dev-clean-2")
TEST = ("test-clean",)
LIBRISPEECH_SOUNDS = (".flac", ".wav", ".ogg", ".opus", ".mp3")


def librispeech(folder: Path, scored: Sequence[Split] = ()) -> SpeechCorpus:
    """All training parts that are there, ``dev-clean`` and ``test-clean``; below ``LibriSpeech/`` if so unpacked.

    Raises:
        DataError: there is no training part, or a transcript has no sound file.
    """
    root = folder / "LibriSpeech" if (folder / "LibriSpeech").is_dir() else folder
    parts: dict[Split, tuple[str, ...]] = {"train": TRAIN, "valid": VALID, "test": TEST}
    found = {}
    for split, names in parts.items():
        utterances = tuple(u for name in names if (root / name).is_dir() for u in _part(root / name))
        if utterances:
            found[split] = utterances
    if "train" not in found and not scored:
        raise DataError(f"{root}: no training part is here, such as train-clean-100")
    return with_held_out(folder.name, found, scored)


def _part(folder: Path) -> list[Utterance]:
    return [u for transcripts in sorted(folder.glob("*/*/*.trans.txt")) for u in _chapter(transcripts)]


def _chapter(transcripts: Path) -> list[Utterance]:
    found = []
    for number, line in enumerate(read_lines(transcripts), 1):
        if not line.strip():
            continue
        name, _, text = line.partition(" ")
        sounds = [path for suffix in LIBRISPEECH_SOUNDS if (path := transcripts.parent / f"{name}{suffix}").is_file()]
        if not sounds:
            raise DataError(f"{transcripts}:{number}: there is no {name}.flac beside it")
        where = f"{transcripts}:{number}"
        found.append(Utterance(name, sounds[0], text or None, speaker=name.partition("-")[0], where=where))
    known = {utterance.id for utterance in found}
    here = sorted(path.stem for path in transcripts.parent.iterdir() if path.suffix in LIBRISPEECH_SOUNDS)
    tell_missing(f"{transcripts}: no line is about", [name for name in here if name not in known])
    return found
