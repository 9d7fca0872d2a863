"""Speech to text by connectionist temporal classification (Graves et al. 2006): its loss, and how it is scored."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from lstmdrop.data.tokenizer import Tokenizer
from lstmdrop.decoding.ctc import num_steps_needed
from lstmdrop.metrics.score import Score
from lstmdrop.metrics.word_error_rate import Normalisation, normalise_transcript, transcript_scores
from lstmdrop.task import Labels, Loss
from lstmdrop_tasks.asr.arpa import ArpaModel, ArpaScorer
from lstmdrop_tasks.asr.audio.store import FeatureStore
from lstmdrop_tasks.asr.config import ASRDecodingConfig
from lstmdrop_tasks.asr.corpora.utterances import Utterance
from lstmdrop_tasks.asr.decoder import WEIGHT_OF, AdviserName, Decoder
from lstmdrop_tasks.asr.fusion import Adviser, load_language_model, make_scorer
from lstmdrop_tasks.asr.hot_words import HotWords, read_hot_words
from lstmdrop_tasks.asr.objectives.objective import PADDING, SpeechBatch
from lstmdrop_tasks.asr.scoring import error_report


def ctc_loss(
    log_probs: Float[Tensor, "steps batch outputs"], batch: SpeechBatch, *, blank: int, stride: int
) -> tuple[Loss, int]:
    """Summed over utterances, in nats, the count being their tokens; and the number of utterances masked.

    Masked are those whose steps are too few for their tokens: their loss is infinite.
    """
    steps = -(-batch.lengths // stride)
    device = log_probs.device
    if torch.are_deterministic_algorithms_enabled():
        log_probs = log_probs.cpu()  # a GPU adds up this gradient in an order of the moment
    targets = batch.targets.cpu()
    there = log_probs.device
    losses = F.ctc_loss(
        log_probs, targets.T.clamp(min=0).to(there), steps.to(there), batch.target_lengths.to(there),
        blank=blank, reduction="none", zero_infinity=True,
    )  # fmt: skip
    repeated = ((targets[1:] == targets[:-1]) & (targets[1:] >= 0)).sum(0)
    fits = steps >= batch.target_lengths + repeated
    count = int(batch.target_lengths[fits].sum())
    return Loss(losses.sum().to(device), count=count, divisor=count), int((~fits).sum())


COLLAPSED = 0.9
"""The share of empty hypotheses from which a network is said to have collapsed to blanks."""

log = logging.getLogger("lstmdrop.asr")


class TranscriptScorer:
    """Decodes batches as they come; an utterance that never comes has an empty hypothesis, which counts in full."""

    def __init__(
        self,
        decoder: Decoder,
        stride: int,
        utterances: Sequence[Utterance],
        how: Mapping[str, str],
        normalisation: Normalisation = "spoken",
        num_infinite: int = 0,
    ) -> None:
        self.decoder = decoder
        self.stride = stride
        self.utterances = utterances
        self.how = how
        self.normalisation: Normalisation = normalisation
        self.hypotheses = [""] * len(utterances)
        self.num_infinite = num_infinite
        """Of training so far, to be told."""
        self.loss = 0.0
        self.num_tokens = self.num_masked = 0

    def add(self, log_probs: Float[Tensor, "steps batch outputs"], batch: SpeechBatch) -> None:
        """Decode some utterances."""
        loss, num_masked = ctc_loss(log_probs, batch, blank=self.decoder.tokenizer.eos, stride=self.stride)
        self.loss += float(loss.total)
        self.num_tokens += loss.count
        self.num_masked += num_masked
        arrays = log_probs.float().cpu().numpy()
        for column, (number, length) in enumerate(zip(batch.numbers.tolist(), batch.lengths.tolist(), strict=True)):
            (best,) = self.decoder.decode(arrays[: -(-length // self.stride), column])
            self.hypotheses[number] = self.decoder.text(best)

    def scores(self, outputs: Path | None) -> list[Score]:
        """WER, CER and the loss; predictions and the error report are written into ``outputs``."""
        references = [utterance.text or "" for utterance in self.utterances]
        empty = sum(not hypothesis for hypothesis in self.hypotheses) / len(self.hypotheses)
        if empty > COLLAPSED:
            log.warning(
                "%.0f%% of the transcripts are empty: the network says blank almost everywhere. In the first epochs "
                "that is usual; if it stays, lower training.rate or raise training.epochs",
                100 * empty,
            )
        if self.num_infinite:
            log.warning("%d ctc losses of training so far were infinite and masked", self.num_infinite)
        if outputs is not None:
            text = "".join(f"{hypothesis}\n" for hypothesis in self.hypotheses)
            (outputs / "predictions.txt").write_text(text, encoding="utf-8")
            ids = [utterance.id for utterance in self.utterances]
            pairs = [
                (normalise_transcript(said, self.normalisation), normalise_transcript(heard, self.normalisation))
                for said, heard in zip(references, self.hypotheses, strict=True)
            ]
            report = error_report(ids, pairs)
            (outputs / "errors.txt").write_text(report, encoding="utf-8", errors="backslashreplace")
        extra = {**self.decoder.signature(), "empty": f"{100 * empty:.1f}%", **self.how}
        return [*transcript_scores(references, self.hypotheses, extra, self.normalisation), self._loss_score()]

    def _loss_score(self) -> Score:
        """A token's, as in training."""
        masked = {"masked": self.num_masked, "masked_in_training": self.num_infinite}
        details = {
            "tokens": self.num_tokens, **{key: count for key, count in masked.items() if count}, **self.how,
            "version": version("lstmdrop"),
        }  # fmt: skip
        signature = "|".join(f"{key}:{value}" for key, value in details.items())
        return Score("ctc_loss", self.loss / max(1, self.num_tokens), higher_is_better=False, signature=signature)


