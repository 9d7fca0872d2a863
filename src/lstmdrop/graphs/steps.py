"""Which networks are graphs over any number of steps."""

from __future__ import annotations

from torch import nn

from lstmdrop.errors import UsageError
from lstmdrop.nn.lstm import RegularizedLSTM


def runs_by_steps(model: nn.Module) -> bool:
    """Whether an LSTM in it takes its steps one by one in evaluation too, as under zoneout."""
    return any(isinstance(module, RegularizedLSTM) and module.runs_by_steps for module in model.modules())


def require_whole_passes(model: nn.Module) -> None:
    """Check that the number of steps can be left open.

    Raises:
        UsageError: it cannot.
    """
    if runs_by_steps(model):
        raise UsageError("under zoneout the steps are taken one by one, and no graph has any number of them")
