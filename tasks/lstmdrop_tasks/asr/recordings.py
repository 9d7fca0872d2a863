"""What is to be transcribed: sound files, standard input, the utterances of a manifest or of a Kaldi data folder."""

from __future__ import annotations

import logging
import math
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

import soundfile

from lstmdrop.config import Split
from lstmdrop.errors import DataError, UsageError
from lstmdrop_tasks.asr.audio.features import Features, Normalisation, compute_features, read_features
from lstmdrop_tasks.asr.audio.live import LiveSound, pieces
from lstmdrop_tasks.asr.audio.reading import TOLERANCE, Samples, read_audio, sound_seconds
from lstmdrop_tasks.asr.config import FeatureConfig, Objective
from lstmdrop_tasks.asr.corpora.entries import MANIFESTS
from lstmdrop_tasks.asr.corpora.kaldi import WAV_SCP, read_data_folder
from lstmdrop_tasks.asr.corpora.own import read_manifest
from lstmdrop_tasks.asr.corpora.utterances import SpeechCorpus, Utterance

NUM_NAMED = 20
"""Utterances of a split that are named in the log."""

log = logging.getLogger("lstmdrop.asr")


def usable(corpus: SpeechCorpus, objective: Objective) -> SpeechCorpus:
    """The corpus without what can be neither trained on nor scored; of each split the log says what that is, and why.

    Raises:
        DataError: nothing of a split is left.
    """
    splits: dict[Split, tuple[Utterance, ...]] = {}
    left_out: dict[Split, Mapping[str, str]] = {}
    length = lru_cache(maxsize=None)(sound_seconds)  # of each recording once, as it is now
    for split, utterances in corpus.splits.items():
        reasons = {
            utterance.id: ": ".join(filter(None, (utterance.where, utterance.id, reason)))
            for utterance in utterances
            if (reason := _missing_text(utterance, objective) or misplaced(utterance, length))
        }
        splits[split] = tuple(utterance for utterance in utterances if utterance.id not in reasons)
        left_out[split] = reasons
        _tell(split, list(reasons.values()), len(utterances))
    return replace(corpus, splits=splits, left_out=left_out)


def _missing_text(utterance: Utterance, objective: Objective) -> str:
    return "it has no text" if objective == "ctc" and utterance.text is None else ""


def misplaced(utterance: Utterance, length: Callable[[Path], float | None]) -> str:
    """What is wrong with where in its recording an utterance is said to be; ``length`` gives the seconds of a sound."""
    start, end = utterance.start, utterance.end
    if start is None and end is None:
        return ""
    if utterance.has_features:
        return "it has times, which ready-made features have no use for: cut them out"
    seconds = length(utterance.source)
    begin, finish = start or 0.0, math.inf if end is None else end
    if math.isnan(begin) or math.isnan(finish):
        wrong = "a time is not a number"
    elif begin < 0 or finish < 0:
        wrong = "a time is negative"
    elif finish <= begin:
        wrong = "it ends before it starts" if finish < begin else "it is of no length"
    elif seconds is not None and (begin >= seconds or (end is not None and end > seconds + TOLERANCE)):
        wrong = "it reaches beyond the sound"
    else:
        return ""
    sound = "" if seconds is None else f", which is {seconds:.2f} s long"
    return f"{wrong}: from {begin:g} s to {'the end' if end is None else f'{end:g} s'} of {utterance.source}{sound}"


def _tell(split: Split, reasons: Sequence[str], num_utterances: int) -> None:
    if not reasons:
        return
    if len(reasons) == num_utterances:
        raise DataError(f"none of {num_utterances:,} {split} utterances can be used; the first:\n{reasons[0]}")
    for reason in reasons[:NUM_NAMED]:
        log.warning("left out of %s: %s", split, reason)
    log.warning(
        "%d of %d %s utterances are left out, neither trained on nor scored", len(reasons), num_utterances, split
    )


STANDARD_INPUT = "-"


@dataclass(frozen=True)
class Speaker:
    """All that a manifest or folder has of one speaker."""

    utterances: Sequence[Utterance]
    _statistics: dict[FeatureConfig, Normalisation] = field(default_factory=dict)

    def normalisation(self, config: FeatureConfig) -> Normalisation:
        """The statistics of all utterances that can be read, worked out once."""
        if config not in self._statistics:
            parts = []
            for utterance in self.utterances:
                try:
                    parts.append(Recording(str(utterance.source), utterance, self).features(config)[0])
                except DataError:
                    continue  # it is named when its turn comes
            self._statistics[config] = Normalisation.of(*parts)
        return self._statistics[config]