class TranscriptObjective:
    """CTC over the tokens of transcripts; ``<eos>``, which no transcript holds, stands for the blank."""

    unit = "tokens"

    def __init__(
        self, tokenizer: Tokenizer, stride: int, decoding: ASRDecodingConfig, normalisation: Normalisation = "spoken"
    ) -> None:
        self.tokenizer = tokenizer
        self.stride = stride
        self.decoding = decoding
        self.normalisation: Normalisation = normalisation
        self._decoders: dict[tuple[ASRDecodingConfig, int], Decoder] = {}
        self._advisers: dict[tuple[AdviserName, str], Adviser] = {}
        self.num_infinite = 0
        """Training losses that had to be left out so far because they were not finite."""

    @property
    def blank(self) -> int:
        """The output that says nothing."""
        return self.tokenizer.eos

    @property
    def unknown(self) -> int:
        """What stands for a letter that no token has."""
        return self.tokenizer.unk

    @property
    def num_outputs(self) -> int:
        """One for every token."""
        return len(self.tokenizer.vocabulary)

    @property
    def labels(self) -> Labels:
        """The tokens."""
        return Labels(self.num_outputs, none=(PADDING,))

    @property
    def fingerprint(self) -> str:
        """Identity of the tokens."""
        return self.tokenizer.fingerprint

    def encode(self, text: str | None) -> list[int]:
        """The tokens of a transcript, normalised."""
        return self.tokenizer.encode(self.normalise(text))

    def normalise(self, text: str | None) -> str:
        """A transcript as it is trained on and scored."""
        return normalise_transcript(text or "", self.normalisation)

    def targets(self, utterance: Utterance, store: FeatureStore, number: int) -> npt.NDArray[np.int64]:
        """The tokens of the transcript."""
        return np.array(self.encode(utterance.text), np.int64)

    def misfit(self, utterance: Utterance, num_frames: int) -> str:
        """An empty transcript, or one of more tokens than the network has steps to say them."""
        tokens = self.encode(utterance.text)
        if not tokens:
            return "its transcript is empty"
        needed, steps = num_steps_needed(tokens), -(-num_frames // self.stride)
        return f"{steps} steps cannot say {len(tokens)} tokens, which need {needed}" if steps < needed else ""

    def loss(self, logits: Float[Tensor, "steps batch outputs"], batch: SpeechBatch) -> Loss:
        """Summed over utterances; its gradient is the mean over tokens. Infinite losses are masked and counted."""
        loss, num_infinite = ctc_loss(self.log_probs(logits), batch, blank=self.blank, stride=self.stride)
        if num_infinite and not self.num_infinite:
            log.warning("a ctc loss is infinite (too few steps for its tokens): masked, like all that follow")
        self.num_infinite += num_infinite
        return loss

    def log_probs(self, logits: Float[Tensor, "steps batch outputs"]) -> Float[Tensor, "steps batch outputs"]:
        """Normalised step by step."""
        return logits.float().log_softmax(-1)

    def scorer(self, utterances: Sequence[Utterance], how: Mapping[str, str]) -> TranscriptScorer:
        """Decodes, and compares with the transcripts."""
        return TranscriptScorer(self.decoder(), self.stride, utterances, how, self.normalisation, self.num_infinite)

    def decoder(self, config: ASRDecodingConfig | None = None, num_best: int = 1) -> Decoder:
        """As these settings have it, else the run's; kept, so that its LM is loaded once."""
        key = (config or self.decoding, num_best)
        if key not in self._decoders:
            self._decoders[key] = Decoder(self.tokenizer, *key, self._advisers_of(key[0]))
        return self._decoders[key]

    def _advisers_of(self, config: ASRDecodingConfig) -> dict[AdviserName, Adviser]:
        asked: dict[AdviserName, Any] = {name: getattr(config, name) for name in WEIGHT_OF}
        return {name: self._adviser(name, source) for name, source in asked.items() if source is not None}

    def _adviser(self, name: AdviserName, source: Any) -> Adviser:
        key = (name, str(source))
        if key not in self._advisers:
            if name == "lm":
                self._advisers[key] = make_scorer(load_language_model(source), self.tokenizer)
            elif name == "arpa":
                self._advisers[key] = ArpaScorer(ArpaModel(source), self.tokenizer)
            else:
                self._advisers[key] = HotWords(read_hot_words(source), self.tokenizer, self.normalise)
        return self._advisers[key]

    def summary(self) -> dict[str, str]:
        """The number of tokens."""
        return {"objective": f"transcripts, {self.num_outputs:,} tokens, the blank among them"}


def mean_of_models(log_probs: Sequence[Tensor]) -> Tensor:
    """Log of the arithmetic mean of probabilities, step by step."""
    if len(log_probs) == 1:
        return log_probs[0]
    return torch.stack(list(log_probs)).logsumexp(0) - torch.tensor(float(len(log_probs))).log()
