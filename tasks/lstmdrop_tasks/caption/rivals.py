"""The plainest PyTorch networks that caption: what the toolkit is timed against."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lstmdrop.training.plain import AttentionState, LayerState, PlainAttention, PlainSequence, PlainWriter
from lstmdrop_tasks.caption.data import CaptionBatch
from lstmdrop_tasks.caption.task import ImageCaptioning


def plain_captioner(task: ImageCaptioning) -> PlainWriter[CaptionBatch]:
    """The same network as the task's, with weights of its own."""
    rate = 0.0 if task.config.regularizer.rule == "none" else task.config.regularizer.dropout
    network = (_Attend if task.config.model.architecture == "attend" else _ShowTell)(task, rate)
    return PlainWriter(network, _images, task.config.training.label_smoothing).to(task.device)


def _images(batch: CaptionBatch) -> Tensor:
    return batch.images


def weights_of(task: ImageCaptioning) -> dict[str, Tensor]:
    """Those of the task's network, by what they are called in the plain one."""
    is_cell = task.config.model.architecture == "attend"
    weights = {_plain_name(name, is_cell): value for name, value in task.model.state_dict(keep_vars=True).items()}
    return {**weights, "embedding.weight": task.model.decoder.embedding.scale * weights["embedding.weight"]}


def _plain_name(name: str, is_cell: bool) -> str:
    name = name.removeprefix("decoder.").removeprefix("attention.")
    if name.startswith("lstm.layers."):
        _, _, number, weight = name.split(".")
        return f"cells.{number}.{weight.removesuffix('_l0')}" if is_cell else f"lstm.{weight[:-1]}{number}"
    return name


class _ShowTell(PlainSequence):
    def __init__(self, task: ImageCaptioning, rate: float) -> None:
        model, num_words = task.config.model, len(task.tokenizer.vocabulary)
        super().__init__(model.hidden_size, model.hidden_size, model.num_layers, num_words, rate)
        self.image = nn.Linear(task.about.num_channels, model.hidden_size)

    def forward(self, given: Tensor, inputs: Tensor) -> Tensor:
        """The image is the first of the words."""
        outputs, _ = self.lstm(self.dropout(torch.cat([self._first(given), self.embedding(inputs)])))
        logits: Tensor = self.softmax(self.dropout(outputs[1:]))
        return logits

    def start(self, given: Tensor) -> LayerState:
        state: LayerState = self.lstm(self._first(given))[1]
        return state

    def _first(self, images: Tensor) -> Tensor:
        first: Tensor = self.image(F.layer_norm(images[:, 0], images.shape[-1:]))
        return first[None]


class _Attend(PlainAttention):
    def __init__(self, task: ImageCaptioning, rate: float) -> None:
        model, num_words = task.config.model, len(task.tokenizer.vocabulary)
        size = model.hidden_size
        super().__init__(size, size, model.num_layers, num_words, rate)
        self.image = nn.Linear(task.about.num_channels, size)
        self.initial = nn.Linear(size, 2 * model.num_layers * size)
        self.gate = nn.Linear(size, size)

    def start(self, given: Tensor) -> AttentionState:
        rows = self.dropout(self.image(F.layer_norm(given, given.shape[-1:])))
        starts = torch.tanh(self.initial(rows[:, 0])).chunk(2 * len(self.cells), -1)
        states = list(zip(starts[: len(self.cells)], starts[len(self.cells) :], strict=True))
        memory = rows[:, 1:]
        return memory, self.key(memory), states, torch.zeros_like(states[0][0])

    def seen(self, output: Tensor, context: Tensor) -> Tensor:
        """The gate of Xu et al. 2015, section 4.2.1."""
        return torch.sigmoid(self.gate(output)) * context
