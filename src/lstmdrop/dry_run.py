"""What a training run would be: parameters, memory and steps, with nothing trained or kept."""

from __future__ import annotations

import tempfile
from itertools import islice
from pathlib import Path
from typing import Any, cast
from weakref import WeakSet

import torch

from lstmdrop.config import TaskConfig
from lstmdrop.nn.kernel import Kernel
from lstmdrop.nn.lstm import RegularizedLSTM
from lstmdrop.plugin import TaskPlugin
from lstmdrop.start import build_new, start_summary
from lstmdrop.task import PassesMemory, Task
from lstmdrop.training.device import choose_device, require_kernel

OPTIMIZER_COPIES = {"sgd": 0, "adamw": 2, "adam": 2}


def plan(plugin: TaskPlugin, config: TaskConfig, device: str = "auto", data_dir: Path | None = None) -> dict[str, str]:
    """Rows of name and value: the data, the parameters, the bytes of a training step, the number of steps."""
    chosen = choose_device(device)
    require_kernel(config.training, chosen)
    with tempfile.TemporaryDirectory() as assets:
        built = build_new(plugin, config, Path(assets), chosen, data_dir)
        steps = -(-built.num_batches("train") // config.training.accumulate)
        num_parameters = sum(parameter.numel() for parameter in built.model.parameters())
        weights = 4 * num_parameters
        optimizer = OPTIMIZER_COPIES[config.training.optimizer] * weights
        activations = activation_bytes(built, _kernel(config, built))
        passing = built.passing_bytes if isinstance(built, PassesMemory) else 0
        return {
            **start_summary(built, config),
            **built.summary(),
            "parameters": f"{num_parameters:,}",
            "steps": f"{steps:,} an epoch, {steps * config.training.epochs:,} in {config.training.epochs} epochs",
            "memory": _mebibytes(2 * weights + optimizer + activations + passing),
            "  weights": _mebibytes(weights),
            "  gradients": _mebibytes(weights),
            "  optimizer": _mebibytes(optimizer),
            "  activations": f"{_mebibytes(activations)} kept for the backward pass of one batch",
            **({"  logits": f"{_mebibytes(passing)} for a moment of each step"} if passing else {}),
        }


def activation_bytes(task: Task[Any], kernel: Kernel) -> int:
    """What one training batch keeps for its backward pass, by running it forward once; weights not counted."""
    saved: WeakSet[_Saved] = WeakSet()

    def remember(tensor: torch.Tensor) -> _Saved:
        entry = _Saved(tensor)
        saved.add(entry)
        return entry

    for module in task.model.modules():
        if isinstance(module, RegularizedLSTM):
            module.kernel = kernel
    objective = task.objective()
    task.model.train()
    with torch.autograd.graph.saved_tensors_hooks(remember, lambda entry: entry.tensor):
        losses = [objective(batch).total for batch in islice(iter(task.batches("train")), 1)]
    # Counted at the end: what is no more waited for, its place in memory taken by something else, is not among it.
    storages = {entry.tensor.untyped_storage().data_ptr(): entry.tensor.untyped_storage().nbytes() for entry in saved}
    del losses
    for parameter in task.model.parameters():
        storages.pop(parameter.untyped_storage().data_ptr(), None)
    return sum(storages.values())


def _kernel(config: TaskConfig, task: Task[Any]) -> Kernel:
    """Where training would choose or measure, the one that keeps the most."""
    if config.training.kernel not in ("auto", "measured"):
        return cast("Kernel", config.training.kernel)
    return "native" if next(task.model.parameters()).device.type == "cpu" else "layers"


class _Saved:
    """A tensor for as long as the backward pass waits for it."""

    def __init__(self, tensor: torch.Tensor) -> None:
        self.tensor = tensor


def _mebibytes(num_bytes: int) -> str:
    return f"{num_bytes / 2**20:,.1f} MiB"
