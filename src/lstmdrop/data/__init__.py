"""Datasets, texts, vocabularies, tokenisers and memory-mapped token stores."""
