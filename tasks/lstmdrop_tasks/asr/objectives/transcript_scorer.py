"""Transcripts of a split, and how they differ from what was said."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from lstmdrop.metrics.score import Score
from lstmdrop.metrics.word_error_rate import transcript_scores
from lstmdrop_tasks.asr.batch import SpeechBatch
from lstmdrop_tasks.asr.corpora.utterance import Utterance
from lstmdrop_tasks.asr.decoder import Decoder
from lstmdrop_tasks.asr.error_report import error_report

COLLAPSED = 0.9
"""The share of empty hypotheses from which a network is said to have collapsed to blanks."""

log = logging.getLogger("lstmdrop.asr")


class TranscriptScorer:
    """Decodes batches as they come; an utterance that never comes has an empty hypothesis, which counts in full."""

    def __init__(self, decoder: Decoder, stride: int, utterances: Sequence[Utterance], how: Mapping[str, str]) -> None:
        self.decoder = decoder
        self.stride = stride
        self.utterances = utterances
        self.how = how
        self.hypotheses = [""] * len(utterances)

    def add(self, log_probs: Float[Tensor, "steps batch outputs"], batch: SpeechBatch) -> None:
        """Decode some utterances."""
        arrays = log_probs.float().cpu().numpy()
        for column, (number, length) in enumerate(zip(batch.numbers.tolist(), batch.lengths.tolist(), strict=True)):
            (best,) = self.decoder.decode(arrays[: -(-length // self.stride), column])
            self.hypotheses[number] = self.decoder.text(best)

    def scores(self, outputs: Path | None) -> list[Score]:
        """WER and CER; predictions and the error report are written into ``outputs``."""
        references = [utterance.text or "" for utterance in self.utterances]
        empty = sum(not hypothesis for hypothesis in self.hypotheses) / len(self.hypotheses)
        if empty > COLLAPSED:
            log.warning(
                "%.0f%% of the transcripts are empty: the network says blank almost everywhere. In the first epochs "
                "that is usual; if it stays, lower training.rate or raise training.epochs",
                100 * empty,
            )
        if outputs is not None:
            text = "".join(f"{hypothesis}\n" for hypothesis in self.hypotheses)
            (outputs / "predictions.txt").write_text(text, encoding="utf-8")
            ids = [utterance.id for utterance in self.utterances]
            report = error_report(ids, references, self.hypotheses)
            (outputs / "errors.txt").write_text(report, encoding="utf-8")
        extra = {**self.decoder.signature(), "empty": f"{100 * empty:.1f}%", **self.how}
        return transcript_scores(references, self.hypotheses, extra)
