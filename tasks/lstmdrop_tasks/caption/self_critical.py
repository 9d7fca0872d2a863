"""Self-critical training: drawn captions are rewarded by their CIDEr-D, against the likeliest's."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from lstmdrop.data.tokenizer import Tokenizer
from lstmdrop.decoding.beam import BeamSettings, Hypothesis, beam_search
from lstmdrop.decoding.sampling import SamplingOptions, sample_sequences
from lstmdrop.errors import ConfigError
from lstmdrop.metrics.bleu_tokenizer import CaptionCut
from lstmdrop.metrics.captions import CiderD
from lstmdrop.metrics.ptb_tokenizer import python_words
from lstmdrop.nn.decoder import PADDING, Decoder
from lstmdrop.run import Run
from lstmdrop.task import Loss
from lstmdrop.training.checkpoint import read_checkpoint, write_checkpoint
from lstmdrop_tasks.caption.corpora.captioned import CaptionedImage
from lstmdrop_tasks.caption.data import CaptionBatch
from lstmdrop_tasks.caption.model import Attend, ShowTell

NAME = "first_stage.safetensors"


def copy_first_stage(directory: Path, assets: Path) -> None:
    """Copy the assets and the best weights of a run, so that its directory is not needed any more.

    Raises:
        DataError: there is no such run, or its assets or its checkpoint are missing or damaged.
    """
    run = Run.open(directory)
    run.require_assets()
    best = run.load_best()
    shutil.copytree(run.assets, assets, dirs_exist_ok=True)
    write_checkpoint(assets / NAME, best)


def load_first_stage(model: nn.Module, assets: Path) -> None:
    """Put the weights that `copy_first_stage` kept into ``model``, if there are any.

    Raises:
        ConfigError: they are of another network.
    """
    path = assets / NAME
    if not path.exists():
        return
    try:
        model.load_state_dict(read_checkpoint(path).tensors)
    except RuntimeError:
        raise ConfigError(
            "the run of start_from has another network; take its settings over with --preset RUN/config.json"
        ) from None


END = "</s>"
"""Stands at the end of every line that is compared, or captions that break off would be rewarded as well."""


def rewards_of(images: Sequence[CaptionedImage], cut: CaptionCut) -> CiderD:
    """What captions of these images, each with ``END`` behind it, are compared with."""
    return CiderD([[f"{python_words(line, cut)} {END}" for line in image.captions] for image in images])


class SelfCritical:
    """The loss of Rennie et al. 2017, equation 8: REINFORCE with the greedy caption's reward as the baseline.

    Captions are drawn and searched without dropout; the gradient of what was drawn passes through it. The logged loss
    is the drawn captions' mean CIDEr-D, negative, over captions that end in ``END``.
    """

    def __init__(
        self, model: ShowTell | Attend, tokenizer: Tokenizer, cider: CiderD, max_length: int, cut: CaptionCut = "ptb"
    ) -> None:
        self.model = model
        self.decoder: Decoder[Any] = model.decoder
        self.tokenizer = tokenizer
        self.cider = cider
        self.max_length = max_length
        self.cut: CaptionCut = cut

    def __call__(self, batch: CaptionBatch) -> Loss:
        """Of one drawn caption for each row; the published ones serve as references only."""
        drawn, greedy = self._written(batch.images)
        owners = batch.image_numbers.tolist()
        rewards = self.cider.scores(owners, [self._line(one) for one in drawn])
        baseline = self.cider.scores(owners, [self._line(one) for one in greedy])
        advantage = torch.from_numpy((rewards - baseline).astype(np.float32)).to(batch.images.device)
        total = -(self._log_probs(batch.images, drawn) * advantage).sum()
        plain = torch.tensor(-float(rewards.sum()), device=total.device)
        return Loss(total, count=len(drawn), divisor=len(drawn), plain=plain)

    @torch.no_grad()
    def _written(self, images: Tensor) -> tuple[list[Hypothesis], list[Hypothesis]]:
        """A drawn and the greedy caption of each image, both by the network as it is in evaluation."""
        is_training = self.model.training
        self.model.eval()
        eos, unk = self.tokenizer.eos, self.tokenizer.unk
        longest = torch.full((len(images),), self.max_length, device=images.device)
        seeds = torch.randint(1 << 62, (len(images),)).tolist()
        drawn = sample_sequences(
            self.decoder, self.model.encode(images), bos=eos, eos=eos, max_lengths=longest,
            options=SamplingOptions(banned=[unk]), seeds=seeds,
        )  # fmt: skip
        greedy = beam_search(
            self.decoder, self.model.encode(images), num_rows=len(images), bos=eos, eos=eos,
            max_lengths=longest, settings=BeamSettings(beam_size=1), banned=[unk],
        )  # fmt: skip
        self.model.train(is_training)
        return drawn, [best[0] for best in greedy]

    def _line(self, hypothesis: Hypothesis) -> str:
        end = f" {END}" if hypothesis.finished else ""
        text = self.tokenizer.decode(hypothesis.tokens)
        return f"{text if self.cut == 'ptb' else python_words(text, self.cut)}{end}"

    def _log_probs(self, images: Tensor, drawn: Sequence[Hypothesis]) -> Float[Tensor, " batch"]:
        """Log-probability of each drawn caption, with its gradient."""
        eos = self.tokenizer.eos
        ends = [[eos] if one.finished else [] for one in drawn]
        columns = [torch.tensor([*one.tokens, *end], dtype=torch.long) for one, end in zip(drawn, ends, strict=True)]
        targets = torch.nn.utils.rnn.pad_sequence(columns, padding_value=PADDING).to(images.device)
        begin = targets.new_full((1, len(drawn)), eos)
        inputs = torch.cat([begin, targets[:-1].clamp(min=0)])
        features, _ = self.decoder.features(inputs, self.model.encode(images))
        log_probs = self.decoder.softmax(features).log_softmax(-1)
        taken: Tensor = log_probs.gather(-1, targets.clamp(min=0)[..., None])[..., 0]
        return taken.masked_fill(targets == PADDING, 0.0).sum(0)
