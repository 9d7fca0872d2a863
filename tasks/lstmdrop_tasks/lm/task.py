"""Language modelling: next-token prediction on streams of text, scored by perplexity."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from lstmdrop.config import SPLITS, Split
from lstmdrop.data.batching import WHOLE, Share, Variation, Window, num_windows, stream_windows
from lstmdrop.data.registry import cache_dir
from lstmdrop.data.store import TokenStore, build_store
from lstmdrop.data.text import read_lines
from lstmdrop.data.tokenizer import Tokenizer, load_tokenizer, train_tokenizer
from lstmdrop.errors import ConfigError, DataError
from lstmdrop.metrics.perplexity import LogProbs, read_log_probs
from lstmdrop.metrics.score import Score
from lstmdrop.metrics.text_units import ScoredLines
from lstmdrop.nn.rules import make_regularizer
from lstmdrop.task import Labels
from lstmdrop.training.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from lstmdrop.training.threads import MOST_SUMMED_BY_ONE
from lstmdrop_tasks.lm.adaptation import (
    NUM_STREAMS,
    SCORING_WINDOW,
    Adaptation,
    Readings,
    Weights,
    measure_gradients,
    mixed,
    read,
    said_as_trained,
    said_while_learning,
)
from lstmdrop_tasks.lm.config import LMConfig
from lstmdrop_tasks.lm.corpora import Corpus, find_corpus, text_oddities
from lstmdrop_tasks.lm.evaluation import evaluate
from lstmdrop_tasks.lm.lines import scored_lines
from lstmdrop_tasks.lm.model import LanguageModel, Penalties, StreamLoss
from lstmdrop_tasks.lm.softmax import batch_bytes, begin_softmax, described

log = logging.getLogger("lstmdrop.lm")


class LanguageModelling:
    """A language model, its text and its perplexity."""

    unit = "tokens"

    def __init__(
        self,
        config: LMConfig,
        model: LanguageModel,
        tokenizer: Tokenizer,
        device: torch.device,
        corpus: Callable[[], Corpus],
        data_dir: Path | None = None,
    ) -> None:
        self.config = config
        self.model = model
        self.tokenizer = tokenizer
        self.device = device
        self.trained_on = config.data.name
        self._corpus = corpus
        self._data_dir = data_dir
        self._stores: dict[Split, TokenStore] = {}
        self._recalled: Mapping[Split, Path] = {}
        self._lines: dict[Split, ScoredLines] = {}

    @cached_property
    def corpus(self) -> Corpus:
        """Its texts, looked for only when one is needed: sampling needs none."""
        return self._corpus()

    def store(self, split: Split) -> TokenStore:
        """The tokens of a split, made on first use.

        Raises:
            DataError: the text is missing or damaged, or has no word.
        """
        if split not in self._stores:
            text = self.corpus.text(split)
            for line in text_oddities(text):
                log.warning(line)
            store = build_store(text, self.tokenizer, cache_dir() / "tokens")
            if store.num_tokens == store.num_lines:
                raise DataError(f"{text}: there is no word in this text, only blank lines")
            self._stores[split] = store
        return self._stores[split]

    def scored_lines(self, split: Split) -> ScoredLines:
        """The sizes of the split's lines, found on first use."""
        if split not in self._lines:
            text, tokens = self.corpus.text(split), self.store(split).tokens
            self._lines[split] = scored_lines(read_lines(text), tokens, self.tokenizer)
        return self._lines[split]

    def batches(self, split: Split, *, epoch: int = 0) -> Iterator[Window]:
        """Windows of parallel streams, always in the text's own order.

        Raises:
            DataError: the text is shorter than one window.
        """
        return self._windows(split, epoch, WHOLE)

    @property
    def most_workers(self) -> int:
        """Each has a stream at least, of each part of a batch."""
        return self.config.training.batch_size // self.config.training.accumulate

    def shared_batches(self, share: Share, *, epoch: int = 0) -> Iterator[Window]:
        """The same windows, of a worker's streams alone."""
        return self._windows("train", epoch, share)

    def _windows(self, split: Split, epoch: int, share: Share) -> Iterator[Window]:
        training = self.config.training
        self._require_window(split)
        return stream_windows(
            self.store(split).tokens, training.batch_size, training.num_steps, self.device, training.accumulate,
            self._variation(epoch), share,
        )  # fmt: skip

    def _variation(self, epoch: int) -> Variation | None:
        """What an epoch of training does otherwise than the others."""
        training = self.config.training
        if not (training.random_steps or training.rotate):
            return None
        return Variation(np.random.default_rng([self.config.seed, epoch]), training.random_steps, training.rotate)

    def num_batches(self, split: Split) -> int:
        """Windows of one pass, the parts of an accumulated batch counted each."""
        self._require_window(split)
        training = self.config.training
        windows = num_windows(self.store(split).num_tokens, training.batch_size, training.num_steps)
        return windows * training.accumulate

    @property
    def sums_one_way(self) -> bool:
        """Unless another softmax multiplies by BLAS, or PyTorch takes the mean of many activations."""
        training = self.config.training
        is_short = training.batch_size * training.num_steps <= MOST_SUMMED_BY_ONE
        return self.config.model.softmax == "full" and not (training.ar or training.tar) and is_short

    @property
    def labels(self) -> dict[str, Labels]:
        """The tokens, read and predicted."""
        return dict.fromkeys(("inputs", "targets"), Labels(len(self.tokenizer.vocabulary)))

    def objective(self) -> StreamLoss:
        """A loss that starts with a zero state."""
        training = self.config.training
        return StreamLoss(self.model, Penalties(training.ar, training.tar))

    def evaluate(self, split: Split, *, outputs: Path | None = None) -> Sequence[Score]:
        """Perplexity by the exact protocol: one stream, carried state, every token after the first predicted."""
        return evaluate([self], split, outputs)

    def recall(self, outputs: Mapping[Split, Path]) -> None:
        """Take the log-probabilities that were kept in these folders in place of the model's."""
        self._recalled = outputs

    def log_probs(self, split: Split, adaptation: Adaptation | None = None) -> LogProbs:
        """Log-probability in nats of every token of the split but the first, which has no context.

        Raises:
            DataError: those of another time are to be taken, and they are missing or damaged.
        """
        if split in self._recalled:
            return read_log_probs(self._recalled[split]).log_probs
        if adaptation is not None and adaptation.signature:
            readings = self.readings(split, adaptation, [adaptation.temperature], [adaptation.theta])
            (vocabulary,) = readings.vocabulary
            return mixed(vocabulary, readings.cache[0], adaptation.weight) if adaptation.cache_size else vocabulary
        self.model.eval()
        state, parts = None, []
        for window in stream_windows(self.store(split).tokens, 1, SCORING_WINDOW, self.device):
            log_probs, state = self.model.log_probs(window.inputs, window.targets, state)
            parts.append(log_probs[:, 0].float().cpu().numpy())
        return np.concatenate(parts)

    def readings(
        self,
        split: Split,
        adaptation: Adaptation,
        temperatures: Sequence[float],
        thetas: Sequence[float],
        num_tokens: int | None = None,
    ) -> Readings:
        """One adapted pass over the split, or its first ``num_tokens``, for all temperatures and all θ of a cache.

        Raises:
            DataError: it learns as it goes, and the text that the model was trained on is not there.
        """
        self.model.eval()
        tokens, rule = self.store(split).tokens[:num_tokens], adaptation.learning
        if rule is None:
            segments = said_as_trained(self.model, tokens, self.device)
        else:
            sizes = self._gradient_sizes(rule.num_steps)
            segments = said_while_learning(self.model, tokens, self.device, rule, sizes)
        return read(segments, len(tokens) - 1, temperatures, thetas, adaptation.cache_size, f"adapting to {split}")

    def _gradient_sizes(self, num_steps: int) -> Weights:
        """Those of the training text, measured once for these weights and kept in the cache."""
        try:
            text = find_corpus(self.trained_on, self._data_dir, column=self.config.data.column).text("train")
        except DataError as error:
            raise DataError(
                f"--dynamic needs the text that the model was trained on, for the size of its gradients: {error}"
            ) from None
        store = build_store(text, self.tokenizer, cache_dir() / "tokens")
        digest = hashlib.sha256(f"{store.sha256} {num_steps} {NUM_STREAMS}".encode())
        for weight in self.model.parameters():
            digest.update(weight.detach().cpu().contiguous().numpy().tobytes())
        path = cache_dir() / "gradients" / f"{digest.hexdigest()[:32]}.safetensors"
        names = [name for name, _ in self.model.named_parameters()]
        try:
            kept = read_checkpoint(path).tensors
            return [kept[name].to(self.device) for name in names]
        except DataError:  # there is none yet, or it is damaged
            sizes = measure_gradients(self.model, store.tokens, self.device, num_steps)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_checkpoint(path, Checkpoint(dict(zip(names, sizes, strict=True))))
            return sizes

    def summary(self) -> dict[str, str]:
        """Sizes of vocabulary and splits, and how much of each split is unknown."""
        rows = {"vocabulary": f"{len(self.tokenizer.vocabulary):,} tokens", **described(self.model.softmax)}
        for split in SPLITS:
            num_unknown, num_tokens = self.num_unknown(split)
            rows[split] = f"{num_tokens:,} tokens, {num_unknown / num_tokens:.2%} unknown"
        return rows

    def num_unknown(self, split: Split) -> tuple[int, int]:
        """How many tokens of a split the vocabulary lacks, and of how many."""
        store = self.store(split)
        return store.num_unknown, store.num_tokens

    @property
    def passing_bytes(self) -> int:
        """The logits of a batch, from which the softmax makes their gradient in place."""
        return batch_bytes(self.model.softmax, self.config)

    def data_sha256(self) -> str:
        """Hash over the contents of the three splits."""
        return hashlib.sha256("".join(self.store(split).sha256 for split in SPLITS).encode()).hexdigest()

    def _require_window(self, split: Split) -> None:
        training, num_tokens = self.config.training, self.store(split).num_tokens
        needed = training.batch_size * (training.num_steps + 1)
        if num_tokens < needed:
            raise DataError(
                f"{self.corpus.text(split)}: {num_tokens} tokens are less than one window of {training.batch_size} x "
                f"{training.num_steps} steps ({needed}); use more text, "
                "or lower training.batch_size or training.num_steps"
            )


