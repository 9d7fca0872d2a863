"""The language model's loss, with the state that is carried from window to window."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from lstmdrop.data.batching import Window
from lstmdrop.nn.recurrence import LSTMState
from lstmdrop.task import Loss
from lstmdrop_tasks.lm.model import LanguageModel


class StreamLoss:
    """Starts at zero, carries the state on, and cuts the gradient at each window (Zaremba et al., section 4.1)."""

    is_replayable = True

    def __init__(self, model: LanguageModel) -> None:
        self.model = model
        self.states: dict[int, LSTMState] = {}

    def __call__(self, window: Window) -> Loss:
        """The paper's loss is a sum over steps and a mean over the batch: hence the divisor."""
        total, state = self.model.loss(window.inputs, window.targets, self.states.get(window.part))
        self.states[window.part] = LSTMState(state.hidden.detach(), state.cell.detach())
        return Loss(total, count=window.targets.numel(), divisor=window.targets.shape[1])

    def state_dict(self) -> dict[str, Tensor]:
        """The carried states by part of the batch."""
        return {
            f"{part}.{name}": value for part, state in self.states.items() for name, value in state._asdict().items()
        }

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on from ``state``."""
        device = next(self.model.parameters()).device
        parts = {int(key.partition(".")[0]) for key in state}
        self.states = {
            part: LSTMState(state[f"{part}.hidden"].to(device), state[f"{part}.cell"].to(device)) for part in parts
        }
