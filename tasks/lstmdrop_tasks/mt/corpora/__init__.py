"""Parallel texts: where they come from, how they are cleaned, and how they are kept."""
