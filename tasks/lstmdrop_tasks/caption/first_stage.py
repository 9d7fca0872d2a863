"""Weights of an earlier run, from which training starts."""

from __future__ import annotations

import shutil
from pathlib import Path

from torch import nn

from lstmdrop.errors import ConfigError
from lstmdrop.run import Run
from lstmdrop.training.checkpoint import read_checkpoint, write_checkpoint

NAME = "first_stage.safetensors"


def copy_first_stage(directory: Path, assets: Path) -> None:
    """Copy the assets and the best weights of a run, so that its directory is not needed any more.

    Raises:
        DataError: there is no such run, or its assets or its checkpoint are missing or damaged.
    """
    run = Run.open(directory)
    run.require_assets()
    best = run.load_best()
    shutil.copytree(run.assets, assets, dirs_exist_ok=True)
    write_checkpoint(assets / NAME, best)


def load_first_stage(model: nn.Module, assets: Path) -> None:
    """Put the weights that `copy_first_stage` kept into ``model``, if there are any.

    Raises:
        ConfigError: they are of another network.
    """
    path = assets / NAME
    if not path.exists():
        return
    try:
        model.load_state_dict(read_checkpoint(path).tensors)
    except RuntimeError:
        raise ConfigError(
            "the run of start_from has another network; take its settings over with --preset RUN/config.json"
        ) from None
