"""Speech to text by connectionist temporal classification (Graves et al. 2006)."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float
from torch import Tensor

from lstmdrop.data.tokenizer import Tokenizer
from lstmdrop.decoding.ctc import num_steps_needed
from lstmdrop.metrics.word_error_rate import Normalisation, normalise_transcript
from lstmdrop.task import Loss
from lstmdrop_tasks.asr.audio.store import FeatureStore
from lstmdrop_tasks.asr.batch import SpeechBatch
from lstmdrop_tasks.asr.config import ASRDecodingConfig
from lstmdrop_tasks.asr.corpora.utterance import Utterance
from lstmdrop_tasks.asr.decoder import Decoder
from lstmdrop_tasks.asr.fusion import LMScorer, make_scorer
from lstmdrop_tasks.asr.language_model import load_language_model
from lstmdrop_tasks.asr.objectives.ctc_loss import ctc_loss
from lstmdrop_tasks.asr.objectives.transcript_scorer import TranscriptScorer



class TranscriptObjective:
    """CTC over the tokens of transcripts; ``<eos>``, which no transcript holds, stands for the blank."""

    def __init__(
        self, tokenizer: Tokenizer, stride: int, decoding: ASRDecodingConfig, normalisation: Normalisation = "spoken"
    ) -> None:
        self.tokenizer = tokenizer
        self.stride = stride
        self.decoding = decoding
        self.normalisation: Normalisation = normalisation
        self._decoders: dict[tuple[ASRDecodingConfig, int], Decoder] = {}
        self._scorers: dict[Path, LMScorer] = {}
        self.num_infinite = 0
        """Training losses that had to be left out so far because they were not finite."""

    @property
    def blank(self) -> int:
        """The output that says nothing."""
        return self.tokenizer.eos

    @property
    def num_outputs(self) -> int:
        """One for every token."""
        return len(self.tokenizer.vocabulary)

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
            self._decoders[key] = Decoder(self.tokenizer, *key, scorer=self._scorer(key[0].lm))
        return self._decoders[key]

    def _scorer(self, run: Path | None) -> LMScorer | None:
        if run is None:
            return None
        if run not in self._scorers:
            self._scorers[run] = make_scorer(load_language_model(run), self.tokenizer)
        return self._scorers[run]

    def summary(self) -> dict[str, str]:
        """The number of tokens."""
        return {"objective": f"transcripts, {self.num_outputs:,} tokens, the blank among them"}


def mean_of_models(log_probs: Sequence[Tensor]) -> Tensor:
    """Log of the arithmetic mean of probabilities, step by step."""
    if len(log_probs) == 1:
        return log_probs[0]
    return torch.stack(list(log_probs)).logsumexp(0) - torch.tensor(float(len(log_probs))).log()
