"""How transcripts are scored: item by item for tests of significance, and the words that went wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from lstmdrop.metrics.segments import (
    References,
    SegmentsOf,
    character_error_segments,
    frame_accuracy_segments,
    word_error_segments,
)
from lstmdrop.metrics.significance import Segments
from lstmdrop.metrics.word_error_rate import NO_ERRORS, Errors, Normalisation, normalise_transcript, word_errors
from lstmdrop_tasks.asr.config import ASRConfig


def _normalised(make: SegmentsOf, normalisation: Normalisation) -> SegmentsOf:
    def segments(hypotheses: Sequence[str], references: References) -> Segments:
        return make([normalise_transcript(line, normalisation) for line in hypotheses], references)

    return segments


def _without_names(hypotheses: Sequence[str], references: References) -> Segments:
    frames = [[_frames(line) for line in some] for some in references]
    return frame_accuracy_segments([_frames(line) for line in hypotheses], frames)


def _frames(line: str) -> str:
    return line.partition(" ")[2]


def segments(config: ASRConfig) -> Mapping[str, SegmentsOf]:
    """What makes each score from lines of predictions and from references as `references` gives them."""
    return {
        "wer": _normalised(word_error_segments, config.data.normalisation),
        "cer": _normalised(character_error_segments, config.data.normalisation),
        "frame_accuracy": _without_names,
    }


NUM_WORST = 20
NUM_FREQUENT = 20


def error_report(ids: Sequence[str], pairs: Sequence[tuple[str, str]]) -> str:
    """Counts of the three kinds of errors, the most frequent mistakes, the worst utterances with both texts.

    ``pairs`` are references with their hypotheses, both normalised.
    """
    errors = [word_errors(reference, hypothesis) for reference, hypothesis in pairs]
    total = sum(errors, NO_ERRORS)
    order = sorted(range(len(ids)), key=lambda number: (-errors[number].total, ids[number]))
    worst = [_entry(ids[number], errors[number], *pairs[number]) for number in order if errors[number].total]
    return "\n".join(
        [
            f"words {total.length}  substitutions {total.substitutions}  "
            f"insertions {total.insertions}  deletions {total.deletions}",
            f"utterances {len(ids)}  without an error {sum(not own.total for own in errors)}",
            "",
            "most frequent mistakes (said > heard)",
            *(f"{count:>6}  {said or '-'} > {heard or '-'}" for (said, heard), count in _mistakes(pairs)),
            "",
            "worst utterances",
            *worst[:NUM_WORST],
            "",
        ]
    )


def _entry(name: str, errors: Errors, reference: str, hypothesis: str) -> str:
    kinds = f"{errors.substitutions} substituted, {errors.insertions} inserted, {errors.deletions} deleted"
    return f"{name}: {kinds} of {errors.length}\n  said   {reference}\n  heard  {hypothesis}"


def _mistakes(pairs: Sequence[tuple[str, str]]) -> list[tuple[tuple[str, str], int]]:
    import jiwer  # recognising needs no score

    counts: Counter[tuple[str, str]] = Counter()
    for reference, hypothesis in pairs:
        if not reference:
            continue
        said, heard = reference.split(), hypothesis.split()
        for chunk in jiwer.process_words(reference, hypothesis).alignments[0]:
            if chunk.type != "equal":
                own = said[chunk.ref_start_idx : chunk.ref_end_idx]
                other = heard[chunk.hyp_start_idx : chunk.hyp_end_idx]
                longest = max(len(own), len(other))
                padded = zip(own + [""] * (longest - len(own)), other + [""] * (longest - len(other)), strict=True)
                counts.update(padded)
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:NUM_FREQUENT]
