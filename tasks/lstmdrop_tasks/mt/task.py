"""Machine translation: sentence pairs, a translator and its BLEU."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lstmdrop.config import SPLITS, Split
from lstmdrop.data.batching import PlannedBatches, Share, token_batches
from lstmdrop.data.text import read_lines
from lstmdrop.decoding.beam import BeamSettings, Hypothesis
from lstmdrop.decoding.hypotheses import warn_of_cut
from lstmdrop.errors import DataError
from lstmdrop.metrics.bleu import bleu_metric, translation_scores
from lstmdrop.metrics.bleu_tokenizer import TokenizerName, tokenizer_for
from lstmdrop.metrics.perplexity import LogProbs, mixture_log_probs, token_and_word_perplexity, warn_of_unknown
from lstmdrop.metrics.score import Score
from lstmdrop.nn.decoder import PADDING, Decoder, decoder_log_probs, decoder_loss
from lstmdrop.nn.rules import make_regularizer
from lstmdrop.task import Labels, Loss
from lstmdrop_tasks.mt.config import MTConfig
from lstmdrop_tasks.mt.corpora.find import find_corpus
from lstmdrop_tasks.mt.corpora.language_pair import LanguagePair, languages_of, save_pair, saved_pair
from lstmdrop_tasks.mt.corpora.oddities import oddities, require_table
from lstmdrop_tasks.mt.corpora.parallel import ParallelCorpus, ParallelText
from lstmdrop_tasks.mt.model import AttentionTranslator, SequenceTranslator, build_translator
from lstmdrop_tasks.mt.pairs import PairBatch, Pairs, Tokenizers, load_tokenizers, train_tokenizers
from lstmdrop_tasks.mt.translate import (
    LONGEST_MORE,
    Targets,
    longest_ratio,
    longest_ratio_of,
    require_one_vocabulary,
    search_settings,
    search_signature,
    translate,
)

log = logging.getLogger("lstmdrop.mt")


class MachineTranslation:
    """A translator, its sentence pairs and its scores."""

    unit = "tokens"
    most_workers = None

    def __init__(
        self,
        config: MTConfig,
        model: AttentionTranslator | SequenceTranslator,
        tokenizers: Tokenizers,
        corpus: Callable[[], ParallelCorpus],
        device: torch.device,
        targets: Targets = Targets(),  # noqa: B008 (frozen)
        languages: LanguagePair | None = None,
    ) -> None:
        self.config = config
        self.model = model
        self.tokenizers = tokenizers
        self.targets = targets
        self.languages = languages
        """None where they have no names."""
        self.device = device
        self._corpus = corpus
        self._pairs: dict[Split, Pairs] = {}

    @cached_property
    def corpus(self) -> ParallelCorpus:
        """The texts, looked for when they are first needed: translating needs none."""
        return self._corpus()

    @property
    def decoder(self) -> Decoder[Any]:
        """The part of the model that writes."""
        return self.model.decoder

    def text(self, split: Split) -> ParallelText:
        """The files of a split."""
        return self.corpus.text(split)

    def pairs(self, split: Split) -> Pairs:
        """The tokens of a split, made on first use.

        Raises:
            DataError: a text is missing or damaged.
        """
        if split not in self._pairs:
            self._pairs[split] = Pairs.of(self.text(split), self.tokenizers)
        return self._pairs[split]

    @property
    def longest_ratio(self) -> float:
        """Tokens a source token, and `LONGEST_MORE`, after which a translation is cut."""
        chosen = self.config.decoding.max_length_ratio
        return self.targets.longest_ratio if chosen is None else chosen

    def bleu_tokenizer(self, split: Split) -> TokenizerName:
        """What cuts the words of BLEU: as the settings say, else by the target language."""
        chosen = self.config.scoring.tokenize
        return (self.targets.tokenize or _auto_tokenizer(self.corpus, split)) if chosen == "auto" else chosen

    def batches(self, split: Split, *, epoch: int = 0) -> PlannedBatches[PairBatch]:
        """Pairs of like length together, in an order that the seed and the epoch determine.

        Of training, those with a side of more than ``data.max_length`` tokens are left out.

        Raises:
            DataError: all are too long.
        """
        pairs = self.pairs(split)
        longest = self.config.data.max_length
        kept = pairs.kept(longest) if split == "train" else np.arange(len(pairs))
        if len(kept) == 0:
            raise DataError(f"no pair of the {split} split has at most {longest} tokens a side")
        return self._batches(pairs, kept, epoch)

    def shared_batches(self, share: Share, *, epoch: int = 0) -> PlannedBatches[PairBatch | None]:
        """Of each training batch a worker's share of its pairs."""
        return self.batches("train", epoch=epoch).shared(share)

    def num_batches(self, split: Split) -> int:
        """Batches of one pass, the same in every epoch."""
        return len(self.batches(split))

    @property
    def labels(self) -> dict[str, Labels]:
        """The tokens of both languages."""
        source, target = len(self.tokenizers.source.vocabulary), len(self.tokenizers.target.vocabulary)
        return {"source": Labels(source), "inputs": Labels(target), "targets": Labels(target, none=(PADDING,))}

    def objective(self) -> Callable[[PairBatch], Loss]:
        """The loss under smoothed labels; its gradient is the mean over target tokens."""
        smoothing = self.config.training.label_smoothing

        def loss(batch: PairBatch) -> Loss:
            state = self.model.encode(batch.source, batch.source_lengths)
            total, plain = decoder_loss(self.decoder, batch.inputs, batch.targets, state, smoothing)
            return Loss(total, count=batch.num_targets, divisor=batch.num_targets, plain=plain)

        return loss

    def evaluate(self, split: Split, *, outputs: Path | None = None) -> Sequence[Score]:
        """BLEU and chrF of the detokenised translations, perplexity by token and by word."""
        return evaluate([self], split, outputs)

    @torch.no_grad()
    def log_probs(self, split: Split) -> LogProbs:
        """Log-probability in nats of every target token of the split, ``<eos>`` included, in the text's order."""
        self.model.eval()
        pairs = self.pairs(split)
        offsets = pairs.target.offsets
        log_probs = np.full(offsets[-1], np.nan, np.float32)
        for batch in self._batches(pairs, np.arange(len(pairs)), epoch=0):  # of training too, all are scored
            state = self.model.encode(batch.source, batch.source_lengths)
            columns = decoder_log_probs(self.decoder, batch.inputs, batch.targets, state).float().cpu().numpy()
            for column, number in enumerate(batch.numbers.tolist()):
                start, end = offsets[number], offsets[number + 1]
                log_probs[start:end] = columns[: end - start, column]
        return log_probs

    def summary(self) -> dict[str, str]:
        """Languages, sizes of vocabularies and splits, how the text was split, what cleaning left out."""
        sizes = f"{len(self.tokenizers.source.vocabulary):,} source, {len(self.tokenizers.target.vocabulary):,} target"
        rows = {"languages": f"{self.corpus.source_language} to {self.corpus.target_language}", "vocabulary": sizes}
        for split in SPLITS:
            pairs, (num_unknown, num_tokens) = self.pairs(split), self.num_unknown(split)
            size = f"{len(pairs):,} pairs, {pairs.target.store.num_tokens:,} target tokens"
            rows[split] = f"{size}, {num_unknown / num_tokens:.2%} unknown"
        rows["split"] = self.corpus.split
        rows["dropped"] = self.corpus.dropped
        lowercase = ", lower case" if self.config.scoring.lowercase else ""
        rows["scoring"] = f"BLEU of words by {self.bleu_tokenizer('valid')}{lowercase}"
        rows["longest"] = f"translations of {self.longest_ratio:g} times the source and {LONGEST_MORE} tokens"
        too_long = len(self.pairs("train")) - len(self.pairs("train").kept(self.config.data.max_length))
        return {**rows, "left out": f"{too_long:,} training pairs of more than {self.config.data.max_length} tokens"}

    def num_unknown(self, split: Split) -> tuple[int, int]:
        """How many tokens of a split, both languages, the vocabularies lack, and of how many."""
        stores = (self.pairs(split).source.store, self.pairs(split).target.store)
        return sum(store.num_unknown for store in stores), sum(store.num_tokens for store in stores)

    def data_sha256(self) -> str:
        """Hash over the contents of the three splits, both languages."""
        return hashlib.sha256("".join(self.pairs(split).sha256 for split in SPLITS).encode()).hexdigest()

    def _batches(self, pairs: Pairs, kept: np.ndarray, epoch: int) -> PlannedBatches[PairBatch]:
        lengths = np.maximum(pairs.source.lengths, pairs.target.lengths)[kept]
        generator = np.random.default_rng([self.config.seed, epoch])
        batches = token_batches(lengths, self.config.training.batch_tokens, generator)
        return PlannedBatches([kept[batch] for batch in batches], lambda numbers: pairs.batch(numbers, self.device))


