"""Language models as graphs for other runtimes."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from lstmdrop.graphs.graph import Graph, Port, runs_by_steps
from lstmdrop.nn.recurrence import LSTMState
from lstmdrop_tasks.lm.model import LanguageModel
from lstmdrop_tasks.lm.task import LanguageModelling


def graphs(task: LanguageModelling) -> Mapping[str, Graph]:
    """``model``: tokens and the state before them; log-probabilities of what follows each, and the state after.

    Under zoneout it takes one token at a time.
    """
    model = task.model
    steps = 1 if runs_by_steps(model) else "steps"
    size = model.embedding.num_embeddings
    state = [Port(name, [len(model.lstm.layers), "batch", model.lstm.hidden_size]) for name in ("hidden", "cell")]
    tokens, log_probs = Port("tokens", [steps, "batch"], num_tokens=size), Port("log_probs", [steps, "batch", size])
    return {"model": Graph(_Pass(model), [tokens, *state], [log_probs, *(port.after() for port in state)])}


class _Pass(nn.Module):
    def __init__(self, model: LanguageModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, tokens: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, ...]:
        features, after = self.model.features(tokens, LSTMState(hidden, cell))
        return self.model.softmax(features).log_softmax(-1), *after
