"""The settings of a language model."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator
from typing_extensions import Self

from lstmdrop.config import (
    WITH_DROPOUT,
    DataConfig,
    Megabytes,
    OnlyWhere,
    RegularizerConfig,
    Section,
    Seed,
    TaskConfig,
    Text,
    TrainingConfig,
)

COUNTED = OnlyWhere(lambda config: config.data.tokens in ("word", "character"), "with data.tokens=word or character")
BY_COUNTS = OnlyWhere(lambda config: config.model.softmax == "adaptive", "with model.softmax=adaptive")
BY_SAMPLES = OnlyWhere(lambda config: config.model.softmax == "sampled", "with model.softmax=sampled")
SAMPLING = OnlyWhere(
    lambda options: not options.score and options.states is None and options.next is None,
    "without --score, --next and --states",
)
PROMPTED = OnlyWhere(
    lambda options: not options.score and options.states is None and not options.prompts,
    "without --score, --states and --prompts",
)
GOING_ON = OnlyWhere(
    lambda options: not options.score and options.states is None, "without --score and --states, which take lines"
)
DYNAMIC = OnlyWhere(lambda config: config.scoring.dynamic, "with scoring.dynamic=true")
CACHE = OnlyWhere(lambda config: config.scoring.cache, "with scoring.cache=true")
WITHOUT_SCORE = OnlyWhere(lambda options: not options.score, "without --score")
SCORED = OnlyWhere(lambda options: options.score or options.states is not None, "with --score or --states")
READING = OnlyWhere(
    lambda options: options.score or options.prompts or options.states is not None,
    "with --score, --prompts or --states; a text to continue is given with --prompt",
)


class LMDataConfig(DataConfig):
    """Which text, and how it is cut into tokens."""

    column: str | None = Field(
        default=None, description="of a table or of JSON lines, that with the text; default: text"
    )
    tokens: Literal["word", "character", "bpe", "unigram"] = "word"
    min_count: Annotated[int, COUNTED] = Field(
        default=1, ge=1, description="rarer words of the training text become <unk>"
    )
    vocabulary_size: int | None = Field(default=None, ge=3, description="keep so many of the most frequent tokens")
    vocabulary_mb: Megabytes = None


class LMModelConfig(Section):
    """The paper's network: embedding, LSTM, softmax."""

    num_layers: int = Field(default=2, ge=1)
    hidden_size: int = Field(default=200, ge=1, description="units of a layer, and of the embedding")
    embedding_size: int | None = Field(
        default=None, ge=1, description="numbers of a word, and with tied units of the top layer; default: hidden_size"
    )
    tied: bool = Field(default=False, description="the softmax has the embedding's matrix (Press & Wolf 2017)")
    softmax: Literal["full", "adaptive", "sampled"] = Field(
        default="full",
        description="for large vocabularies: adaptive (rare words by way of groups, from fewer numbers; Grave et al. "
        "2017) or sampled (full, but trained on some words at a time; Jean et al. 2015)",
    )
    softmax_cutoffs: Annotated[tuple[int, ...] | None, BY_COUNTS] = Field(
        default=None,
        min_length=1,
        description="words in the head, and to the end of each group but the last; default: by the vocabulary's size",
    )
    softmax_reduction: Annotated[float, BY_COUNTS] = Field(
        default=4.0,
        ge=1,
        allow_inf_nan=False,
        description="each group reads so many times fewer numbers of the features",
    )
    softmax_samples: Annotated[int | None, BY_SAMPLES] = Field(
        default=None, ge=1, description="words drawn for each batch; default: 8 times the root of the vocabulary's size"
    )
    initialisation: Literal["uniform", "xavier"] = Field(
        default="uniform",
        description="xavier: matrices by their sizes (Glorot & Bengio 2010), embeddings as uniform",
    )
    init_bound: float = Field(default=0.1, gt=0, description="every parameter starts in U(-init_bound, init_bound)")
    forget_bias: float | None = Field(
        default=None, allow_inf_nan=False, description="what the forget gates' bias starts with; default: as the others"
    )

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        if self.softmax == "adaptive" and self.tied:
            raise ValueError(
                "softmax = adaptive has no matrix with a row for each word that could be tied: tied = false, or "
                "softmax = sampled"
            )
        cutoffs = self.softmax_cutoffs or (1,)
        if cutoffs[0] < 1 or any(end <= start for start, end in pairwise(cutoffs)):
            raise ValueError(f"softmax_cutoffs = {list(cutoffs)} do not rise from 1 or more, as [2000, 10000] do")
        return self

    @model_serializer(mode="wrap")
    def _without_a_usual_softmax(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        usual = {name: field.default for name, field in type(self).model_fields.items() if name.startswith("softmax")}
        return {name: value for name, value in dump(self).items() if name not in usual or value != usual[name]}


class LMRegularizerConfig(RegularizerConfig):
    """Rates of their own for some places, and for whole words."""

    input_dropout: Annotated[float | None, WITH_DROPOUT] = Field(
        default=None, ge=0, lt=1, description="p on the input of the first layer; default: dropout"
    )
    output_dropout: Annotated[float | None, WITH_DROPOUT] = Field(
        default=None, ge=0, lt=1, description="p on the output of the top layer; default: dropout"
    )
    embedding_dropout: float = Field(
        default=0.0, ge=0, lt=1, description="p of a word to be left out of a whole window (Gal & Ghahramani 2016)"
    )

    @property
    def rate_at_output(self) -> float:
        """What the rule has there, 0 where there is none."""
        rate = self.dropout if self.output_dropout is None else self.output_dropout
        return 0.0 if self.rule == "none" else rate


class LMTrainingConfig(TrainingConfig):
    """Truncated back-propagation through parallel streams of text."""

    between_epochs = TrainingConfig.between_epochs | {"batch_size", "num_steps", "random_steps", "rotate"}

    batch_size: int = Field(default=20, ge=1, description="parallel streams")
    num_steps: int = Field(default=20, ge=1, description="unrolled steps")
    random_steps: bool = Field(
        default=False, description="windows of about num_steps, or now and then half (Merity et al. 2018, section 5)"
    )
    rotate: bool = Field(
        default=False, description="each stream begins at another place in every epoch (Press 2019, partial shuffling)"
    )
    ar: float = Field(default=0.0, ge=0, description="weight of the squared outputs (Merity et al. 2017, section 4.3)")
    tar: float = Field(default=0.0, ge=0, description="weight of the squared change of outputs from step to step")

    @model_validator(mode="after")
    def _parts_are_equal(self) -> Self:
        if self.batch_size % self.accumulate:
            raise ValueError(f"accumulate = {self.accumulate} does not divide batch_size = {self.batch_size}")
        return self


class LMScoringConfig(Section):
    """What the model may still learn from the text that it is scored on: by default nothing.

    What has no value is as it was published, and what ``--tune-on`` chooses.
    """

    temperature: float | None = Field(
        default=None, gt=0, allow_inf_nan=False, description="the logits are divided by it; default: 1"
    )
    dynamic: bool = Field(default=False, description="go on learning from each few tokens once they are scored")
    dynamic_rate: Annotated[float | None, DYNAMIC] = Field(
        default=None,
        ge=0,
        allow_inf_nan=False,
        description="learning rate; default: 5e-5 at 5 steps, and in proportion",
    )
    dynamic_decay: Annotated[float | None, DYNAMIC] = Field(
        default=None, ge=0, allow_inf_nan=False, description="how strongly the weights are drawn back to what "
        "was trained; default: 2e-3 at 5 steps, and in proportion"
    )  # fmt: skip
    dynamic_epsilon: Annotated[float, DYNAMIC] = Field(
        default=2e-5, gt=0, allow_inf_nan=False, description="added to the size of the gradients"
    )
    dynamic_steps: Annotated[int, DYNAMIC] = Field(default=5, ge=1, description="tokens between two updates")
    cache: bool = Field(default=False, description="remember the last words and what preceded them")
    cache_size: Annotated[int, CACHE] = Field(default=500, ge=1, description="words remembered")
    cache_theta: Annotated[float | None, CACHE] = Field(
        default=None, ge=0, allow_inf_nan=False, description="how much more alike hidden states count; default: 1"
    )
    cache_weight: Annotated[float | None, CACHE] = Field(
        default=None, ge=0, lt=1, description="share of the cache in the probability; default: 0.1"
    )


class LMConfig(TaskConfig):
    """All that determines a language-model run."""

    task: str = "lm"
    data: LMDataConfig = LMDataConfig()
    model: LMModelConfig = LMModelConfig()
    regularizer: LMRegularizerConfig = LMRegularizerConfig()
    training: LMTrainingConfig = LMTrainingConfig()
    scoring: LMScoringConfig = LMScoringConfig()


class LMPrediction(Section):
    """Sample text that follows a prompt, tell what may come next, or score lines of text."""

    prompt: Annotated[Text, PROMPTED] = Field(
        default="", description="text to continue; without it, a new line is begun"
    )
    prompts: Annotated[bool, GOING_ON] = Field(
        default=False, description="each line of INPUT is a text to continue, in place of one prompt"
    )
    next: Annotated[int | None, GOING_ON] = Field(
        default=None, ge=1, description="in place of sampling, the N likeliest next tokens with their probabilities"
    )
    length: Annotated[int, SAMPLING] = Field(default=100, ge=1, description="tokens to sample")
    temperature: Annotated[float, SAMPLING] = Field(
        default=1.0, gt=0, allow_inf_nan=False, description="below 1 is safer, above 1 is bolder"
    )
    top_k: Annotated[int | None, SAMPLING] = Field(
        default=None, ge=1, description="sample from the N likeliest tokens only"
    )
    top_p: Annotated[float | None, SAMPLING] = Field(
        default=None, gt=0, le=1, description="sample from the likeliest tokens that together have probability X"
    )
    ban: Annotated[tuple[str, ...], SAMPLING] = Field(
        default=(), description="a token never to sample; may be repeated"
    )
    num_samples: Annotated[int, SAMPLING] = Field(default=1, ge=1, description="texts to sample")
    seed: Annotated[Seed, SAMPLING] = Field(default=1, description="other seeds give other samples")
    score: bool = Field(default=False, description="in place of sampling, log-probability of each line and token")
    context: Annotated[Text, SCORED] = Field(
        default="", description="text that is read before each line, and not scored"
    )
    states: Annotated[Path | None, WITHOUT_SCORE] = Field(
        default=None,
        description="write the embeddings, and what every layer has after each token of each line, as .npz",
    )
