"""The plainest PyTorch networks that translate: what the toolkit is timed against."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lstmdrop.training.plain import AttentionState, LayerState, PlainAttention, PlainSequence, PlainWriter
from lstmdrop_tasks.mt.pairs import PairBatch
from lstmdrop_tasks.mt.task import MachineTranslation


def plain_translator(task: MachineTranslation) -> PlainWriter[PairBatch]:
    """The same network as the task's, with weights of its own."""
    rate = 0.0 if task.config.regularizer.rule == "none" else task.config.regularizer.dropout
    network = (_Attention if task.config.model.architecture == "attention" else _Sequence)(task, rate)
    return PlainWriter(network, _source, task.config.training.label_smoothing).to(task.device)


def _source(batch: PairBatch) -> Tensor:
    return batch.source


def weights_of(task: MachineTranslation) -> dict[str, Tensor]:
    """Those of the task's network, by what they are called in the plain one."""
    architecture, named = task.config.model.architecture, task.model.state_dict(keep_vars=True)
    weights = {_plain_name(name, architecture): value for name, value in named.items()}
    return {**weights, "embedding.weight": task.model.decoder.embedding.scale * weights["embedding.weight"]}


def _plain_name(name: str, architecture: str) -> str:
    part, *rest = name.split(".")
    if part == "embedding":  # the encoder's
        return ".".join(["source", *rest])
    if part == "encoder" and architecture == "attention":  # encoder.ahead.0.layers.0.weight_ih_l0
        direction, layer, weight = rest[0], rest[1], rest[-1]
        return f"encoder.{weight[:-1]}{layer}{'_reverse' if direction == 'back' else ''}"
    if "layers" in rest:  # decoder.lstm.layers.0.weight_ih_l0
        layer, weight = rest[-2:]
        lstm = "encoder" if part == "encoder" and architecture == "sequence" else "lstm"
        is_cell = architecture == "attention"
        return f"cells.{layer}.{weight.removesuffix('_l0')}" if is_cell else f"{lstm}.{weight[:-1]}{layer}"
    return ".".join(rest).removeprefix("attention.")


class _Sequence(PlainSequence):
    def __init__(self, task: MachineTranslation, rate: float) -> None:
        model, words = task.config.model, task.tokenizers
        width, size, num_layers = model.embedding_size, model.hidden_size, model.num_layers
        super().__init__(width, size, num_layers, len(words.target.vocabulary), rate)
        self.source = nn.Embedding(len(words.source.vocabulary), width)
        own = nn.LSTM(width, size, num_layers, dropout=self.lstm.dropout)
        self.encoder = self.lstm if model.architecture == "stream" else own

    def start(self, given: Tensor) -> LayerState:
        state: LayerState = self.encoder(self.dropout(self.source(given)))[1]
        return state


class _Attention(PlainAttention):
    def __init__(self, task: MachineTranslation, rate: float) -> None:
        model, words = task.config.model, task.tokenizers
        width, size, num_layers = model.embedding_size, model.hidden_size, model.num_layers
        super().__init__(width, size, num_layers, len(words.target.vocabulary), rate)
        self.source = nn.Embedding(len(words.source.vocabulary), width)
        between = rate if num_layers > 1 else 0.0
        self.encoder = nn.LSTM(width, size // 2, num_layers, bidirectional=True, dropout=between)

    def start(self, given: Tensor) -> AttentionState:
        memory, final = self.encoder(self.dropout(self.source(given)))
        memory = self.dropout(memory).transpose(0, 1)
        states = [_joined(final, layer) for layer in range(len(self.cells))]
        return memory, self.key(memory), states, torch.zeros_like(states[0][0])


def _joined(final: LayerState, layer: int) -> LayerState:
    hidden, cell = (torch.cat([part[2 * layer], part[2 * layer + 1]], -1) for part in final)
    return hidden, cell
