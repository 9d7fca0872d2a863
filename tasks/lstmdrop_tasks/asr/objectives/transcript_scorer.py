"""Transcripts of a split, and how they differ from what was said."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from lstmdrop.metrics.score import Score
from lstmdrop.metrics.word_error_rate import Normalisation, normalise_transcript, transcript_scores
from lstmdrop_tasks.asr.batch import SpeechBatch
from lstmdrop_tasks.asr.corpora.utterance import Utterance
from lstmdrop_tasks.asr.decoder import Decoder
from lstmdrop_tasks.asr.error_report import error_report
from lstmdrop_tasks.asr.objectives.ctc_loss import ctc_loss

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
