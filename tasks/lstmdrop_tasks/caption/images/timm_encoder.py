"""Any network of timm, PyTorch Image Models."""

from __future__ import annotations

import hashlib
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from lstmdrop.errors import ConfigError, DataError, did_you_mean, loading
from lstmdrop_tasks.caption.images.encoder import TIMM, frozen, weights_sha256, with_mean


class TimmEncoder:
    """A pretrained network by its name in timm; its weights are downloaded the first time.

    Raises:
        MissingPartError: timm is not installed.
        ConfigError: timm has no such network, or it cannot read images of this size.
        DataError: the weights cannot be got.
    """

    def __init__(self, name: str, size: int, device: torch.device) -> None:
        self.name = name
        self.size = size
        self.device = device
        network, data = _load(name.removeprefix(TIMM))
        self._network: Any = frozen(network, device)
        self._mean = torch.tensor(data["mean"], device=device).view(3, 1, 1)
        self._deviation = torch.tensor(data["std"], device=device).view(3, 1, 1)
        self._require_size()
        parts = (name, weights_sha256(self._network), self._mean.tolist(), self._deviation.tolist())
        self.fingerprint = hashlib.sha256(repr(parts).encode()).hexdigest()

    @torch.inference_mode()
    def encode(self, pixels: UInt8[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch rows channels"]:
        """Row 0 is the mean over the map; the others are the map, line by line from the upper left."""
        scaled = (pixels.to(self.device).float() / 255 - self._mean) / self._deviation
        found = self._network.forward_features(scaled.contiguous(memory_format=torch.channels_last))
        return with_mean(self._places(found).float())

    def _places(self, found: Any) -> Tensor:
        """Shape ``(batch, positions, channels)``; of the maps of several layers, the last."""
        while isinstance(found, list | tuple) and found:
            found = found[-1]
        if not isinstance(found, Tensor) or found.ndim not in (2, 3, 4):
            what = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
            raise ValueError(f"what it finds is no map of features but {what}")
        if found.ndim == 2:  # a vector alone: one place
            return found[:, None]
        if found.ndim == 3:  # a transformer: the class token and its like come first
            return found[:, getattr(self._network, "num_prefix_tokens", 0) :]
        if self._has_channels_last(found):
            return found.flatten(1, 2)
        return found.flatten(2).transpose(1, 2)

    def _has_channels_last(self, found: Tensor) -> bool:
        """As the network says, or else as the shape does: not all that give them so say it."""
        channels = getattr(self._network, "num_features", None)
        if found.shape[1] != found.shape[3] and channels in (found.shape[1], found.shape[3]):
            return bool(found.shape[3] == channels)
        return bool(getattr(self._network, "output_fmt", "NCHW") == "NHWC")

    def _require_size(self) -> None:
        try:
            rows = self.encode(torch.zeros(1, 3, self.size, self.size, dtype=torch.uint8))
            if rows.shape[1] < 2 or rows.shape[2] < 1:
                raise ValueError("it has no map of features")
        except Exception as error:  # of a thousand networks, each fails in its own way
            reason = str(error).splitlines()[0] if str(error) else "it has no map of features"
            raise ConfigError(
                f"{self.name} cannot read images of images.size={self.size}: {reason}\n"
                f"try another size, or another network, such as {TIMM}resnet50"
            ) from None


def _load(name: str) -> tuple[Any, Any]:
    with loading(f"the image encoder {TIMM}{name} needs timm", "pip install 'lstmdrop[timm]'"):
        import timm  # pyright: ignore[reportMissingImports]
    if not timm.is_model(name.partition(".")[0]):
        known = timm.list_models()
        raise ConfigError(f"timm has no network {name!r}{did_you_mean(name, known)}")
    try:
        network = timm.create_model(name, pretrained=True, num_classes=0)
    except Exception as error:  # there are as many ways as there are networks and places of weights
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise DataError(f"{TIMM}{name}: its weights cannot be got ({reason})") from None
    return network, timm.data.resolve_data_config({}, model=network)
