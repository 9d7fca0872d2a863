"""Captioners as graphs for other runtimes."""

from __future__ import annotations

from collections.abc import Mapping

from lstmdrop.graphs.graph import Graph, Port, decoding_graphs
from lstmdrop_tasks.caption.task import ImageCaptioning


def graphs(task: ImageCaptioning) -> Mapping[str, Graph]:
    """``encoder``: one image's features, its vector and with attention its places; ``decoder``: a step."""
    num_positions = task.about.num_positions
    num_rows = 1 + num_positions if task.config.model.architecture == "attend" else 1
    image = Port("image", [1, num_rows, task.about.num_channels])
    return decoding_graphs(task.model, image, num_positions)
