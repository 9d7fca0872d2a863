"""Frozen networks that turn pixels into features."""

from __future__ import annotations

import hashlib
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from lstmdrop.errors import ConfigError, did_you_mean
from lstmdrop_tasks.caption.config import ImageConfig

TIMM = "timm:"
FEATURES = "features"
LITE0 = "efficientnet-lite0"


@runtime_checkable
class ImageEncoder(Protocol):
    """A frozen network."""

    @property
    def name(self) -> str:
        """As the configuration calls it."""
        ...

    @property
    def size(self) -> int:
        """Pixels of a side."""
        ...

    @property
    def device(self) -> torch.device:
        """Where the network is; pixels may come from anywhere."""
        ...

    @property
    def fingerprint(self) -> str:
        """Hash over all that determines the features of given pixels."""
        ...

    def encode(self, pixels: UInt8[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch rows channels"]:
        """Row 0 is the mean over the map; the others are the map, line by line from the upper left."""
        ...


def load_encoder(config: ImageConfig, device: torch.device) -> ImageEncoder | None:
    """The configured encoder; None where the configuration says that features come ready-made.

    Raises:
        ConfigError: there is no such encoder, or it cannot read images of this size.
        MissingPartError: its package is not installed.
    """
    if config.encoder == FEATURES:
        return None
    if config.encoder == LITE0:
        from lstmdrop_tasks.caption.images.efficientnet_lite import EfficientNetLite

        return EfficientNetLite(config.size, device)
    if config.encoder.startswith(TIMM):
        from lstmdrop_tasks.caption.images.timm_encoder import TimmEncoder

        return TimmEncoder(config.encoder, config.size, device)
    known = (LITE0, FEATURES, f"{TIMM}NAME")
    raise ConfigError(
        f"images.encoder={config.encoder} is no encoder{did_you_mean(config.encoder, known)}\n"
        f"choose {LITE0}, {TIMM}NAME such as {TIMM}resnet50, or {FEATURES} for .npy and .npz files"
    )


def with_mean(maps: Float[Tensor, "batch positions channels"]) -> Float[Tensor, "batch rows channels"]:
    """A map with its mean before it."""
    return torch.cat([maps.mean(dim=1, keepdim=True), maps], dim=1)


def frozen(network: nn.Module, device: torch.device) -> nn.Module:
    """A network for use alone."""
    # With the channels innermost, convolutions are faster: on one core 1.1 times at batches of 4, 1.9 times at 32.
    network.eval().requires_grad_(False).to(device)
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def weights_sha256(network: nn.Module) -> str:
    """Hash over all parameters and buffers."""
    digest = hashlib.sha256()
    for name, tensor in network.state_dict().items():
        values = tensor.detach().cpu().contiguous()
        digest.update(f"{name} {values.dtype} {tuple(values.shape)}\n".encode())
        digest.update(values.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
