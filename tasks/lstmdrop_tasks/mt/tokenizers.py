"""The tokens of both languages."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from lstmdrop.data.tokenizer import Tokenizer, load_tokenizer, train_tokenizer
from lstmdrop_tasks.mt.config import MTDataConfig
from lstmdrop_tasks.mt.corpora.parallel import ParallelText

JOINT, SOURCE, TARGET = "joint", "source", "target"


@dataclass(frozen=True, slots=True)
class Tokenizers:
    """How each language is cut into tokens; one object twice where they share one set."""

    source: Tokenizer
    target: Tokenizer

    @property
    def fingerprint(self) -> str:
        """Identity of both."""
        return f"{self.source.fingerprint} {self.target.fingerprint}"

    def save(self, assets: Path) -> None:
        """Write what `load_tokenizers` reads."""
        names = {JOINT: self.source} if self.source is self.target else {SOURCE: self.source, TARGET: self.target}
        for name, tokenizer in names.items():
            (assets / name).mkdir()
            tokenizer.save(assets / name)


def load_tokenizers(assets: Path) -> Tokenizers:
    """Read what `Tokenizers.save` wrote.

    Raises:
        DataError: a file is missing or damaged.
    """
    if (assets / JOINT).is_dir():
        joint = load_tokenizer(assets / JOINT)
        return Tokenizers(joint, joint)
    return Tokenizers(load_tokenizer(assets / SOURCE), load_tokenizer(assets / TARGET))


def train_tokenizers(config: MTDataConfig, text: ParallelText) -> Tokenizers:
    """Make the tokens from the training text alone.

    Raises:
        DataError: a text is missing, blank or not UTF-8.
        ConfigError: a vocabulary size leaves no room for the text's characters.
    """
    size = config.vocabulary_size
    if config.joint:
        with tempfile.TemporaryDirectory() as folder:
            joint = train_tokenizer(config.tokens, _both(text, Path(folder) / "both.txt"), max_size=size)
        return Tokenizers(joint, joint)
    target_size = config.target_vocabulary_size or size
    return Tokenizers(
        train_tokenizer(config.tokens, text.source, max_size=size),
        train_tokenizer(config.tokens, text.target, max_size=target_size),
    )


def _both(text: ParallelText, path: Path) -> Path:
    with path.open("wb") as whole:
        for side in (text.source, text.target):
            with side.open("rb") as lines:
                shutil.copyfileobj(lines, whole)
    return path
