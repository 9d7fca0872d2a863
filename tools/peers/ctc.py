"""Compiled prefix searches of others over our outputs: fast-ctc-decode (Rust) and Flashlight's, which torchaudio has.

Both are among the packages that the tests use: ``pip install 'lstmdrop[dev]'``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from lstmdrop.decoding.ctc import collapse
from lstmdrop_tasks.asr.decoder import PRUNE

Outputs = Sequence[npt.NDArray[np.float32]]
"""Log-probabilities of each utterance: ``(steps, tokens)``."""
Decode = Callable[[Outputs], list[tuple[int, ...]]]


def fast_ctc_decode(beam_size: int, num_tokens: int) -> Decode:
    """The same search as ours; it prunes by probability, ours by that over the likeliest's. 0 is the blank."""
    import fast_ctc_decode as library

    letters = [chr(0x4E00 + number) for number in range(num_tokens)]  # one character a token

    def decode(outputs: Outputs) -> list[tuple[int, ...]]:
        said = []
        for each in outputs:
            probabilities = np.exp(each)
            if beam_size == 1:
                text, _ = library.viterbi_search(probabilities, letters)
            else:
                text, _ = library.beam_search(
                    probabilities, letters, beam_size=beam_size, beam_cut_threshold=math.exp(-PRUNE)
                )
            said.append(tuple(ord(letter) - 0x4E00 for letter in text))
        return said

    return decode


def flashlight(beam_size: int, num_tokens: int) -> Decode:
    """Flashlight's search without a lexicon; a prefix that ends with a blank is apart from one that does not.

    The thresholds are torchaudio's.
    """
    import flashlight.lib.text.decoder as library

    options = library.LexiconFreeDecoderOptions(
        beam_size=beam_size, beam_size_token=num_tokens, beam_threshold=50, lm_weight=0.0, sil_score=0.0, log_add=True,
        criterion_type=library.CriterionType.CTC,
    )  # fmt: skip
    decoder = library.LexiconFreeDecoder(options, library.ZeroLM(), -1, 0, [])

    def decode(outputs: Outputs) -> list[tuple[int, ...]]:
        best = [decoder.decode(each.ctypes.data, *each.shape)[0] for each in outputs]
        return [collapse(one.tokens[1:-1], 0) for one in best]

    return decode
