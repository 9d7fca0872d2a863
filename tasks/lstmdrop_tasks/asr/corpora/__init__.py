"""The recordings a model learns from."""
