"""Speech recognition: recordings, an acoustic model and its scores."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lstmdrop.config import SPLITS, Split
from lstmdrop.data.batching import WHOLE, Share
from lstmdrop.data.tokenizer import load_tokenizer, train_tokenizer
from lstmdrop.errors import DataError, UsageError
from lstmdrop.metrics.score import Score
from lstmdrop.metrics.word_error_rate import normalise_transcript
from lstmdrop.nn.rules import make_regularizer
from lstmdrop.task import Labels, Loss
from lstmdrop_tasks.asr.audio.features import Normalisation
from lstmdrop_tasks.asr.config import ASRConfig
from lstmdrop_tasks.asr.corpora.find import find_corpus
from lstmdrop_tasks.asr.corpora.utterances import SpeechCorpus, oddities
from lstmdrop_tasks.asr.model import AcousticModel
from lstmdrop_tasks.asr.objectives.frames import FrameObjective, load_phones, save_phones
from lstmdrop_tasks.asr.objectives.objective import Objective, SpeechBatch
from lstmdrop_tasks.asr.objectives.transcripts import TranscriptObjective, mean_of_models
from lstmdrop_tasks.asr.speech import Numbers, Speech, listed, save_left_out

log = logging.getLogger("lstmdrop.asr")

STATISTICS, TRANSCRIPTS, TOKENS = "normalisation.json", "transcripts.txt", "tokens"


class SpeechRecognition:
    """An acoustic model, its recordings and its scores."""

    def __init__(
        self,
        config: ASRConfig,
        model: AcousticModel,
        objective: Objective,
        normalisation: Normalisation,
        speech: Speech,
        device: torch.device,
    ) -> None:
        self.config = config
        self.model = model
        self.targets = objective
        self.normalisation = normalisation
        self.speech = speech
        self.device = device
        self.unit = objective.unit

    @property
    def tally(self) -> int:
        """Training losses that had to be left out so far, which the scores tell."""
        return self.targets.num_infinite

    @tally.setter
    def tally(self, value: int) -> None:
        self.targets.num_infinite = value

    @property
    def scored_splits(self) -> tuple[Split, ...]:
        """What a finished run is scored on: the training data too, as in the paper's Table 2."""
        return ("train", "valid", "test")

    def batches(self, split: Split, *, epoch: int = 0) -> Iterator[SpeechBatch]:
        """Utterances of like length together; those of training augmented anew in each epoch."""
        if split == "train":
            return (batch for batch in self.shared_batches(WHOLE, epoch=epoch) if batch is not None)
        return self.plain_batches(split)

    most_workers = None

    def shared_batches(self, share: Share, *, epoch: int = 0) -> Iterator[SpeechBatch | None]:
        """Of each training batch a worker's share of its utterances."""
        return self.speech.training_batches(self.targets, self.normalisation, epoch, self.device, share)

    def plain_batches(self, split: Split) -> Iterator[SpeechBatch]:
        """The utterances as they are, the training ones too."""
        return (self.plain_batch(split, numbers) for numbers in self.speech.scoring_plan(split, self.targets))

    def plain_batch(self, split: Split, numbers: Numbers) -> SpeechBatch:
        """These utterances as they are."""
        return self.speech.plain_batch(split, numbers, self.targets, self.normalisation, self.device)

    def num_batches(self, split: Split) -> int:
        """Batches of one pass, the same in every epoch."""
        if split == "train":
            return len(self.speech.training_plan(self.targets, np.random.default_rng(self.config.seed)))
        return len(self.speech.scoring_plan(split, self.targets))

    @property
    def labels(self) -> dict[str, Labels]:
        """Phones or tokens."""
        return {"targets": self.targets.labels}

    def objective(self) -> Callable[[SpeechBatch], Loss]:
        """The loss of a batch."""

        def loss(batch: SpeechBatch) -> Loss:
            return self.targets.loss(self.model(batch.features, batch.lengths), batch)

        return loss

    def evaluate(self, split: Split, *, outputs: Path | None = None) -> Sequence[Score]:
        """Frame accuracy, or WER, CER and the loss."""
        return evaluate([self], split, outputs)

    def summary(self) -> dict[str, str]:
        """Sizes of the splits, what is predicted, what was left out."""
        rows = self.targets.summary()
        if self.speech.corpus.held_out:
            rows["held out"] = self.speech.corpus.held_out
        left_out: dict[str, str] = {}
        for split in SPLITS:
            store, utterances = self.speech.store(split), self.speech.utterances(split)
            speakers = {utterance.speaker for utterance in utterances} - {None}
            voices = f", {len(speakers)} speakers" if speakers else ""
            rows[split] = f"{len(utterances):,} utterances, {store.seconds / 3600:.2f} h{voices}"
            left_out |= self.speech.left_out(split, self.targets)
        return {**rows, "left out": listed(left_out)} if left_out else rows

    def num_unknown(self, split: Split) -> tuple[int, int]:
        """How many targets of a split the training data of the model lacked, and of how many."""
        utterances, store = self.speech.utterances(split), self.speech.store(split)
        numbers = self.speech.usable(split, self.targets).tolist()
        targets = [self.targets.targets(utterances[number], store, number) for number in numbers]
        return sum(int((own == self.targets.unknown).sum()) for own in targets), sum(map(len, targets))

    def data_sha256(self) -> str:
        """Hash over features and transcripts of the three splits."""
        return self.speech.data_sha256()


