"""A deep LSTM that reads in both directions."""

from __future__ import annotations

import dataclasses

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from lstmdrop.nn.lstm import RegularizedLSTM
from lstmdrop.nn.recurrence import LSTMState
from lstmdrop.nn.rules import Regularizer, unchanged
from lstmdrop.nn.shapes import read_backwards, require_sizes


class BidirectionalLSTM(nn.Module):
    """Each layer reads the one below forwards and backwards and hands on both (Graves & Schmidhuber 2005).

    The dropout rule acts as in `RegularizedLSTM`: one mask between two layers, whichever direction reads it.

    Raises:
        ValueError: a size is less than 1.
    """

    def __init__(self, input_size: int, hidden_size: int, num_layers: int, regularizer: Regularizer) -> None:
        super().__init__()
        require_sizes(input_size=input_size, hidden_size=hidden_size, num_layers=num_layers)
        sizes = [input_size] + [2 * hidden_size] * (num_layers - 1)
        within = dataclasses.replace(regularizer, between=unchanged, input=None, output=None)
        self.ahead = nn.ModuleList(RegularizedLSTM(size, hidden_size, 1, within) for size in sizes)
        self.back = nn.ModuleList(RegularizedLSTM(size, hidden_size, 1, within) for size in sizes)
        self.regularizer = regularizer

    def forward(
        self, inputs: Float[Tensor, "time batch features"], lengths: Int[Tensor, " batch"] | None = None
    ) -> tuple[Float[Tensor, "time batch both"], LSTMState]:
        """Outputs of the top layer, and each layer's last state, the two directions side by side.

        With ``lengths`` each row is read backwards from its own end, and what it was padded with changes nothing.

        Raises:
            ValueError: as `RegularizedLSTM.forward`.
        """
        finals = []
        for place, (ahead, back) in enumerate(zip(self.ahead, self.back, strict=True)):
            inputs = self._dropped(inputs, place)
            outputs, final = ahead(inputs, lengths=lengths)
            reversed_outputs, reversed_final = back(read_backwards(inputs, lengths), lengths=lengths)
            inputs = torch.cat([outputs, read_backwards(reversed_outputs, lengths)], -1)
            finals.append([torch.cat(parts, -1) for parts in zip(final, reversed_final, strict=True)])
        hidden, cell = (torch.cat(parts) for parts in zip(*finals, strict=True))
        return self._dropped(inputs, len(self.ahead)), LSTMState(hidden, cell)

    def outputs(
        self, inputs: Float[Tensor, "time batch features"], lengths: Int[Tensor, " batch"] | None = None
    ) -> Float[Tensor, "time batch both"]:
        """Outputs of the top layer alone, as `forward` gives them up to each row's end; what follows means nothing.

        Padding comes last in both directions, so it changes nothing before it, and all rows run in one piece:
        quicker than `forward` where every row has another length.

        Raises:
            ValueError: as `RegularizedLSTM.forward`.
        """
        for place, (ahead, back) in enumerate(zip(self.ahead, self.back, strict=True)):
            inputs = self._dropped(inputs, place)
            outputs, _ = ahead(inputs)
            reversed_outputs, _ = back(read_backwards(inputs, lengths))
            inputs = torch.cat([outputs, read_backwards(reversed_outputs, lengths)], -1)
        return self._dropped(inputs, len(self.ahead))

    def _dropped(self, inputs: Tensor, place: int) -> Tensor:
        return self.regularizer.at(place, len(self.ahead))(inputs) if self.training else inputs
