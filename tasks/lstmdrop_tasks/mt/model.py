"""The networks that translate: an encoder, and a decoder of the core."""

from __future__ import annotations

import torch
from jaxtyping import Int
from torch import Tensor, nn

from lstmdrop.nn.bidirectional import BidirectionalLSTM
from lstmdrop.nn.decoder import AttentionDecoder, AttentionState, PlainDecoder
from lstmdrop.nn.linear import draw_by_width, draw_uniform
from lstmdrop.nn.lstm import RegularizedLSTM
from lstmdrop.nn.recurrence import LSTMState
from lstmdrop.nn.rules import Regularizer
from lstmdrop.nn.shapes import read_backwards
from lstmdrop_tasks.mt.config import MTModelConfig


class AttentionTranslator(nn.Module):
    """A bidirectional encoder and a decoder with attention and input feeding (Luong, Pham & Manning 2015)."""

    def __init__(self, config: MTModelConfig, source_size: int, target_size: int, regularizer: Regularizer) -> None:
        super().__init__()
        size, num_layers = config.hidden_size, config.num_layers
        self.read = _backwards if config.reverse_source else _forwards
        self.embedding = nn.Embedding(source_size, config.embedding_size)
        self.encoder = BidirectionalLSTM(config.embedding_size, size // 2, num_layers, regularizer)
        self.decoder = AttentionDecoder(
            target_size, config.embedding_size, size, num_layers, size, regularizer, tied=config.tied
        )

    def encode(
        self, source: Int[Tensor, "positions batch"], lengths: Int[Tensor, " batch"] | None = None
    ) -> AttentionState:
        """The decoder starts where the encoder's directions ended; without ``lengths``, no row is padded."""
        outputs, final = self.encoder(self.embedding(self.read(source, lengths)), lengths)
        in_order = self.read(outputs, lengths)  # as the sentence has it, for alignments and for ensembles
        memory = self.decoder.attention.memory(in_order.transpose(0, 1), lengths)
        return self.decoder.start(final, memory)


class SequenceTranslator(nn.Module):
    """An LSTM reads the source, another goes on from its state (Sutskever, Vinyals & Le 2014).

    As a ``stream`` both are one: a language model over source and target (Zaremba et al. 2014, section 4.3).
    """

    def __init__(self, config: MTModelConfig, source_size: int, target_size: int, regularizer: Regularizer) -> None:
        super().__init__()
        size, num_layers, embedding_size = config.hidden_size, config.num_layers, config.embedding_size
        self.read = _backwards if config.reverse_source else _forwards
        self.embedding = nn.Embedding(source_size, embedding_size)
        writer = RegularizedLSTM(embedding_size, size, num_layers, regularizer)
        is_stream = config.architecture == "stream"
        self.encoder = writer if is_stream else RegularizedLSTM(embedding_size, size, num_layers, regularizer)
        self.decoder = PlainDecoder(target_size, embedding_size, writer, tied=config.tied)

    def encode(self, source: Int[Tensor, "positions batch"], lengths: Int[Tensor, " batch"] | None = None) -> LSTMState:
        """The state after each row's last source token; without ``lengths``, no row is padded."""
        _, state = self.encoder(self.embedding(self.read(source, lengths)), lengths=lengths)
        final: LSTMState = state
        return final


def build_translator(
    config: MTModelConfig, source_size: int, target_size: int, regularizer: Regularizer, generator: torch.Generator
) -> AttentionTranslator | SequenceTranslator:
    """The configured network for vocabularies of these sizes, its weights drawn by ``generator``."""
    network = AttentionTranslator if config.architecture == "attention" else SequenceTranslator
    model = network(config, source_size, target_size, regularizer)
    if config.init_bound is None:
        draw_by_width(model, generator)
    else:
        draw_uniform(model, config.init_bound, generator)
    return model


def _forwards(source: Tensor, lengths: Tensor | None) -> Tensor:
    return source


def _backwards(source: Tensor, lengths: Tensor | None) -> Tensor:
    ends = torch.full((source.shape[1],), source.shape[0]) if lengths is None else lengths
    return read_backwards(source, ends - 1)  # <eos> stays at the end
