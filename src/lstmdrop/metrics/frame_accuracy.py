"""Frame accuracy: how many frames of speech got the right label."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version

from lstmdrop.metrics.score import Score


def frame_accuracy_score(num_correct: int, num_frames: int, extra: Mapping[str, str]) -> Score:
    """In percent; ``extra`` is added to the signature, say the number of classes.

    Raises:
        ValueError: there is no frame, or more are right than there are.
    """
    if not 0 <= num_correct <= num_frames or num_frames == 0:
        raise ValueError(f"{num_correct} of {num_frames} frames cannot be right")
    details = {"frames": str(num_frames), **extra, "version": version("lstmdrop")}
    signature = "|".join(f"{key}:{value}" for key, value in details.items())
    return Score("frame_accuracy", 100 * num_correct / num_frames, higher_is_better=True, signature=signature)
