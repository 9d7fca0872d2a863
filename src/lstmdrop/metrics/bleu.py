"""BLEU and chrF of detokenised translations, by sacreBLEU."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, cast

from lstmdrop.errors import MissingPartError, as_list
from lstmdrop.metrics.bleu_tokenizer import DEFAULT, TokenizerName
from lstmdrop.metrics.score import Score

if TYPE_CHECKING:  # translating needs no score: sacreBLEU is imported where one is made
    from sacrebleu.metrics.bleu import BLEU

_EXTRAS: dict[TokenizerName, str] = {"ja-mecab": "ja", "ko-mecab": "ko"}


def bleu_metric(tokenize: TokenizerName = DEFAULT, *, lowercase: bool = False) -> BLEU:
    """sacreBLEU's BLEU with one of its tokenisers.

    Raises:
        MissingPartError: what the tokeniser needs is not here; the message says how to get it and how to do without.
    """
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.utils import SACREBLEU_DIR

    name = "flores101" if tokenize == "spm" else tokenize
    # SystemExit: how sacreBLEU ends a download that fails
    try:
        return BLEU(lowercase=lowercase, tokenize=name)
    except (Exception, SystemExit) as error:
        reason = next(filter(None, map(str.strip, str(error).splitlines())), type(error).__name__)
        way = (
            f"pip install 'lstmdrop[{_EXTRAS[name]}]'"
            if name in _EXTRAS
            else f"it is fetched once into {SACREBLEU_DIR}/models (the variable SACREBLEU names another folder)"
        )
        raise MissingPartError(
            f"BLEU's tokeniser {name} cannot be had ({reason}): {way}\n"
            "or cut the text into characters: --set scoring.tokenize=char"
        ) from None


def reference_streams(references: Sequence[Sequence[str]]) -> list[list[str]]:
    """The references of each line as sacreBLEU takes them: all first ones, all second ones, None where there is none.

    Raises:
        ValueError: a line has no reference.
    """
    if not all(references):
        raise ValueError("every line must have a reference")
    # sacreBLEU's types know no None, which it documents
    return cast("list[list[str]]", [list(stream) for stream in zip_longest(*references)])


def translation_scores(
    hypotheses: Sequence[str],
    references: Sequence[str] | Sequence[Sequence[str]],
    extra: dict[str, str] | None = None,
    *,
    tokenize: TokenizerName = DEFAULT,
    lowercase: bool = False,
) -> list[Score]:
    """Corpus BLEU and chrF2 in percent (Papineni et al. 2002, Popović 2015), of one reference a line or several.

    The signature says how many (``nrefs``), or ``var`` where some lines have more than others.

    ``tokenize`` cuts the words of BLEU (see `lstmdrop.metrics.bleu_tokenizer`); chrF needs none. ``extra`` is added to
    sacreBLEU's signatures, say the beam.

    Raises:
        ValueError: there is nothing to score, or not one hypothesis a reference.
        MissingPartError: what the tokeniser needs is not here.
    """
    from sacrebleu.metrics.chrf import CHRF

    if not as_list("references", references) or len(as_list("hypotheses", hypotheses)) != len(references):
        raise ValueError(f"{len(hypotheses)} translations cannot be scored against {len(references)} references")
    streams = reference_streams([[some] if isinstance(some, str) else some for some in references])
    metrics = {"bleu": bleu_metric(tokenize, lowercase=lowercase), "chrf": CHRF(lowercase=lowercase)}
    scores = []
    for name, metric in metrics.items():
        value = metric.corpus_score(hypotheses, streams).score
        signature = "|".join([str(metric.get_signature()), *(f"{key}:{text}" for key, text in (extra or {}).items())])
        scores.append(Score(name, value, higher_is_better=True, signature=signature))
    return scores
