"""Image captioning: images, a captioner and its scores."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lstmdrop.config import SPLITS, Split
from lstmdrop.data.batching import PlannedBatches, Share
from lstmdrop.data.tokenizer import Tokenizer, load_tokenizer, train_tokenizer
from lstmdrop.decoding.beam import BeamSettings
from lstmdrop.decoding.hypotheses import warn_of_cut
from lstmdrop.errors import ConfigError, DataError, UsageError
from lstmdrop.metrics.bleu_tokenizer import CaptionCut
from lstmdrop.metrics.captions import CiderD, caption_scores, require_parts
from lstmdrop.metrics.perplexity import LogProbs, mixture_log_probs, token_and_word_perplexity
from lstmdrop.metrics.ptb_tokenizer import cut_for, python_words
from lstmdrop.metrics.score import Score
from lstmdrop.nn.decoder import PADDING, Decoder, decoder_log_probs, decoder_loss
from lstmdrop.nn.rules import make_regularizer
from lstmdrop.task import Labels, Loss
from lstmdrop_tasks.caption.captioning import caption
from lstmdrop_tasks.caption.config import CaptionConfig, CaptionDecodingConfig
from lstmdrop_tasks.caption.corpora.captioned import CaptionCorpus, oddities
from lstmdrop_tasks.caption.corpora.find import find_corpus
from lstmdrop_tasks.caption.data import CaptionBatch, CaptionData, FeaturesAbout, caption_line
from lstmdrop_tasks.caption.images.extraction import FileEncoder
from lstmdrop_tasks.caption.model import Attend, ShowTell, build_captioner
from lstmdrop_tasks.caption.self_critical import SelfCritical, copy_first_stage, load_first_stage, rewards_of

TOKENS = "tokens"

log = logging.getLogger("lstmdrop.caption")


class ImageCaptioning:
    """A captioner, its images and its scores."""

    unit = "tokens"

    def __init__(
        self,
        config: CaptionConfig,
        model: ShowTell | Attend,
        tokenizer: Tokenizer,
        about: FeaturesAbout,
        data: CaptionData,
    ) -> None:
        self.config = config
        self.model = model
        self.tokenizer = tokenizer
        self.about = about
        self.data = data
        self.device = data.device

    @property
    def decoder(self) -> Decoder[Any]:
        """The part of the model that writes."""
        return self.model.decoder

    @cached_property
    def file_encoder(self) -> FileEncoder:
        """What reads images that belong to no split; its network is loaded once, for the first of them."""
        return FileEncoder(self.config.images, self.device)

    @cached_property
    def rewards(self) -> CiderD:
        """CIDEr-D against the training captions, made when self-critical training begins."""
        return rewards_of(self.data.images("train"), self.cut)

    @cached_property
    def cut(self) -> CaptionCut:
        """What a word of a caption is where captions are compared."""
        lines = (caption for image in self.data.images("train") for caption in image.captions)
        return self.config.scoring.cut or cut_for(lines)

    def batches(self, split: Split, *, epoch: int = 0) -> PlannedBatches[CaptionBatch]:
        """Captions of like length together, in an order that the seed and the epoch determine."""
        return self.data.batches(split, self.tokenizer, epoch)

    most_workers = None

    def shared_batches(self, share: Share, *, epoch: int = 0) -> PlannedBatches[CaptionBatch | None]:
        """Of each training batch a worker's share of its captions."""
        return self.batches("train", epoch=epoch).shared(share)

    def num_batches(self, split: Split) -> int:
        """Batches of one pass, the same in every epoch."""
        return len(self.batches(split))

    @property
    def labels(self) -> dict[str, Labels]:
        """The tokens, read and predicted."""
        number = len(self.tokenizer.vocabulary)
        return {"inputs": Labels(number), "targets": Labels(number, none=(PADDING,))}

    def objective(self) -> Callable[[CaptionBatch], Loss]:
        """The loss of the published captions, its gradient the mean over tokens; or the self-critical one."""
        if self.config.objective == "self-critical":
            longest = self.config.decoding.max_length
            return SelfCritical(self.model, self.tokenizer, self.rewards, longest, self.cut)
        smoothing = self.config.training.label_smoothing

        def loss(batch: CaptionBatch) -> Loss:
            state = self.model.encode(batch.images)
            total, plain = decoder_loss(self.decoder, batch.inputs, batch.targets, state, smoothing)
            return Loss(total, count=batch.num_targets, divisor=batch.num_targets, plain=plain)

        return loss

    def evaluate(self, split: Split, *, outputs: Path | None = None) -> Sequence[Score]:
        """CIDEr-D, BLEU and ROUGE-L of the captions found by beam search, perplexity of the published ones."""
        return evaluate([self], split, outputs)

    @torch.no_grad()
    def log_probs(self, split: Split) -> LogProbs:
        """Log-probability in nats of every token of the published captions, ``<eos>`` included, in their order."""
        self.model.eval()
        offsets = self.data.captions(split, self.tokenizer).offsets
        log_probs = np.full(offsets[-1], np.nan, np.float32)
        for batch in self.data.whole_batches(split, self.tokenizer):
            state = self.model.encode(batch.images)
            columns = decoder_log_probs(self.decoder, batch.inputs, batch.targets, state).float().cpu().numpy()
            for column, number in enumerate(batch.numbers.tolist()):
                start, end = offsets[number], offsets[number + 1]
                log_probs[start:end] = columns[: end - start, column]
        return log_probs

    def summary(self) -> dict[str, str]:
        """Sizes of the splits and of the vocabulary, how the images were split, what was left out."""
        corpus = self.data.corpus
        rows = {"images": str(self.about), "vocabulary": f"{len(self.tokenizer.vocabulary):,} tokens"}
        for split in SPLITS:
            captions, num_images = self.data.captions(split, self.tokenizer), len(self.data.images(split))
            num_unknown, num_tokens = self.num_unknown(split)
            unknown = f"{num_unknown / num_tokens:.2%} unknown tokens"
            rows[split] = f"{num_images:,} images, {len(captions):,} captions, {unknown}"
        rows["split"] = corpus.split
        damaged = sum(len(self.data.damaged(split)) for split in SPLITS)
        longest = self.config.data.max_length
        too_long = int((self.data.captions("train", self.tokenizer).lengths > longest).sum())
        left_out = [
            corpus.dropped,
            f"damaged images: {damaged:,}" if damaged else "",
            f"the ends of {too_long:,} training captions of {longest} tokens or more" if too_long else "",
        ]
        return {**rows, "left out": "; ".join(filter(None, left_out))} if any(left_out) else rows

    def num_unknown(self, split: Split) -> tuple[int, int]:
        """How many tokens of a split's captions the vocabulary lacks, and of how many."""
        captions = self.data.captions(split, self.tokenizer)
        return captions.num_unknown, len(captions.tokens)

    def data_sha256(self) -> str:
        """Hash over features and captions of the three splits."""
        return self.data.data_sha256()


