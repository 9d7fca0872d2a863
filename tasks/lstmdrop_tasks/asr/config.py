"""The settings of speech recognition."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator
from typing_extensions import Self

from lstmdrop.config import IN_JSON, DataConfig, OnlyWhere, Section, Seed, TaskConfig, TrainingConfig
from lstmdrop.metrics.word_error_rate import Normalisation

Objective = Literal["ctc", "frames"]

LOWEST_HZ = 20.0
"""Where Kaldi's filters begin."""


def _mel(hertz: float) -> float:
    return 1127 * math.log1p(hertz / 700)


WRITTEN = OnlyWhere(lambda config: config.objective == "ctc", "with objective=ctc: frames write no text")
MASKS_TIME = OnlyWhere(lambda config: config.augmentation.time_masks > 0, "with augmentation.time_masks")
MASKS_FREQUENCY = OnlyWhere(lambda config: config.augmentation.frequency_masks > 0, "with augmentation.frequency_masks")
FUSED = OnlyWhere(lambda config: config.decoding.lm is not None, "with a language model (lm)")
COUNTED = OnlyWhere(lambda config: config.decoding.arpa is not None, "with an n-gram model (arpa)")
LISTENING = OnlyWhere(lambda config: config.decoding.hot_words is not None, "with hot_words")
STREAMING = OnlyWhere(lambda options: options.streaming, "with --streaming")
WHOLE = OnlyWhere(lambda options: not options.streaming, "without --streaming")
SUBTITLES = ("srt", "vtt")
IN_CUES = OnlyWhere(lambda options: options.format in SUBTITLES, "with --format srt or vtt")
UNPARTED = OnlyWhere(
    lambda options: options.pause is None and options.format not in SUBTITLES, "without --pause and subtitles"
)
PAUSE = 0.8
"""Seconds without a word: what parts subtitles and live speech where nothing else is said."""


class ASRDataConfig(DataConfig):
    """Which recordings, and what their transcripts are cut into."""

    neutral = frozenset({"allow_commands"})

    tokens: Annotated[Literal["character", "bpe", "unigram"], WRITTEN] = Field(
        default="character", description="what ctc writes"
    )
    vocabulary_size: Annotated[int | None, WRITTEN] = Field(
        default=None, ge=3, description="tokens of ctc; default: all characters"
    )
    normalisation: Annotated[Normalisation, WRITTEN] = Field(
        default="spoken",
        description="of transcripts, in training and in scoring: spoken is lower case without punctuation, none is as "
        "they are written",
    )
    max_seconds: float = Field(default=30.0, gt=0, description="longer training utterances are left out")
    speakers: Literal["apart", "shared"] = Field(
        default="apart",
        description="shared: voices of the training data may be in the other splits, which are dealt out by utterance",
    )
    split_seed: Seed = Field(default=0, description="another number holds out others, where splits are missing")
    parts: tuple[str, ...] = Field(
        default=(),
        description="of a LibriSpeech or Kaldi folder, the parts to use: [train-clean-100, dev-other]; default: all of "
        "training, and the clean ones of dev and test",
    )
    allow_commands: bool = Field(default=False, description="run the commands in a Kaldi folder's wav.scp")


