"""Captioners as graphs for other runtimes."""

from __future__ import annotations

from collections.abc import Mapping

from lstmdrop.graphs.decoding import decoding_graphs
from lstmdrop.graphs.graph import Graph, Port
from lstmdrop_tasks.caption.task import ImageCaptioning


def graphs(task: ImageCaptioning) -> Mapping[str, Graph]:
    """``encoder``: one image's features, its vector before its places; ``decoder``: a step for its hypotheses."""
    num_positions = task.about.num_positions
    image = Port("image", [1, 1 + num_positions, task.about.num_channels])
    return decoding_graphs(task.model, image, num_positions)
