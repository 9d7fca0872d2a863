"""Faults made on purpose: how often each is tried, what was lost, and the document that says so."""
