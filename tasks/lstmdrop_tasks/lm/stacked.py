"""Several language models in one step: their losses on windows of theirs, every matrix product batched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from lstmdrop.data.batching import Window
from lstmdrop.nn.recurrence import LSTMState
from lstmdrop.nn.stacked import Each, StackedLSTM
from lstmdrop.task import Loss
from lstmdrop_tasks.lm.model import NO_PENALTIES, StreamLoss


class StackedStreamLoss:
    """The loss of each of several models, as its own `StreamLoss` would compute it, which carries its state.

    ``weights`` are those of the models by name, on a first axis.
    """

    def __init__(self, members: Sequence[StreamLoss], weights: Mapping[str, Tensor], each: Each) -> None:
        self.members = members
        self.embedding = weights["embedding.weight"]
        self.softmax = weights.get("softmax.weight", self.embedding), weights["softmax.bias"]
        self.embedding_dropout = members[0].model.embedding_dropout
        self.penalties = members[0].penalties
        self.each = each
        parts = {name.removeprefix("lstm."): weight for name, weight in weights.items() if name.startswith("lstm.")}
        self.lstm = StackedLSTM([member.model.lstm for member in members], parts, each)

    def __call__(self, window: Window) -> Loss:
        """Their sum, which gives each its own gradient; ``plain`` has that of each, the other numbers are of one."""
        begins = [member.begin(window) for member in self.members]
        carried = [begin for begin in begins if begin is not None]
        batch_size = window.num_rows
        if carried:
            state = LSTMState(*(torch.stack(part, 1) for part in zip(*carried, strict=True)))
        else:
            state = self.lstm.initial_state(batch_size)
        outputs, state = self.lstm.undropped(self._embedded(window.inputs), state)
        features = self.lstm.drop_output(outputs)
        nll = self._nll(features, window.targets)
        for number, member in enumerate(self.members):
            member.carry(window, LSTMState(*(part[:, number].detach() for part in state)))
        num_items = window.targets[0].numel()
        total = nll.sum()
        if self.penalties != NO_PENALTIES:
            added = [self.penalties.of(*pair) for pair in zip(features, outputs, strict=True)]
            total = total + num_items * torch.stack(added).sum()
        return Loss(total, count=num_items, divisor=batch_size, plain=nll)

    def _embedded(self, inputs: Int[Tensor, "networks time batch"]) -> Float[Tensor, "networks time batch features"]:
        num_networks, vocabulary_size, _ = self.embedding.shape
        first = torch.arange(0, num_networks * vocabulary_size, vocabulary_size, device=inputs.device)
        rows = inputs + first[:, None, None]
        words = F.embedding(rows, self.embedding.flatten(0, 1))
        if not self.embedding_dropout.p:
            return words
        kept = torch.cat(self.each(lambda weight: self.embedding_dropout(weight.new_ones(len(weight))), self.embedding))
        return words * kept[rows].unsqueeze(-1)

    def _nll(
        self, features: Float[Tensor, "networks time batch hidden"], targets: Int[Tensor, "networks time batch"]
    ) -> Float[Tensor, " networks"]:
        weight, bias = self.softmax
        logits = torch.baddbmm(bias.unsqueeze(1), features.flatten(1, 2), weight.mT)
        nll = F.cross_entropy(logits.flatten(0, 1).float(), targets.flatten(), reduction="none")
        return nll.view(len(weight), -1).sum(1)
