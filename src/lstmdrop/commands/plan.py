"""What a training run would be: parameters, memory and steps, with nothing trained or kept."""

from __future__ import annotations

import tempfile
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from lstmdrop.commands.device import choose_device
from lstmdrop.config import TaskConfig
from lstmdrop.plugin import TaskPlugin
from lstmdrop.task import Task
from lstmdrop.training.precision import require_kernel

OPTIMIZER_COPIES = {"sgd": 0, "adamw": 2}


def plan(plugin: TaskPlugin, config: TaskConfig, device: str = "auto", data_dir: Path | None = None) -> dict[str, str]:
    """Rows of name and value: the data, the parameters, the bytes of a training step, the number of steps."""
    chosen = choose_device(device)
    require_kernel(config.training, chosen)
    with tempfile.TemporaryDirectory() as assets:
        built = plugin.build(config, Path(assets), chosen, data_dir)
        steps = -(-built.num_batches("train") // config.training.accumulate)
        num_parameters = sum(parameter.numel() for parameter in built.model.parameters())
        weights = 4 * num_parameters
        optimizer = OPTIMIZER_COPIES[config.training.optimizer] * weights
        activations = activation_bytes(built)
        return {
            **built.summary(),
            "parameters": f"{num_parameters:,}",
            "steps": f"{steps:,} an epoch, {steps * config.training.epochs:,} in {config.training.epochs} epochs",
            "memory": _mebibytes(2 * weights + optimizer + activations),
            "  weights": _mebibytes(weights),
            "  gradients": _mebibytes(weights),
            "  optimizer": _mebibytes(optimizer),
            "  activations": f"{_mebibytes(activations)} kept for the backward pass of one batch",
        }


def activation_bytes(task: Task[Any]) -> int:
    """What one training batch keeps for its backward pass, by running it forward once; weights not counted."""
    weights = {parameter.untyped_storage().data_ptr() for parameter in task.model.parameters()}
    storages: dict[int, int] = {}

    def remember(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            storages[storage.data_ptr()] = storage.nbytes()
        return tensor

    objective = task.objective()
    task.model.train()
    with torch.autograd.graph.saved_tensors_hooks(remember, lambda tensor: tensor):
        losses = [objective(batch).total for batch in islice(iter(task.batches("train")), 1)]
    del losses
    return sum(storages.values())


def _mebibytes(num_bytes: int) -> str:
    return f"{num_bytes / 2**20:,.1f} MiB"
