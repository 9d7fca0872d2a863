"""The plainest PyTorch networks that caption: what the toolkit is timed against."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lstmdrop.decoding.beam import BeamSettings
from lstmdrop.nn.decoder import PADDING
from lstmdrop.training.bench import plain_beam_search
from lstmdrop_tasks.caption.data import CaptionBatch
from lstmdrop_tasks.caption.task import ImageCaptioning

State = tuple[Tensor, Tensor]


class PlainCaptioner(nn.Module):
    """The same network as the task's but for tied weights."""

    def __init__(self, task: ImageCaptioning) -> None:
        super().__init__()
        config = task.config
        rate = 0.0 if config.regularizer.rule == "none" else config.regularizer.dropout
        network = _Attend if config.model.architecture == "attend" else _ShowTell
        self.network: Any = network(task, rate)
        self.smoothing = config.training.label_smoothing

    def forward(self, batch: CaptionBatch) -> Tensor:
        """The mean loss of a token."""
        logits = self.network(batch.images, batch.inputs)
        targets = batch.targets.flatten()
        return F.cross_entropy(logits.flatten(0, 1), targets, ignore_index=PADDING, label_smoothing=self.smoothing)

    def log_probs(self, batch: CaptionBatch) -> Tensor:
        """Of the targets, in nats; no row is padded."""
        logits: Tensor = self.network(batch.images, batch.inputs)
        return logits.log_softmax(-1).gather(-1, batch.targets[..., None])[..., 0]

    def caption(self, images: Tensor, eos: int, unk: int, longest: int, settings: BeamSettings) -> list[int]:
        """Of one image's features, shape ``(1, rows, channels)``, one hypothesis after the other."""
        return plain_beam_search(
            self.network.step, self.network.start(images), eos=eos, banned=[unk], longest=longest,
            beam_size=settings.beam_size, length_penalty=settings.length_penalty,
        )  # fmt: skip

    @torch.no_grad()
    def take_weights(self, task: ImageCaptioning) -> PlainCaptioner:
        """Those of the task, which then gives the same numbers."""
        others = dict(self.network.named_parameters())
        for name, parameter in task.model.named_parameters(remove_duplicate=False):
            scale = task.model.decoder.embedding.scale if name == "decoder.embedding.weight" else 1.0
            others[plain_name(name, is_cell=isinstance(self.network, _Attend))].copy_(scale * parameter)
        return self.eval()


def plain_name(name: str, *, is_cell: bool) -> str:
    """What a parameter of the task's network is called in the plain one."""
    name = name.removeprefix("decoder.").removeprefix("attention.")
    if name.startswith("lstm.layers."):
        _, _, number, weight = name.split(".")
        return f"cells.{number}.{weight.removesuffix('_l0')}" if is_cell else f"lstm.{weight[:-1]}{number}"
    return name


class _ShowTell(nn.Module):
    def __init__(self, task: ImageCaptioning, rate: float) -> None:
        super().__init__()
        size, layers, num_words = (
            task.config.model.hidden_size,
            task.config.model.num_layers,
            len(task.tokenizer.vocabulary),
        )
        self.image = nn.Linear(task.about.num_channels, size)
        self.embedding = nn.Embedding(num_words, size)
        self.lstm = nn.LSTM(size, size, layers, dropout=rate if layers > 1 else 0.0)
        self.dropout = nn.Dropout(rate)
        self.softmax = nn.Linear(size, num_words)

    def forward(self, images: Tensor, inputs: Tensor) -> Tensor:
        first = self.image(F.layer_norm(images[:, 0], images.shape[-1:]))
        outputs, _ = self.lstm(self.dropout(torch.cat([first[None], self.embedding(inputs)])))
        logits: Tensor = self.softmax(self.dropout(outputs[1:]))
        return logits

    def start(self, images: Tensor) -> State:
        first = self.image(F.layer_norm(images[:, 0], images.shape[-1:]))
        state: State = self.lstm(first[None])[1]
        return state

    def step(self, token: int, state: State) -> tuple[Tensor, State]:
        outputs, after = self.lstm(self.embedding(torch.tensor([[token]], device=state[0].device)), state)
        return self.softmax(outputs)[0, 0].log_softmax(-1), after


class _Attend(nn.Module):
    def __init__(self, task: ImageCaptioning, rate: float) -> None:
        super().__init__()
        size, layers, num_words = (
            task.config.model.hidden_size,
            task.config.model.num_layers,
            len(task.tokenizer.vocabulary),
        )
        self.image = nn.Linear(task.about.num_channels, size)
        self.initial = nn.Linear(size, 2 * layers * size)
        self.embedding = nn.Embedding(num_words, size)
        self.cells = nn.ModuleList(nn.LSTMCell(2 * size if n == 0 else size, size) for n in range(layers))
        self.key = nn.Linear(size, size, bias=False)
        self.gate = nn.Linear(size, size)
        self.combine = nn.Linear(2 * size, size, bias=False)
        self.dropout = nn.Dropout(rate)
        self.softmax = nn.Linear(size, num_words)

    def forward(self, images: Tensor, inputs: Tensor) -> Tensor:
        memory, keys, states, feed = self.start(images)
        logits = []
        for embedded in self.embedding(inputs):
            feed = self._step(torch.cat([embedded, feed], -1), states, memory, keys)
            logits.append(self.softmax(feed))
        return torch.stack(logits)

    def start(self, images: Tensor) -> tuple[Tensor, Tensor, list[State], Tensor]:
        rows = self.dropout(self.image(F.layer_norm(images, images.shape[-1:])))
        starts = torch.tanh(self.initial(rows[:, 0])).chunk(2 * len(self.cells), -1)
        states = list(zip(starts[: len(self.cells)], starts[len(self.cells) :], strict=True))
        memory = rows[:, 1:]
        return memory, self.key(memory), states, torch.zeros_like(states[0][0])

    def step(self, token: int, state: tuple[Tensor, Tensor, list[State], Tensor]) -> tuple[Tensor, Any]:
        memory, keys, states, feed = state
        states = list(states)
        embedded = self.embedding(torch.tensor([token], device=feed.device))
        feed = self._step(torch.cat([embedded, feed], -1), states, memory, keys)
        return self.softmax(feed)[0].log_softmax(-1), (memory, keys, states, feed)

    def _step(self, inputs: Tensor, states: list[State], memory: Tensor, keys: Tensor) -> Tensor:
        for number, cell in enumerate(self.cells):
            states[number] = cell(self.dropout(inputs), states[number])
            inputs = states[number][0]
        output = self.dropout(inputs)
        weights = (torch.bmm(keys, output[:, :, None]) / output.shape[1] ** 0.5).softmax(1)
        context = torch.sigmoid(self.gate(output)) * (weights * memory).sum(1)
        return torch.tanh(self.combine(torch.cat([context, output], -1)))