def build(
    config: CaptionConfig, assets: Path, device: torch.device, data_dir: Path | None, scored: Sequence[Split] = ()
) -> ImageCaptioning:
    """A captioner with fresh weights drawn from the seed, or with those of its first stage."""

    def corpus() -> CaptionCorpus:
        found = find_corpus(config.data.name, data_dir, scored, config.data.split_seed)
        known = load_tokenizer(assets / TOKENS).vocabulary.letters if (assets / TOKENS).is_dir() else None
        for line in oddities(found, known):
            log.warning(line)
        train = (caption for image in found.splits.get("train", ()) for caption in image.captions)
        if config.data.tokens == "word" and cut_for(train) == "char":
            log.warning("the captions put no blanks between words, and each counts as one: set data.tokens=character")
        return found

    data = CaptionData(config, corpus, device)
    if not any(assets.iterdir()):
        require_parts(meteor=config.scoring.meteor, spice=config.scoring.spice)  # or they are missed after an epoch
        if config.start_from is not None:
            copy_first_stage(config.start_from, assets)
        else:
            _make_tokens(config, data, assets)
        files = [image.source for image in data.images("train")]
        FeaturesAbout.of(data.store("train"), config.images, files).save(assets)
    tokenizer, about = load_tokenizer(assets / TOKENS), FeaturesAbout.load(assets)
    data.about = about
    if config.model.architecture == "attend" and about.num_positions == 0:
        raise ConfigError("model.architecture=attend looks at the places of a map; these features have a vector alone")
    regularizer = make_regularizer(
        config.regularizer.rule, config.regularizer.dropout, config.regularizer.recurrent_dropout
    )
    generator = torch.Generator().manual_seed(config.seed)
    model = build_captioner(config.model, about.num_channels, len(tokenizer.vocabulary), regularizer, generator)
    load_first_stage(model, assets)
    return ImageCaptioning(config, model.to(device), tokenizer, about, data)


