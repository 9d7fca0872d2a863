"""The networks that caption: what is made of an image, and a decoder of the core."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from lstmdrop.nn.decoder import AttentionDecoder, AttentionState, PlainDecoder
from lstmdrop.nn.linear import draw_by_width, draw_uniform
from lstmdrop.nn.lstm import RegularizedLSTM
from lstmdrop.nn.recurrence import LSTMState
from lstmdrop.nn.rules import Regularizer
from lstmdrop_tasks.caption.config import CaptionModelConfig


class ShowTell(nn.Module):
    """The image's vector is the LSTM's first input, and is seen once (Vinyals et al. 2015, section 3)."""

    def __init__(
        self, config: CaptionModelConfig, num_channels: int, vocabulary_size: int, regularizer: Regularizer
    ) -> None:
        super().__init__()
        size = config.hidden_size
        self.image = nn.Linear(num_channels, size)
        lstm = RegularizedLSTM(size, size, config.num_layers, regularizer)
        self.decoder = PlainDecoder(vocabulary_size, size, lstm, tied=config.tied)

    def encode(self, images: Float[Tensor, "batch rows channels"]) -> LSTMState:
        """The state after the image; its vector is the first row."""
        _, state = self.decoder.lstm(_projected(images[:, 0], self.image)[None])
        final: LSTMState = state
        return final


class Attend(nn.Module):
    """Soft attention over the places of the image, with a gate (Xu et al. 2015), on Luong's decoder.

    The dropout rule acts on what is handed from the image to the decoder as it does between layers.
    """

    def __init__(
        self, config: CaptionModelConfig, num_channels: int, vocabulary_size: int, regularizer: Regularizer
    ) -> None:
        super().__init__()
        size, self.num_layers, self.regularizer = config.hidden_size, config.num_layers, regularizer
        self.image = nn.Linear(num_channels, size)
        self.initial = nn.Linear(size, 2 * config.num_layers * size)
        self.decoder = AttentionDecoder(
            vocabulary_size, size, size, config.num_layers, size, regularizer, tied=config.tied, gated=True
        )

    def encode(self, images: Float[Tensor, "batch rows channels"]) -> AttentionState:
        """The decoder starts from the image's vector, the first row, and looks at the other rows."""
        projected = _projected(images.transpose(0, 1), self.image)
        if self.training:
            projected = self.regularizer.between(projected)
        start = torch.tanh(self.initial(projected[0])).view(len(images), 2, self.num_layers, -1)
        hidden, cell = start.permute(1, 2, 0, 3).contiguous().unbind()
        memory = self.decoder.attention.memory(projected[1:].transpose(0, 1))
        return self.decoder.start(LSTMState(hidden, cell), memory)


def build_captioner(
    config: CaptionModelConfig,
    num_channels: int,
    vocabulary_size: int,
    regularizer: Regularizer,
    generator: torch.Generator,
) -> ShowTell | Attend:
    """The configured network, its weights drawn by ``generator``."""
    network = ShowTell if config.architecture == "show-tell" else Attend
    model = network(config, num_channels, vocabulary_size, regularizer)
    if config.init_bound is None:
        draw_by_width(model, generator)
    else:
        draw_uniform(model, config.init_bound, generator)
    return model


def _projected(features: Tensor, layer: nn.Linear) -> Tensor:
    """Of features with mean 0 and variance 1 at each place: networks differ in the scale of what they give."""
    projected: Tensor = layer(F.layer_norm(features, features.shape[-1:]))
    return projected