@dataclass(frozen=True)
class Recording:
    """One thing to transcribe."""

    name: str
    """A path, or ``-``."""
    utterance: Utterance | None = None
    """Where a manifest or a folder lists it."""
    speaker: Speaker | None = None
    """Where one is known."""
    content: BinaryIO | None = None
    """What came on standard input."""
    live: LiveSound | None = None
    """Standard input that still comes."""
    channel: int | None = None
    """Which one alone, counted from 0; all mixed where there is none."""

    @property
    def title(self) -> str:
        """What an error calls it."""
        return "standard input" if self.name == STANDARD_INPUT else self.name

    @property
    def label(self) -> str:
        """What a line of output calls it: its path, or its name in a manifest or folder, and its channel."""
        name = self.name if self.utterance is None else self.utterance.id
        return name if self.channel is None else f"{name}:{self.channel}"

    @property
    def stem(self) -> str:
        """What files made of it are called, without their ending."""
        if self.utterance is not None:
            name = re.sub(r"[/\\]", "_", self.utterance.id)
        else:
            name = "standard-input" if self.name == STANDARD_INPUT else Path(self.name).stem
        return name if self.channel is None else f"{name}.{self.channel}"

    def blocks(self, seconds: float, rate: int) -> Iterator[tuple[Samples, bool]]:
        """Its sound in pieces of so many seconds, each with whether it is the last.

        Raises:
            DataError: as `samples`.
        """
        if self.live is not None:
            return self.live.blocks(seconds, rate)
        return pieces(self.samples(rate), round(seconds * rate))

    @property
    def id(self) -> dict[str, str | int]:
        """Its name in a manifest or folder, if it is of one, and its channel, if it is one of several."""
        name: dict[str, str | int] = {} if self.utterance is None else {"id": self.utterance.id}
        return name if self.channel is None else {**name, "channel": self.channel}

    def samples(self, rate: int) -> Samples:
        """Its sound.

        Raises:
            DataError: it cannot be read, or its times lie outside the recording.
        """
        if self.content is not None:
            self.content.seek(0)
            return read_audio(self.content, rate, channel=self.channel)
        if self.utterance is None:
            return read_audio(Path(self.name), rate, channel=self.channel)
        if reason := misplaced(self.utterance, sound_seconds):
            raise DataError(f"{self.utterance.where}: {self.utterance.id}: {reason}")
        one = self.utterance
        channel = one.channel if self.channel is None else self.channel
        return read_audio(one.source, rate, start=one.start, end=one.end, channel=channel)

    def features(self, config: FeatureConfig) -> tuple[Features, float]:
        """Its frames, not normalised, and its length in seconds.

        Raises:
            DataError: as `samples`, or it is shorter than one frame.
        """
        if self.content is None and Path(self.name).suffix.lower() == ".npy":
            features = read_features(Path(self.name), config)
            return features, len(features) * config.frame_shift / 1000
        samples = self.samples(config.sample_rate)
        features = compute_features(samples, config)
        if len(features) == 0:
            raise DataError(f"{self.title}: shorter than one frame")
        return features, len(samples) / config.sample_rate

    def normalisation(self, features: Features, config: FeatureConfig, of_run: Normalisation) -> Normalisation:
        """What its features are normalised by: the run's statistics, its speaker's, or, of an unknown one, its own."""
        if config.normalisation != "speaker":
            return of_run
        return Normalisation.of(features) if self.speaker is None else self.speaker.normalisation(config)


def recordings(
    inputs: Iterable[str],
    *,
    by_speaker: bool,
    by_channel: bool = False,
    live: bool = False,
    raw_rate: int | None = None,
    allow_commands: bool = False,
) -> Iterator[Recording]:
    """Each file, each utterance of each manifest or folder; blank lines are passed over.

    With ``by_speaker``, the log says once where speakers are not known. With ``live``, standard input is left to be
    read as it comes; of ``raw_rate`` Hz it is raw samples. With ``allow_commands`` a folder's commands are run.
    """
    has_warned = not by_speaker
    for name in filter(str.strip, inputs):
        found = [_standard_input(live, raw_rate)] if name == STANDARD_INPUT else _recordings_of(name, allow_commands)
        for recording in found:
            if recording.speaker is None and not has_warned:
                log.warning(
                    "%s: this run normalises by speaker, and whose voice this is is not known: it is normalised by "
                    "itself, and the run's score does not hold for it. Give a manifest (.jsonl) with each 'speaker', "
                    "or a Kaldi folder with utt2spk",
                    recording.title,
                )
                has_warned = True
            yield from _channels(recording) if by_channel else [recording]


def _standard_input(live: bool, raw_rate: int | None) -> Recording:
    if sys.stdin is None:
        raise UsageError("-: standard input is closed")
    sound = LiveSound(sys.stdin.buffer, raw_rate)
    return Recording(STANDARD_INPUT, live=sound) if live else Recording(STANDARD_INPUT, content=sound.whole())


def _channels(recording: Recording) -> Iterator[Recording]:
    """One for each, where there are several and none was chosen; what cannot be read is left as it is."""
    one, number = recording.utterance, 1
    source = recording.content or (str(one.source) if one else recording.name)
    if one is None or one.channel is None:
        with suppress(soundfile.SoundFileError, RuntimeError, ValueError, OSError, TypeError):
            number = soundfile.info(source).channels
    yield from [recording] if number == 1 else (replace(recording, channel=channel) for channel in range(number))


def _recordings_of(name: str, allow_commands: bool) -> Iterator[Recording]:
    path = Path(name)
    if path.suffix.lower() in MANIFESTS:
        yield from _of_corpus(read_manifest(path))
    elif (path / WAV_SCP).is_file():
        yield from _of_corpus(read_data_folder(path, path.parent, allow_commands=allow_commands))
    else:
        yield Recording(name)


def _of_corpus(utterances: Sequence[Utterance]) -> Iterator[Recording]:
    voices: dict[str, list[Utterance]] = {}
    for utterance in utterances:
        if utterance.speaker is not None:
            voices.setdefault(utterance.speaker, []).append(utterance)
    speakers = {name: Speaker(own) for name, own in voices.items()}
    for utterance in utterances:
        speaker = None if utterance.speaker is None else speakers[utterance.speaker]
        yield Recording(str(utterance.source), utterance, speaker)
