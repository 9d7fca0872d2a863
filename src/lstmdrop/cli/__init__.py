"""The command line: parses, delegates to `lstmdrop.commands`, shows what comes back."""

from lstmdrop.cli.process import main

__all__ = ["main"]
