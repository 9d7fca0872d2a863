"""Facts about this installation, for bug reports."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version

import torch

from lstmdrop.data.registry import cache_dir
from lstmdrop.errors import DataError
from lstmdrop.plugin import installed_tasks
from lstmdrop.result import device_name, git_commit
from lstmdrop.training.device import choose_device

PARTS = (
    "numpy",
    "safetensors",
    "sentencepiece",
    "sacrebleu",
    "mecab-python3",
    "mecab-ko",
    "jiwer",
    "soundfile",
    "soxr",
    "kaldi-native-fbank",
    "pydantic",
    "typer",
    "rich",
    "matplotlib",
    "tensorboard",
    "onnx",
    "onnxscript",
    "onnxruntime",
)


def info() -> dict[str, str]:
    """Names and values: versions, devices, optional parts, data and cache folders."""
    return {
        "lstmdrop": f"{version('lstmdrop')} (commit {git_commit() or 'unknown'})",
        "tasks": ", ".join(installed_tasks()),
        "python": f"{platform.python_version()} ({sys.executable})",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}, {os.cpu_count()} cores",
        "torch": torch.__version__,
        "device": device_name(choose_device("auto")),
        **{part: _version(part) for part in PARTS},
        "data": os.environ.get("LSTMDROP_DATA", "LSTMDROP_DATA is not set"),
        "cache": _cache(),
    }


def _cache() -> str:
    try:
        return str(cache_dir())
    except DataError as error:
        return str(error).replace("\n", "; ")


def _version(part: str) -> str:
    try:
        return version(part)
    except PackageNotFoundError:
        return "not installed"
