"""Decoding: one batched engine each for every task that needs it."""