def build(
    config: ASRConfig, assets: Path, device: torch.device, data_dir: Path | None, scored: Sequence[Split] = ()
) -> SpeechRecognition:
    """An acoustic model with fresh weights drawn from the seed."""

    def corpus() -> SpeechCorpus:
        found = find_corpus(config.data.name, data_dir, scored, config.data)
        known = load_tokenizer(assets / TOKENS).vocabulary.letters if (assets / TOKENS).is_dir() else None
        for line in oddities(found, known) if config.data.normalisation == "none" else ():
            log.warning(line)
        return found

    speech = Speech(config, corpus)
    is_new = not any(assets.iterdir())
    if is_new:
        _make_assets(config, assets, speech)
    objective = _objective(config, assets)
    if is_new:
        save_left_out(speech, objective, assets)
    normalisation = Normalisation.load(assets / STATISTICS)
    regularizer = make_regularizer(
        config.regularizer.rule, config.regularizer.dropout, config.regularizer.recurrent_dropout
    )
    generator = torch.Generator().manual_seed(config.seed)
    model = AcousticModel(config.model, len(normalisation.mean), objective.num_outputs, regularizer, generator)
    return SpeechRecognition(config, model.to(device), objective, normalisation, speech, device)


def begin(task: SpeechRecognition, assets: Path) -> None:
    """Make sure that a model trained on other recordings can hear these, and note which of them it cannot.

    Raises:
        DataError: their features are not of its kind.
    """
    heard, known = task.speech.store("train").frames.shape[1], len(task.normalisation.mean)
    if heard != known:
        raise DataError(
            f"{task.config.data.name}: its features are {heard} numbers a frame, and those of the run that this one "
            f"starts from {known}"
        )
    save_left_out(task.speech, task.targets, assets)


def evaluate(tasks: Iterable[SpeechRecognition], split: Split, outputs: Path | None = None) -> Sequence[Score]:
    """Scores of the models' averaged probabilities; the models are in memory together.

    Raises:
        DataError: the runs are scored on different data.
        UsageError: their outputs mean different things.
    """
    models = list(tasks)
    first = models[0]
    require_alike(models)
    if len({model.speech.sha256(split) for model in models}) > 1:
        raise DataError("these runs differ in their features or test data: they cannot be scored as one")
    how = {"models": str(len(models)), "data": first.speech.sha256(split)[:12], **first.speech.speakers(split)}
    scorer = first.targets.scorer(first.speech.utterances(split), how)
    for log_probs, batch in log_prob_batches(models, split):
        scorer.add(log_probs, batch)
    return scorer.scores(outputs)


@torch.no_grad()
def log_prob_batches(models: Sequence[SpeechRecognition], split: Split) -> Iterator[tuple[Tensor, SpeechBatch]]:
    """What the models say together of each batch of a split, ``(steps, batch, outputs)``."""
    for model in models:
        model.model.eval()
    for numbers in models[0].speech.scoring_plan(split, models[0].targets):
        batches = [model.plain_batch(split, numbers) for model in models]
        members = [
            model.targets.log_probs(model.model(batch.features, batch.lengths))
            for model, batch in zip(models, batches, strict=True)
        ]
        yield mean_of_models(members), batches[0]


def require_alike(models: Sequence[SpeechRecognition]) -> None:
    """Refuse models that cannot be averaged step by step.

    Raises:
        UsageError: their outputs or steps differ.
    """
    steps = {
        (model.config.model.stride, model.config.features.frame_shift, model.config.features.frame_length)
        for model in models
    }
    if len({model.targets.fingerprint for model in models}) > 1 or len(steps) > 1:
        raise UsageError(
            "these runs differ in their outputs or in model.stride, features.frame_shift or features.frame_length "
            "and cannot speak as one"
        )


def _make_assets(config: ASRConfig, assets: Path, speech: Speech) -> None:
    if config.objective == "frames":
        save_phones(speech.store("train").phones, assets)
    else:
        transcripts = [
            normalise_transcript(utterance.text or "", config.data.normalisation)
            for utterance in speech.utterances("train")
        ]
        text = assets / TRANSCRIPTS
        text.write_text("".join(f"{line}\n" for line in transcripts if line), encoding="utf-8")
        (assets / TOKENS).mkdir()
        train_tokenizer(config.data.tokens, text, max_size=config.data.vocabulary_size).save(assets / TOKENS)
    size = speech.store("train").frames.shape[1]
    is_global = config.features.normalisation == "global"
    (speech.statistics() if is_global else Normalisation.identity(size)).save(assets / STATISTICS)


def _objective(config: ASRConfig, assets: Path) -> Objective:
    if config.objective == "frames":
        return FrameObjective(load_phones(assets), config.model.stride)
    return TranscriptObjective(
        load_tokenizer(assets / TOKENS), config.model.stride, config.decoding, config.data.normalisation
    )
