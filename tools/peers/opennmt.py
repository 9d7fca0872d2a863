"""OpenNMT-py's beam search around our decoders, their weights copied into its modules (Klein et al. 2017).

It installs beside torch without changing it, in an environment of its own: docs/results/speed/decoding.md says how.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lstmdrop.nn.decoder import AttentionDecoder, PlainDecoder

Found = list[tuple[tuple[int, ...], float]]
"""Of each input the tokens of the best hypothesis, without its end, and their log-probability."""


def translator(model: Any, eos: int, unk: int, beam_size: int, longest: int, encoder: nn.Module | None = None) -> Any:
    """Their translator around our model; ``encoder`` stands in for theirs where the input is no text.

    It ranks as ours does with a length penalty of 0: by log-probability alone.
    """
    import onmt.models
    from onmt.translate import GNMTGlobalScorer, Translator

    decoder = _decoder(model.decoder, is_bidirectional=encoder is None)
    network = onmt.models.NMTModel(_text_encoder(model) if encoder is None else encoder, decoder)
    network.generator = model.decoder.softmax
    words = _Words({"</s>": eos, "<s>": eos, "<unk>": unk}, model.decoder.softmax.out_features)
    return Translator(
        network.eval(), {"tgt": words, "decoder_start_token": "<s>"}, beam_size=beam_size, max_length=longest,
        max_length_ratio=0, ban_unk_token=True, report_score=False,
        global_scorer=GNMTGlobalScorer(alpha=1.0, beta=0.0, length_penalty="none", coverage_penalty="none"),
    )  # fmt: skip


def search(translator: Any, batches: Sequence[Mapping[str, Tensor]], eos: int) -> Found:
    """The best of each input, batch by batch."""
    found: Found = []
    for batch in batches:
        results = translator.translate_batch(dict(batch), attn_debug=False)
        for (tokens, *_), (score, *_) in zip(results["predictions"], results["scores"], strict=True):
            said = [token for token in tokens.tolist() if token != eos]
            found.append((tuple(said), float(score)))
    return found


class Encoded(nn.Module):
    """Our encoder with the face of theirs: memory, first state, lengths."""

    def __init__(self, encode: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self._encode = encode

    def forward(self, src: Tensor, src_len: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor], Tensor]:
        """Of what our ``encode`` takes."""
        state = self._encode(src)
        if hasattr(state, "memory"):
            return state.memory.values, tuple(state.lstm), src_len
        return src.new_zeros(len(src), 1, 1), tuple(state), src_len


class _Words(dict[str, int]):
    """Numbers of the tokens that their search asks for."""

    def __init__(self, numbers: Mapping[str, int], size: int) -> None:
        super().__init__(numbers)
        self._size = size

    def __len__(self) -> int:
        return self._size

    def lookup_token(self, token: str) -> int:
        """-1 for what our vocabularies do not have: nothing is padded or separated in a search."""
        return self.get(token, -1)


def _text_encoder(model: Any) -> nn.Module:
    from onmt.encoders import str2enc

    ours = model.encoder
    layers = _lstms(ours.ahead)
    embeddings = _embeddings(model.embedding.weight)
    theirs = str2enc["rnn"]("LSTM", True, len(layers), 2 * layers[0].hidden_size, 0.0, embeddings)
    for number, (ahead, back) in enumerate(zip(_lstms(ours.ahead), _lstms(ours.back), strict=True)):
        for suffix, layer in (("", ahead), ("_reverse", back)):
            for name, weight in layer.named_parameters():
                getattr(theirs.rnn, name.replace("_l0", f"_l{number}{suffix}")).data.copy_(weight.data)
    network: nn.Module = theirs
    return network


def _decoder(ours: AttentionDecoder | PlainDecoder, *, is_bidirectional: bool) -> nn.Module:
    from onmt.decoders import str2dec

    has_attention = isinstance(ours, AttentionDecoder)
    layers = list(ours.lstm.layers)
    theirs = str2dec["ifrnn" if has_attention else "rnn"](
        "LSTM", is_bidirectional, len(layers), ours.lstm.hidden_size,
        attn_type="general" if has_attention else "none", embeddings=_embeddings(ours.embedding(_all_words(ours))),
    )  # fmt: skip
    for number, layer in enumerate(layers):
        for name, weight in layer.named_parameters():
            part = theirs.rnn.layers[number] if has_attention else theirs.rnn
            own = name.removesuffix("_l0") if has_attention else name.replace("_l0", f"_l{number}")
            getattr(part, own).data.copy_(weight.data)
    if isinstance(ours, AttentionDecoder):
        theirs.attn.linear_in.weight.data.copy_(ours.attention.scale * ours.attention.key.weight.data.t())
        theirs.attn.linear_out.weight.data.copy_(ours.combine.weight.data)
        if ours.gate is not None:
            theirs.attn.linear_out = _Gated(ours.gate, theirs.attn.linear_out)
    network: nn.Module = theirs
    return network


class _Gated(nn.Module):
    """Their last layer, which reads what is seen beside the state, after our gate (Xu et al. 2015)."""

    def __init__(self, gate: nn.Linear, layer: nn.Module) -> None:
        super().__init__()
        self.gate, self.layer = gate, layer

    def forward(self, both: Tensor) -> Any:
        """Of what is seen, and the state."""
        seen, state = both.chunk(2, -1)
        return self.layer(torch.cat([torch.sigmoid(self.gate(state)) * seen, state], -1))


def _embeddings(vectors: Tensor) -> Any:
    from onmt.modules import Embeddings

    words, size = vectors.shape
    theirs = Embeddings(size, words, word_padding_idx=None)
    theirs.word_lut.weight.data.copy_(vectors.detach())
    return theirs


def _all_words(decoder: AttentionDecoder | PlainDecoder) -> Tensor:
    return torch.arange(decoder.embedding.num_embeddings)


def _lstms(stack: nn.ModuleList) -> list[nn.LSTM]:
    """Of a stack of stacks of one layer each."""
    return [layer for part in stack for layer in part.layers]  # type: ignore[union-attr]
