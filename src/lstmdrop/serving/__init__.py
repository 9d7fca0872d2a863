"""Trained models behind an HTTP address: who may ask, how requests are batched, what is answered."""
