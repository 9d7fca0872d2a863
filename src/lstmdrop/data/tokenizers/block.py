"""Many lines as token ids."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class EncodedBlock(NamedTuple):
    """The ids of a block of text, and how many of them stand for something the vocabulary lacks."""

    ids: npt.NDArray[np.int32]
    num_unknown: int
