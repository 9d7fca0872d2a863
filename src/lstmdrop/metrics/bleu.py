"""BLEU and chrF of detokenised translations, by sacreBLEU."""

from __future__ import annotations

from collections.abc import Sequence

from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from lstmdrop.errors import as_list
from lstmdrop.metrics.score import Score


def translation_scores(
    hypotheses: Sequence[str], references: Sequence[str], extra: dict[str, str] | None = None
) -> list[Score]:
    """Corpus BLEU and chrF2 in percent (Papineni et al. 2002, Popović 2015), one reference a line.

    ``extra`` is added to sacreBLEU's signatures, say the beam.

    Raises:
        ValueError: there is nothing to score, or not one hypothesis a reference.
    """
    if not as_list("references", references) or len(as_list("hypotheses", hypotheses)) != len(references):
        raise ValueError(f"{len(hypotheses)} translations cannot be scored against {len(references)} references")
    scores = []
    for name, metric in (("bleu", BLEU()), ("chrf", CHRF())):
        value = metric.corpus_score(hypotheses, [references]).score
        signature = "|".join([str(metric.get_signature()), *(f"{key}:{text}" for key, text in (extra or {}).items())])
        scores.append(Score(name, value, higher_is_better=True, signature=signature))
    return scores