def build(
    config: LMConfig, assets: Path, device: torch.device, data_dir: Path | None, scored: Sequence[Split] = ()
) -> LanguageModelling:
    """A language model with fresh weights drawn from the seed."""

    def corpus() -> Corpus:
        return find_corpus(config.data.name, data_dir, scored, config.data.column)

    is_new = not any(assets.iterdir())
    tokenizer = _tokenizer(config, assets, corpus)
    chosen = config.regularizer
    regularizer = make_regularizer(
        chosen.rule, chosen.dropout, chosen.recurrent_dropout, chosen.input_dropout, chosen.output_dropout
    )
    generator = torch.Generator().manual_seed(config.seed)
    size = len(tokenizer.vocabulary)
    model = LanguageModel(
        config.model, size, regularizer, generator, chosen.embedding_dropout, chosen.rate_at_output
    ).to(device)
    task = LanguageModelling(config, model, tokenizer, device, corpus, data_dir)
    if is_new:
        begin_softmax(model.softmax, config, lambda: task.store("train").counts(size))
    return task


def _tokenizer(config: LMConfig, assets: Path, corpus: Callable[[], Corpus]) -> Tokenizer:
    if any(assets.iterdir()):
        return load_tokenizer(assets)
    data, found = config.data, corpus()
    if data.column is not None and not found.has_columns:
        raise ConfigError(f"data.column is for tables and JSON lines of one's own, and {data.name} has no columns")
    text = found.text("train")
    tokenizer = train_tokenizer(
        data.tokens, text, min_count=data.min_count, max_size=data.vocabulary_size, megabytes=data.vocabulary_mb
    )
    tokenizer.save(assets)
    return tokenizer
