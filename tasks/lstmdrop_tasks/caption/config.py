"""The settings of image captioning."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator
from typing_extensions import Self

from lstmdrop.config import (
    DRAWING,
    IN_JSON,
    SEARCHING,
    WITH_BEAM,
    WRITING,
    DataConfig,
    OnlyWhere,
    Section,
    Seed,
    TaskConfig,
    Text,
    TrainingConfig,
)
from lstmdrop.metrics.bleu_tokenizer import CaptionCut

Objective = Literal["captions", "self-critical"]

COUNTED = OnlyWhere(
    lambda config: config.data.tokens in ("word", "character"), "with data.tokens=word or data.tokens=character"
)
FIRST_STAGE = OnlyWhere(lambda config: config.start_from is None, "without start_from, whose run's is taken")
LIKELIHOOD = OnlyWhere(lambda config: config.objective == "captions", "with objective=captions")
SEEN = OnlyWhere(lambda config: config.images.encoder != "features", "with another images.encoder than features")


class CaptionDataConfig(DataConfig):
    """Which images, and what their captions are cut into."""

    tokens: Annotated[Literal["word", "bpe", "unigram", "character"], FIRST_STAGE] = "word"
    min_count: Annotated[int, COUNTED, FIRST_STAGE] = Field(
        default=1, ge=1, description="rarer words of the training captions become <unk>"
    )
    vocabulary_size: Annotated[int | None, FIRST_STAGE] = Field(
        default=None, ge=3, description="tokens; default: all that are left"
    )
    max_length: int = Field(default=30, ge=1, description="tokens after which a training caption is cut")
    split_seed: Seed = Field(
        default=0, description="another number holds out others, where nobody has split the images"
    )


class ImageConfig(Section):
    """What the network sees of an image."""

    neutral = frozenset({"batch_size"})

    encoder: str = Field(
        default="efficientnet-lite0",
        description="a frozen network: efficientnet-lite0, or timm:NAME; features: files of one's own, .npy or .npz",
    )
    size: Annotated[int, SEEN] = Field(default=224, ge=32, description="pixels of a side")
    batch_size: int = Field(default=32, ge=1, description="images encoded at a time; changes speed only")


class CaptionModelConfig(Section):
    """Which network writes."""

    architecture: Literal["show-tell", "attend"] = Field(
        default="show-tell",
        description="show-tell: Vinyals et al. 2015, the image is the first input; "
        "attend: soft attention over the places of the image, with a gate",
    )
    num_layers: int = Field(default=1, ge=1)
    hidden_size: int = Field(default=256, ge=1)
    tied: bool = Field(default=False, description="one matrix for the embedding and the softmax (Press & Wolf 2017)")
    init_bound: Annotated[float | None, FIRST_STAGE] = Field(
        default=None, gt=0, description="every parameter starts in U(-init_bound, init_bound); default: by its width"
    )


class CaptionTrainingConfig(TrainingConfig):
    """Batches of captions of like length, gradients of the mean over tokens."""

    between_epochs = TrainingConfig.between_epochs | {"batch_tokens"}

    optimizer: Literal["sgd", "adamw"] = "adamw"
    rate: float = Field(default=1e-3, gt=0, description="learning rate of the first epochs")
    clip: float = Field(default=1.0, gt=0, description="largest norm of the gradient")
    batch_tokens: int = Field(default=1024, ge=1, description="tokens of a batch, padding included")
    label_smoothing: Annotated[float, LIKELIHOOD] = Field(default=0.0, ge=0, lt=1)


class CaptionDecodingConfig(Section):
    """How captions are searched for."""

    neutral = frozenset({"batch_size"})

    beam_size: int = Field(default=5, ge=1)
    length_penalty: Annotated[float, WITH_BEAM] = Field(
        default=0.7, ge=0, description="log-probabilities are divided by length ** this"
    )
    max_length: int = Field(default=30, ge=1, description="tokens after which a caption is cut")
    batch_size: int = Field(default=64, ge=1, description="images searched at a time; changes speed only")


class ScoringConfig(Section):
    """What scores count, and scores beyond CIDEr-D, BLEU and ROUGE-L."""

    tokenize: Literal["auto", "ptb", "char"] = Field(
        default="auto",
        description="what a word is: ptb, the Penn Treebank's; char, a character of a language that puts no blanks "
        "between words; auto tells by the script of the published captions",
    )
    meteor: bool = Field(default=False, description="needs Java")
    spice: bool = Field(default=False, description="needs Java and the Stanford models of pycocoevalcap")

    @property
    def cut(self) -> CaptionCut | None:
        """What was chosen; None where the captions say it."""
        return None if self.tokenize == "auto" else self.tokenize


class CaptionConfig(TaskConfig):
    """All that determines a captioning run."""

    task: str = "caption"
    objective: Objective = Field(
        default="captions",
        description="captions: the likelihood of the published ones; self-critical: the CIDEr-D of drawn ones, "
        "against that of the likeliest (Rennie et al. 2017), a second stage after start_from",
    )
    start_from: Path | None = Field(default=None, description="a run whose best weights training starts from")
    data: CaptionDataConfig = CaptionDataConfig()
    images: ImageConfig = ImageConfig()
    model: CaptionModelConfig = CaptionModelConfig()
    training: CaptionTrainingConfig = CaptionTrainingConfig()
    decoding: CaptionDecodingConfig = CaptionDecodingConfig()
    scoring: ScoringConfig = ScoringConfig()

    @model_validator(mode="after")
    def _second_stage_has_a_first(self) -> Self:
        if self.start is not None and self.start_from is not None:
            raise ValueError(f"start_from = {self.start_from}: --from {self.start.run} names a run already")
        if self.objective == "self-critical" and self.start_from is None and self.start is None:
            raise ValueError("self-critical training goes on from a trained run: --from RUN, or set start_from=RUN")
        return self


class CaptionPrediction(Section):
    """Caption image files, or all images below a folder, or score captions.

    What is not given is as the run's configuration has it.
    """

    beam_size: Annotated[int | None, SEARCHING, WRITING] = Field(
        default=None, ge=1, description="hypotheses kept; 1 is greedy"
    )
    length_penalty: Annotated[float | None, SEARCHING] = Field(
        default=None, ge=0, description="above 1 favours longer captions"
    )
    max_length: Annotated[int | None, WRITING] = Field(
        default=None, ge=1, description="tokens after which a caption is cut"
    )
    num_best: Annotated[int, IN_JSON, WRITING] = Field(
        default=1, ge=1, description="captions an image in the JSON output, best first"
    )
    batch_size: int = Field(default=32, ge=1, description="images captioned at a time; changes speed only")
    sample: Annotated[bool, WRITING] = Field(
        default=False, description="draw captions in place of searching for the best"
    )
    temperature: Annotated[float, DRAWING] = Field(
        default=1.0, gt=0, allow_inf_nan=False, description="of drawing: below 1 is safer, above 1 is bolder"
    )
    top_k: Annotated[int | None, DRAWING] = Field(
        default=None, ge=1, description="draw from the N likeliest tokens only"
    )
    top_p: Annotated[float | None, DRAWING] = Field(
        default=None, gt=0, le=1, description="draw from the likeliest tokens that together have probability X"
    )
    seed: Annotated[Seed, DRAWING] = Field(default=1, description="other seeds draw other captions")
    attention: Annotated[Path | None, WRITING] = Field(
        default=None, description="a PNG file for a picture of where each word of one caption looked"
    )
    prefix: Annotated[Text, WRITING] = Field(default="", description="what each caption begins with")
    score: bool = Field(
        default=False, description="in place of captioning, log-probability of given captions and their tokens: INPUT "
        "is a text of lines, each an image file, a tab and its caption"
    )  # fmt: skip