def begin(task: ImageCaptioning, assets: Path) -> None:
    """Make sure that what the scores need is here, or it is missed after an epoch."""
    require_parts(meteor=task.config.scoring.meteor, spice=task.config.scoring.spice)


def evaluate(tasks: Iterable[ImageCaptioning], split: Split, outputs: Path | None = None) -> Sequence[Score]:
    """Scores of the models' averaged probabilities; the models are in memory together.

    Each model reads features of its own. A damaged image counts with an empty caption.

    Raises:
        DataError: the runs are scored on different test data.
        UsageError: the models have different vocabularies.
    """
    models = list(tasks)
    first = models[0]
    require_alike(models)
    require_parts(meteor=first.config.scoring.meteor, spice=first.config.scoring.spice)
    if len({model.data.sha256(split) for model in models}) > 1:
        raise DataError("these runs differ in their test data: they cannot be scored as one")
    log_probs, _ = mixture_log_probs(model.log_probs(split) for model in models)
    captions = _captions(models, split)
    if outputs is not None:
        (outputs / "predictions.txt").write_text("".join(f"{line}\n" for line in captions), encoding="utf-8")
        lengths = first.data.captions(split, first.tokenizer).lengths
        np.savez_compressed(outputs / "log_probs.npz", log_probs=log_probs.astype(np.float32), lengths=lengths)
    references = [image.captions for image in first.data.images(split)]
    config, scoring = first.config, first.config.scoring
    how = {"models": str(len(models)), "data": first.data.sha256(split)[:12]}
    search = {
        "references": str(sum(map(len, references))),
        "beam": str(config.decoding.beam_size),
        "length": f"{config.decoding.length_penalty:g}",
    }
    if config.decoding.max_length != CaptionDecodingConfig().max_length:
        search["max_length"] = str(config.decoding.max_length)
    scores = caption_scores(
        captions, references, {**search, **how}, cut=scoring.cut, meteor=scoring.meteor, spice=scoring.spice
    )
    return [*scores, *_perplexities(log_probs, first, references, how)]


def require_alike(models: Sequence[ImageCaptioning]) -> None:
    """Refuse models that cannot be averaged token by token.

    Raises:
        UsageError: their vocabularies differ.
    """
    if len({model.tokenizer.fingerprint for model in models}) > 1:
        raise UsageError("these runs have different vocabularies and cannot caption as one")


def _captions(models: Sequence[ImageCaptioning], split: Split) -> list[str]:
    first = models[0]
    numbers = np.arange(len(first.data.images(split)))
    settings = BeamSettings(first.config.decoding.beam_size, first.config.decoding.length_penalty)
    batch_size = first.config.decoding.batch_size
    found: list[str] = []
    num_cut = 0
    for chosen in np.split(numbers, range(batch_size, len(numbers), batch_size)):
        features = [model.data.features(split, chosen) for model in models]
        written = [best for best, *_ in caption(models, features, settings)]
        found += [first.tokenizer.decode(best.tokens) for best in written]
        num_cut += sum(not best.finished for best in written)
    warn_of_cut(num_cut, len(found), f"{split} captions", f"decoding.max_length={first.config.decoding.max_length}")
    for number in {number for model in models for number in model.data.damaged(split).tolist()}:
        found[number] = ""
    return found


def _perplexities(
    log_probs: LogProbs, task: ImageCaptioning, references: Sequence[Sequence[str]], how: dict[str, str]
) -> list[Score]:
    """By token; by word too where those differ."""
    kind, vocabulary = task.config.data.tokens, (len(task.tokenizer.vocabulary), task.tokenizer.fingerprint)
    if kind == "word":
        return [token_and_word_perplexity(log_probs, kind, *vocabulary, log_probs.size, how)[0]]
    cut = task.config.scoring.cut or cut_for(line for lines in references for line in lines)
    num_words = sum(len(python_words(line, cut).split()) + 1 for lines in references for line in lines)
    return list(token_and_word_perplexity(log_probs, kind, *vocabulary, num_words, how))


def _make_tokens(config: CaptionConfig, data: CaptionData, assets: Path) -> None:
    lines = [caption_line(caption, config.data.tokens) for image in data.images("train") for caption in image.captions]
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder) / "captions.txt"
        text.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        # pieces of subwords are counted by their learner
        min_count = config.data.min_count if config.data.tokens in ("word", "character") else 1
        tokenizer = train_tokenizer(config.data.tokens, text, min_count=min_count, max_size=config.data.vocabulary_size)
    (assets / TOKENS).mkdir()
    tokenizer.save(assets / TOKENS)