def build(
    config: MTConfig, assets: Path, device: torch.device, data_dir: Path | None, scored: Sequence[Split] = ()
) -> MachineTranslation:
    """A translator with fresh weights drawn from the seed."""

    @cache
    def corpus() -> ParallelCorpus:
        pair = config.data.pair or saved_pair(assets)
        for line in oddities(config.data.name, pair, config.data.layout):
            log.warning(line)
        return find_corpus(config.data.name, pair, data_dir, config.data.layout, scored)

    if not any(assets.iterdir()):
        _prepare(config, assets, corpus())
    tokenizers, targets = load_tokenizers(assets), Targets.load(assets)
    regularizer = make_regularizer(
        config.regularizer.rule, config.regularizer.dropout, config.regularizer.recurrent_dropout
    )
    sizes = (len(tokenizers.source.vocabulary), len(tokenizers.target.vocabulary))
    model = build_translator(config.model, *sizes, regularizer, torch.Generator().manual_seed(config.seed))
    languages = languages_of(config.data.pair, assets)
    return MachineTranslation(config, model.to(device), tokenizers, corpus, device, targets, languages)


def evaluate(tasks: Iterable[MachineTranslation], split: Split, outputs: Path | None = None) -> Sequence[Score]:
    """Scores of the models' averaged probabilities; the models are in memory together.

    Raises:
        DataError: the runs are scored on different test data.
        UsageError: the models cut text into different tokens, or translate other languages.
    """
    models = list(tasks)
    if len({model.pairs(split).sha256 for model in models}) > 1:
        raise DataError("these runs differ in their test data: they cannot be scored as one")
    require_one_vocabulary(models)
    for model in models:
        model.model.eval()
    scoring, tokenize = models[0].config.scoring, models[0].bleu_tokenizer(split)
    bleu_metric(tokenize)  # or a missing part is missed after the search
    log_probs, _ = mixture_log_probs(model.log_probs(split) for model in models)
    found = _searched(models, split, search_settings(models[0].config))
    num_cut = sum(not hypothesis.finished for hypothesis in found)
    ratio = f"decoding.max_length_ratio={longest_ratio_of(models):g}"
    warn_of_cut(num_cut, len(found), f"{split} translations", ratio)
    translations = [models[0].tokenizers.target.decode(hypothesis.tokens) for hypothesis in found]
    if outputs is not None:
        (outputs / "predictions.txt").write_text("".join(f"{line}\n" for line in translations), encoding="utf-8")
        lengths = models[0].pairs(split).target.lengths
        np.savez_compressed(outputs / "log_probs.npz", log_probs=log_probs.astype(np.float32), lengths=lengths)
    references = models[0].text(split).references()
    how = {"models": str(len(models)), "data": models[0].pairs(split).sha256[:12]}
    search = {"segments": str(len(references)), **search_signature(models)}
    tokenizer, num_unknown = models[0].tokenizers.target, models[0].pairs(split).target.store.num_unknown
    num_words = sum(len(first.split()) for first, *_ in references) + len(references)
    warn_of_unknown(num_unknown, log_probs.size, f"the {split} translations")
    predicted = {"unknown": str(num_unknown), **how} if num_unknown else how
    return [
        *translation_scores(
            translations, references, {**search, **how}, tokenize=tokenize, lowercase=scoring.lowercase
        ),
        *token_and_word_perplexity(
            log_probs, tokenizer.kind, len(tokenizer.vocabulary), tokenizer.fingerprint, num_words, predicted
        ),
    ]  # fmt: skip