class FeatureConfig(Section):
    """What the network hears of the sound; features that come ready are only given deltas and normalised."""

    kind: Literal["fbank", "mfcc"] = "fbank"
    num_filters: int = Field(default=40, ge=4, description="mel filters")
    num_coefficients: int = Field(default=13, ge=2, description="of mfcc")
    deltas: int = Field(default=0, ge=0, le=2, description="orders of time derivatives added to each frame")
    sample_rate: int = Field(
        default=16000, ge=4000, le=384000, description="in Hz; sound of a higher rate is resampled"
    )
    frame_shift: float = Field(default=10.0, description="milliseconds from frame to frame, 1 to 1000")
    frame_length: float = Field(default=25.0, description="milliseconds that a frame looks at, 1 to 1000")
    normalisation: Literal["global", "speaker", "none"] = Field(
        default="global", description="mean 0 and variance 1, over the training data or over each speaker's"
    )

    @field_validator("frame_shift", "frame_length")
    @classmethod
    def _are_milliseconds(cls, value: float) -> float:
        if not 1 <= value <= 1000:
            hint = f"; {value:g} s are {1000 * value:g}" if 1 <= 1000 * value <= 1000 else ""
            raise ValueError(f"milliseconds between 1 and 1000 are needed, not {value:g}{hint}")
        return value

    @model_validator(mode="after")
    def _filters_fit(self) -> Self:
        fewer = range(min(self.num_filters, self.num_bins), 0, -1)
        most = next((number for number in fewer if self._has_a_bin_for_each_of(number)), 0)
        if most < self.num_filters:
            raise ValueError(
                f"num_filters is {self.num_filters}: frames of {self.frame_length:g} ms at {self.sample_rate} Hz are "
                f"enough for {most}; lower it, or raise frame_length"
            )
        return self

    @property
    def num_bins(self) -> int:
        """Of the Fourier transform, up to half the sample rate."""
        return 1 << max(0, (math.ceil(self.sample_rate * self.frame_length / 1000) - 1).bit_length() - 1)

    def _has_a_bin_for_each_of(self, num_filters: int) -> bool:
        """Whether each filter, a triangle on the mel scale, has one of the Fourier transform's bins under it."""
        low, high = _mel(LOWEST_HZ), _mel(self.sample_rate / 2)
        step = (high - low) / (num_filters + 1)
        places = ((_mel(number * self.sample_rate / 2 / self.num_bins) - low) / step for number in range(self.num_bins))
        reached = {first for place in places for first in (math.ceil(place) - 1, math.ceil(place) - 2)}
        return reached.issuperset(range(num_filters))

    @model_validator(mode="after")
    def _coefficients_fit(self) -> Self:
        if self.kind == "mfcc" and self.num_coefficients > self.num_filters:
            raise ValueError(f"{self.num_coefficients} coefficients cannot be made from {self.num_filters} filters")
        return self


class AugmentationConfig(Section):
    """What is done to the training data, anew in each epoch."""

    speeds: tuple[float, ...] = Field(
        default=(1.0,), min_length=1, description="sound is played at one of these (Ko et al. 2015: 0.9, 1.0, 1.1)"
    )
    time_masks: int = Field(default=0, ge=0, description="spans of time blanked out (Park et al. 2019)")
    time_mask_frames: Annotated[int, MASKS_TIME] = Field(default=40, ge=1, description="their greatest length")
    frequency_masks: int = Field(default=0, ge=0, description="bands blanked out")
    frequency_mask_bins: Annotated[int, MASKS_FREQUENCY] = Field(default=10, ge=1, description="their greatest width")

    @model_validator(mode="after")
    def _speeds_are_speeds(self) -> Self:
        if not all(0.25 <= speed <= 4 for speed in self.speeds):
            raise ValueError(f"speeds lie between 0.25 and 4, not {self.speeds}")
        return self


class ASRModelConfig(Section):
    """The encoder: an LSTM over stacked frames."""

    num_layers: int = Field(default=2, ge=1)
    hidden_size: int = Field(default=256, ge=1, description="units of each direction")
    bidirectional: bool = True
    stack: int = Field(default=1, ge=1, description="frames that a step reads side by side")
    stride: int = Field(default=1, ge=1, description="frames from step to step")
    init_bound: float | None = Field(
        default=None, gt=0, description="every parameter starts in U(-init_bound, init_bound); default: by its width"
    )

    @model_validator(mode="after")
    def _every_frame_is_read(self) -> Self:
        if self.stack < self.stride:
            raise ValueError(f"stack {self.stack} under stride {self.stride} leaves frames unread")
        return self


class ASRTrainingConfig(TrainingConfig):
    """Batches of whole utterances of like length."""

    between_epochs = TrainingConfig.between_epochs | {"batch_frames"}

    optimizer: Literal["sgd", "adamw"] = "adamw"
    rate: float = Field(default=1e-3, gt=0, description="learning rate of the first epochs")
    clip: float = Field(default=1.0, gt=0, description="largest norm of the gradient")
    batch_frames: int = Field(default=8000, ge=1, description="frames of a batch, padding included")


