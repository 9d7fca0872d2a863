"""Which fused kernel each LSTM of a model trains on: by a rule, by name or measured, and kept in the checkpoint."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import torch
from torch import nn

from lstmdrop.config import TrainingConfig
from lstmdrop.nn.kernel import Kernel
from lstmdrop.nn.lstm import RegularizedLSTM
from lstmdrop.training.device import autocast, usable_kernels

log = logging.getLogger("lstmdrop.training")


def set_kernels(model: nn.Module, config: TrainingConfig, device: torch.device) -> None:
    """Those that ``training.kernel`` asks for; by ``auto`` they follow from the network and the device alone."""
    for lstm in _lstms(model).values():
        _set_kernel(lstm, config, device)


def kernels_of(model: nn.Module) -> dict[str, Kernel | None]:
    """By the name of each LSTM the fused kernel of its training; None where it is still to be measured."""
    return {name: None if lstm.kernel == "measured" else lstm.kernel for name, lstm in _lstms(model).items()}


def take_kernels(
    model: nn.Module, kernels: Mapping[str, Kernel | None], config: TrainingConfig, device: torch.device
) -> None:
    """Those that a run was trained on so far; where one cannot run here, what ``training.kernel`` would choose."""
    usable = usable_kernels(config, device)
    for name, lstm in _lstms(model).items():
        kept = kernels.get(name)
        if kept in usable:
            lstm.kernel = kept
        else:
            _set_kernel(lstm, config, device)
    if "stacked" in kernels.values():
        log.warning(
            "the run was trained beside others (--ensemble): by itself it goes on with a kernel whose numbers differ "
            "in their last digits"
        )
    unusable = {kernel for kernel in kernels.values() if kernel not in (None, "stacked", *usable)}
    if gone := sorted(filter(None, unusable)):
        log.warning(
            "the run was trained on the kernel %s, which cannot run on this machine: it goes on with another, "
            "whose numbers differ in their last digits",
            " and ".join(gone),
        )


def set_stacked(model: nn.Module) -> None:
    """Note that the model is trained side by side with others, in products of all."""
    for lstm in _lstms(model).values():
        lstm.kernel = "stacked"


def _set_kernel(lstm: RegularizedLSTM, config: TrainingConfig, device: torch.device) -> None:
    if config.kernel == "auto":
        with autocast(config, device):
            lstm.kernel = lstm.usual_kernel(device.type)
    elif config.kernel == "measured" or config.kernel in usable_kernels(config, device):
        lstm.kernel = config.kernel
    else:  # of a run that came from another machine
        lstm.kernel = None


def _lstms(model: nn.Module) -> dict[str, RegularizedLSTM]:
    return {name: module for name, module in model.named_modules() if isinstance(module, RegularizedLSTM)}
