"""BLEU and chrF are sacreBLEU's own, and say so."""

from __future__ import annotations

import pytest
import sacrebleu

from lstmdrop.metrics.bleu import translation_scores

REFERENCES = ["Deux jeunes hommes sont dehors.", "Un chien court dans l'herbe verte.", ""]
HYPOTHESES = ["Deux hommes sont dehors.", "Un chien court dans l'herbe.", ""]


def test_values_and_signatures_are_sacrebleus() -> None:
    bleu, chrf = translation_scores(HYPOTHESES, REFERENCES, {"beam": "5"})
    assert bleu.value == pytest.approx(sacrebleu.corpus_bleu(HYPOTHESES, [REFERENCES]).score, abs=1e-9)
    assert chrf.value == pytest.approx(sacrebleu.corpus_chrf(HYPOTHESES, [REFERENCES]).score, abs=1e-9)
    assert bleu.signature.startswith("nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:")
    assert bleu.signature.endswith("|beam:5")
    assert (bleu.name, chrf.name) == ("bleu", "chrf")


def test_a_perfect_translation_is_100() -> None:
    assert [score.value for score in translation_scores(REFERENCES, REFERENCES)] == [pytest.approx(100)] * 2


@pytest.mark.parametrize("hypotheses", [[], ["a", "b"]])
def test_what_cannot_be_scored_is_refused(hypotheses: list[str]) -> None:
    with pytest.raises(ValueError, match="cannot be scored"):
        translation_scores(hypotheses, hypotheses and ["a"])
