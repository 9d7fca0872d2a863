"""Settings before they are a configuration: presets and ``section.field=value``, laid over each other."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lstmdrop.errors import ConfigError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Layer = Mapping[str, Any]


def read_preset(path: str | Path) -> dict[str, Any]:
    """Settings from a TOML file, or from a JSON file such as a run's ``config.json``.

    Raises:
        ConfigError: the file is missing or cannot be parsed.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
        return dict(json.loads(text) if path.suffix == ".json" else tomllib.loads(text))
    except OSError as error:
        raise ConfigError(f"preset {path}: {error.strerror or error}") from None
    except (ValueError, TypeError) as error:
        raise ConfigError(f"preset {path} cannot be read: {error}") from None


def parse_override(text: str) -> dict[str, Any]:
    """``section.field=value`` as a nested mapping; the value is ``null``, TOML where it parses, or a string.

    Raises:
        ConfigError: there is no ``=``, or no key before it.
    """
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise ConfigError(f"--set {text!r}: write section.field=value")
    return nest(key.strip(), _parse_value(value.strip()))


def nest(dotted: str, value: object) -> dict[str, Any]:
    """``nest("training.clip", 5)`` is ``{"training": {"clip": 5}}``."""
    for part in reversed(dotted.split(".")):
        value = {part: value}
    return value  # type: ignore[return-value]


def merge(base: Layer, over: Layer) -> dict[str, Any]:
    """``over`` laid over ``base``, key by key at every depth."""
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        merged[key] = merge(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return merged


def flatten(tree: Layer, prefix: str = "") -> dict[str, Any]:
    """The values by dotted key: the inverse of `nest` for many of them."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        flat |= flatten(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return flat


def _parse_value(text: str) -> object:
    if text in ("None", "null"):  # "none" is a value of its own: the rule without dropout
        return None
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
