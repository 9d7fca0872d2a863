"""An LSTM layer as one operator: what an exported network is made of, in place of a library's kernel."""

from __future__ import annotations

import torch
from torch import Tensor

SCHEMA = (
    "(Tensor inputs, Tensor hidden, Tensor cell, Tensor input_weight, Tensor recurrent_weight, Tensor input_bias, "
    "Tensor recurrent_bias) -> (Tensor, Tensor, Tensor)"
)


@torch.library.custom_op("lstmdrop::lstm_layer", mutates_args=(), schema=SCHEMA)
def lstm_layer(
    inputs: Tensor,
    hidden: Tensor,
    cell: Tensor,
    input_weight: Tensor,
    recurrent_weight: Tensor,
    input_bias: Tensor,
    recurrent_bias: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """Outputs ``(time, batch, hidden)`` and the last hidden and cell state ``(batch, hidden)``.

    The weights are laid out as in `torch.nn.LSTM`. PyTorch's own call fixes the number of steps where it is exported.
    """
    weights = [input_weight, recurrent_weight, input_bias, recurrent_bias]
    outputs, *final = torch._VF.lstm(inputs, (hidden[None], cell[None]), weights, True, 1, 0.0, False, False, False)
    last_hidden, last_cell = (part[0].clone() for part in final)
    return outputs.clone(), last_hidden, last_cell


@lstm_layer.register_fake
def _(
    inputs: Tensor,
    hidden: Tensor,
    cell: Tensor,
    input_weight: Tensor,
    recurrent_weight: Tensor,
    input_bias: Tensor,
    recurrent_bias: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    return inputs.new_empty(*inputs.shape[:2], hidden.shape[1]), torch.empty_like(hidden), torch.empty_like(cell)


OPERATOR = torch.ops.lstmdrop.lstm_layer.default
"""As it stands in an exported graph."""