def translations_of(models: Sequence[MachineTranslation], split: Split, settings: BeamSettings) -> list[str]:
    """The split's source sentences, translated by the models together.

    Raises:
        UsageError: the models cut text into different tokens, or translate other languages.
    """
    target = models[0].tokenizers.target
    return [target.decode(hypothesis.tokens) for hypothesis in _searched(models, split, settings)]


def _searched(models: Sequence[MachineTranslation], split: Split, settings: BeamSettings) -> list[Hypothesis]:
    sources = list(read_lines(models[0].text(split).source))
    return [best for best, *_ in translate(models, sources, settings, models[0].config.decoding.batch_size)]


def _prepare(config: MTConfig, assets: Path, corpus: ParallelCorpus) -> None:
    """Keep in a new run what it takes from the training pairs.

    Raises:
        ConfigError: the layout of a table is given, and there is none.
        MissingPartError: what BLEU's tokeniser needs is not here; said now, or it is missed after an epoch.
    """
    require_table(config.data.name, config.data.layout)
    tokenize = _auto_tokenizer(corpus, "train")
    bleu_metric(tokenize if config.scoring.tokenize == "auto" else config.scoring.tokenize)
    tokenizers = train_tokenizers(config.data, corpus.train)
    tokenizers.save(assets)
    save_pair(assets, LanguagePair(corpus.source_language, corpus.target_language))
    ratio = longest_ratio(Pairs.of(corpus.train, tokenizers), config.data.max_length)
    Targets(ratio, tokenize).save(assets)


def _auto_tokenizer(corpus: ParallelCorpus, split: Split) -> TokenizerName:
    return tokenizer_for(corpus.target_language, read_lines(corpus.text(split).target))
