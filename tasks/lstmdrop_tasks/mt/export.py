"""Translation models as graphs for other runtimes."""

from __future__ import annotations

from collections.abc import Mapping

from lstmdrop.graphs.graph import Graph, Port, decoding_graphs, require_whole_passes
from lstmdrop_tasks.mt.task import MachineTranslation


def graphs(task: MachineTranslation) -> Mapping[str, Graph]:
    """``encoder``: the tokens of one source, ``<eos>`` last, as a column; ``decoder``: a step for its hypotheses.

    Raises:
        UsageError: the rule is zoneout, under which the encoder is no fixed graph.
    """
    require_whole_passes(task.model)
    source = Port("source", ["positions", 1], num_tokens=len(task.tokenizers.source.vocabulary))
    return decoding_graphs(task.model, source, "positions")
