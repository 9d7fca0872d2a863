"""What every tokeniser writes into its folder."""

from __future__ import annotations

import json
from pathlib import Path

from lstmdrop.data.atomic import atomic_file

DESCRIPTION = "tokenizer.json"
VOCABULARY = "vocabulary.json"


def write_description(directory: Path, kind: str, fingerprint: str) -> None:
    """Say which kind of tokeniser the folder holds; written last, it also says that the rest is whole."""
    text = json.dumps({"kind": kind, "fingerprint": fingerprint}, indent=2)
    with atomic_file(directory / DESCRIPTION) as handle:
        handle.write(text.encode() + b"\n")