class ASRDecodingConfig(Section):
    """How ctc's outputs become text."""

    neutral = frozenset({"batch_size"})

    beam_size: Annotated[int, WRITTEN] = Field(default=1, ge=1, description="prefixes kept; 1 without an LM is greedy")
    lm: Annotated[Path | None, WRITTEN] = Field(
        default=None, description="a run of the language model task, for shallow fusion"
    )
    lm_weight: Annotated[float, WRITTEN, FUSED] = Field(
        default=0.5, ge=0, description="weight of the LM's log-probability"
    )
    arpa: Annotated[Path | None, WRITTEN] = Field(
        default=None, description="an ARPA file of word n-grams, plain or gzipped, for shallow fusion"
    )
    arpa_weight: Annotated[float, WRITTEN, COUNTED] = Field(
        default=0.5, ge=0, description="weight of its log-probability"
    )
    hot_words: Annotated[str | None, WRITTEN] = Field(
        default=None, description="words to listen for: a file, a line each, or the words with commas between"
    )
    hot_word_weight: Annotated[float, WRITTEN, LISTENING] = Field(
        default=4.0, ge=0, description="added to the log-probability for each hot word"
    )
    length_bonus: Annotated[float, WRITTEN] = Field(default=0.0, description="added for every token")
    batch_size: int = Field(default=16, ge=1, description="utterances scored at a time; changes speed only")


class ASRConfig(TaskConfig):
    """All that determines a speech recognition run."""

    task: str = "asr"
    objective: Objective = "ctc"
    data: ASRDataConfig = ASRDataConfig()
    features: FeatureConfig = FeatureConfig()
    augmentation: AugmentationConfig = AugmentationConfig()
    model: ASRModelConfig = ASRModelConfig()
    training: ASRTrainingConfig = ASRTrainingConfig()
    decoding: ASRDecodingConfig = ASRDecodingConfig()


class ASRPrediction(Section):
    """Transcribe audio files; what is not given is as the run's configuration has it.

    Without files, their paths are read from standard input, a line each; `-` is a sound file on standard input itself,
    with --streaming a recording that still goes on.
    A manifest (.jsonl) or a Kaldi data folder stands for its utterances, with their times and speakers.
    Of several files each line begins with the file's name and a tab.
    """

    format: Literal["text", "json", "srt", "vtt", "ctm"] = Field(
        default="text",
        description="form of the transcripts: srt and vtt are subtitles, ctm is words with times and confidences",
    )
    out: Annotated[Path | None, WHOLE] = Field(
        default=None, description="a folder for a file of that format for each input; what is printed are their names"
    )
    pause: float | None = Field(
        default=None,
        gt=0,
        description="seconds without a word after which another utterance begins; default: 0.8 in subtitles and live, "
        "else never",
    )
    line_length: Annotated[int, IN_CUES] = Field(
        default=42, ge=10, description="characters of a line of subtitles, of which two are shown together"
    )
    by_channel: Annotated[bool, WHOLE] = Field(
        default=False, description="transcribe each channel by itself, in place of all mixed to one"
    )
    beam_size: int | None = Field(
        default=None, ge=1, description="prefixes kept; 1 without an LM is greedy; default with an LM or hot words: 8"
    )
    num_best: Annotated[int, IN_JSON, UNPARTED] = Field(
        default=1, ge=1, description="transcripts a file in the JSON output, best first"
    )
    lm: Path | None = Field(default=None, description="a run of the language model task, for shallow fusion")
    lm_weight: float | None = Field(default=None, ge=0, description="weight of the LM's log-probability")
    arpa: Path | None = Field(default=None, description="an ARPA file of word n-grams, plain or gzipped, as well")
    arpa_weight: float | None = Field(default=None, ge=0, description="weight of its log-probability")
    hot_words: str | None = Field(
        default=None, description="words to listen for: a file, a line each, or the words with commas between"
    )
    hot_word_weight: float | None = Field(
        default=None, ge=0, description="added to the log-probability for each hot word; default: 4"
    )
    length_bonus: float | None = Field(default=None, description="added for every token")
    streaming: bool = Field(
        default=False, description="read each file chunk by chunk, a JSON line a chunk; - is answered as it comes"
    )
    chunk: Annotated[float, STREAMING] = Field(default=0.32, gt=0, description="seconds of a chunk")
    allow_commands: bool = Field(default=False, description="run the commands in a Kaldi folder's wav.scp")
    raw_rate: int | None = Field(
        default=None, ge=1, description="- is raw sound of one channel, 16 bits little-endian, of so many Hz"
    )
