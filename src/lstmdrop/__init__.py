"""Strong, trustworthy LSTMs: dropout on the non-recurrent connections, end to end on four tasks.

The functions here are the commands of the command line; they are imported when they are first used, so
that ``import lstmdrop`` costs nothing.
"""

from __future__ import annotations

import sys
from types import ModuleType

TYPE_CHECKING = False  # as typing has it, which takes a moment to import
if TYPE_CHECKING:
    from typing import Any

    from lstmdrop.commands.average import average
    from lstmdrop.commands.bench import bench
    from lstmdrop.commands.compare import compare
    from lstmdrop.commands.evaluate import evaluate
    from lstmdrop.commands.export import export
    from lstmdrop.commands.info import info
    from lstmdrop.commands.predict import predict
    from lstmdrop.commands.publish import publish
    from lstmdrop.commands.report import load_runs, report
    from lstmdrop.commands.reproduce import reproduce
    from lstmdrop.commands.serve import serve
    from lstmdrop.commands.train import train
    from lstmdrop.commands.train_ensemble import train_ensemble

__all__ = [
    "average", "bench", "compare", "evaluate", "export", "info", "load_runs", "predict", "publish", "report",
    "reproduce", "serve", "train", "train_ensemble",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'lstmdrop' has no attribute {name!r}")
    import importlib

    module = {"load_runs": "report"}.get(name, name)
    return getattr(importlib.import_module(f"lstmdrop.commands.{module}"), name)


def __dir__() -> list[str]:
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})


class _Package(ModuleType):
    def __setattr__(self, name: str, value: object) -> None:
        """Keep ``lstmdrop.report`` the command, where importing the folder of that name would take its place."""
        if not (name in __all__ and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
