"""The settings of machine translation."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PositiveInt, field_validator, model_validator
from typing_extensions import Self

from lstmdrop.config import (
    DRAWING,
    GIVEN,
    IN_JSON,
    SEARCHING,
    WITH_BEAM,
    WRITING,
    DataConfig,
    Megabytes,
    OnlyWhere,
    Section,
    Seed,
    TaskConfig,
    Text,
    TrainingConfig,
)
from lstmdrop.metrics.bleu_tokenizer import TokenizerName
from lstmdrop_tasks.mt.corpora.table import TableLayout

ONE_PREFIX = OnlyWhere(lambda options: options.prefixes is None, "without --prefixes")


class MTDataConfig(DataConfig):
    """Which pairs of sentences, and how they are cut into tokens."""

    pair: str | None = Field(default=None, description="languages, such as en-fr; default: the dataset's own")
    columns: tuple[PositiveInt, PositiveInt] | tuple[str, str] | None = Field(
        default=None,
        description="of a table or of JSON lines, source first, such as 2,4 or de,en; default: those that are named "
        "as the languages are, or the first two",
    )
    header: bool = Field(default=False, description="the first row of a table names its columns")
    quoted: bool = Field(default=False, description="cells may stand in double quotes, as in any .csv")
    tokens: Literal["bpe", "unigram", "word", "character"] = "bpe"
    joint: bool = Field(default=True, description="one set of tokens for both languages")
    vocabulary_size: int | None = Field(default=None, ge=3, description="tokens of the joint set, or of the source")
    target_vocabulary_size: int | None = Field(default=None, ge=3, description="of the target; default: as the source")
    vocabulary_mb: Megabytes = None
    max_length: int = Field(default=100, ge=1, description="training pairs with a side of more tokens are left out")

    @field_validator("columns", mode="before")
    @classmethod
    def _columns_are_two(cls, given: object) -> object:
        columns = re.split(r"\s*,\s*", given.strip()) if isinstance(given, str) else given
        if isinstance(columns, list | tuple):
            columns = [int(one) if isinstance(one, str) and one.isdecimal() else one for one in columns]
            if len({*columns}) != len(columns) or len(columns) != 2 or len({*map(type, columns)}) > 1:
                raise ValueError("two different columns, source first, such as 2,4 or de,en")
        elif columns is not None:
            raise ValueError("two different columns, source first, such as 2,4 or de,en")
        return columns

    @property
    def layout(self) -> TableLayout:
        """Which cells of a table are the pairs."""
        return TableLayout(self.columns, self.header, self.quoted)

    @model_validator(mode="after")
    def _joint_has_one_size(self) -> Self:
        if self.joint and self.target_vocabulary_size is not None:
            raise ValueError("joint tokens have one size: set joint to false, or vocabulary_size alone")
        return self


class MTModelConfig(Section):
    """Which network translates."""

    architecture: Literal["attention", "sequence", "stream"] = Field(
        default="attention",
        description="attention: Luong et al. 2015; sequence: Sutskever et al. 2014, two LSTMs; "
        "stream: Zaremba et al. 2014, one LSTM over source and target",
    )
    num_layers: int = Field(default=1, ge=1)
    hidden_size: int = Field(default=256, ge=2, multiple_of=2)
    embedding_size: int = Field(default=256, ge=1)
    tied: bool = Field(
        default=False, description="one matrix for the target embedding and the softmax (Press & Wolf 2017)"
    )
    reverse_source: bool = Field(default=False, description="read the source backwards (Sutskever et al. 2014)")
    init_bound: float | None = Field(
        default=None, gt=0, description="every parameter starts in U(-init_bound, init_bound); default: by its width"
    )

    @model_validator(mode="after")
    def _tied_has_one_size(self) -> Self:
        if self.tied and self.embedding_size != self.hidden_size:
            raise ValueError("tied weights need one size: set embedding_size to hidden_size")
        return self

    @model_validator(mode="after")
    def _stream_has_one_size(self) -> Self:
        if self.architecture == "stream" and self.embedding_size != self.hidden_size:
            raise ValueError("a stream has one LSTM for both languages: set embedding_size to hidden_size")
        return self


class MTTrainingConfig(TrainingConfig):
    """Batches of whole sentences, gradients of the mean over target tokens."""

    between_epochs = TrainingConfig.between_epochs | {"batch_tokens"}

    optimizer: Literal["sgd", "adamw"] = "adamw"
    rate: float = Field(default=1e-3, gt=0, description="learning rate of the first epochs")
    clip: float = Field(default=1.0, gt=0, description="largest norm of the gradient")
    batch_tokens: int = Field(default=4096, ge=1, description="tokens of a batch on its longer side, padding included")
    label_smoothing: float = Field(default=0.1, ge=0, lt=1)


class MTDecodingConfig(Section):
    """How translations are searched for."""

    neutral = frozenset({"batch_size"})

    beam_size: int = Field(default=5, ge=1)
    length_penalty: Annotated[float, WITH_BEAM] = Field(
        default=1.0, ge=0, allow_inf_nan=False, description="log-probabilities are divided by length ** this"
    )
    coverage_penalty: Annotated[float, WITH_BEAM] = Field(
        default=0.0, ge=0, allow_inf_nan=False, description="weight of Wu et al. 2016, equation 14"
    )
    max_length_ratio: float | None = Field(
        default=None, ge=0, allow_inf_nan=False, description="a translation is cut after so many times the source's "
        "tokens and ten more; default: as the training pairs need, at least 2"
    )  # fmt: skip
    batch_size: int = Field(default=128, ge=1, description="sentences searched at a time; changes speed only")


class MTScoringConfig(Section):
    """How translations are scored."""

    tokenize: TokenizerName | Literal["auto"] = Field(
        default="auto",
        description="sacreBLEU's tokeniser; auto follows the target language: zh, ja-mecab, ko-mecab, char for those "
        "without blanks, else 13a",
    )
    lowercase: bool = Field(default=False, description="BLEU and chrF whatever the case")


class MTConfig(TaskConfig):
    """All that determines a translation run."""

    task: str = "mt"
    data: MTDataConfig = MTDataConfig()
    model: MTModelConfig = MTModelConfig()
    training: MTTrainingConfig = MTTrainingConfig()
    decoding: MTDecodingConfig = MTDecodingConfig()
    scoring: MTScoringConfig = MTScoringConfig()

    @model_validator(mode="after")
    def _coverage_has_attention(self) -> Self:
        if self.decoding.coverage_penalty and self.model.architecture != "attention":
            raise ValueError(
                f"decoding.coverage_penalty needs model.architecture=attention, not {self.model.architecture}"
            )
        return self


class MTPrediction(Section):
    """Translate lines, or score translations; what is not given is as the run's configuration has it."""

    beam_size: Annotated[int | None, SEARCHING, WRITING] = Field(
        default=None, ge=1, description="hypotheses kept; 1 is greedy"
    )
    length_penalty: Annotated[float | None, SEARCHING] = Field(
        default=None, ge=0, allow_inf_nan=False, description="above 1 favours longer translations"
    )
    coverage_penalty: Annotated[float | None, SEARCHING] = Field(
        default=None, ge=0, allow_inf_nan=False, description="above 0 favours looking at every word"
    )
    max_length_ratio: Annotated[float | None, WRITING] = Field(
        default=None, ge=0, allow_inf_nan=False, description="a translation is cut after so many times the source's "
        "tokens and ten more"
    )  # fmt: skip
    num_best: Annotated[int, IN_JSON, WRITING] = Field(
        default=1, ge=1, description="translations a line, best first, for --json"
    )
    batch_size: int = Field(default=32, ge=1, description="lines translated at a time; changes speed only")
    sample: Annotated[bool, WRITING] = Field(
        default=False, description="draw translations in place of searching for the best"
    )
    temperature: Annotated[float, DRAWING] = Field(
        default=1.0,
        gt=0,
        allow_inf_nan=False,
        description="of drawing: below 1 is safer, above 1 is bolder",
    )
    top_k: Annotated[int | None, DRAWING] = Field(
        default=None, ge=1, description="draw from the N likeliest tokens only"
    )
    top_p: Annotated[float | None, DRAWING] = Field(
        default=None, gt=0, le=1, description="draw from the likeliest tokens that together have probability X"
    )
    seed: Annotated[Seed, DRAWING] = Field(default=1, description="other seeds draw other translations")
    attention: Annotated[Path | None, WRITING] = Field(
        default=None, description="an SVG file for a picture of where each word of one translation looked"
    )
    prefix: Annotated[Text, WRITING, ONE_PREFIX] = Field(default="", description="what each translation begins with")
    prefixes: Annotated[Path | None, WRITING] = Field(
        default=None, description="a file of what the translations begin with, a line for each line of input"
    )
    score: bool = Field(
        default=False, description="in place of translating, log-probability of given translations and their tokens: "
        "a line is a source, a tab and its translation"
    )  # fmt: skip
    against: Annotated[Path | None, GIVEN] = Field(
        default=None, description="a file of the translations, one a line of input, or a list of the n best: "
        "0 ||| a translation ||| ..."
    )  # fmt: skip

    @field_validator("attention")
    @classmethod
    def _picture_is_svg(cls, path: Path | None) -> Path | None:
        if path is not None and path.suffix.lower() != ".svg":
            raise ValueError(f"the picture is an SVG: name it {path.with_suffix('.svg').name}")
        return path
