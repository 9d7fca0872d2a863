"""Trained networks as files that other runtimes load."""
