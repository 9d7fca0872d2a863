"""Metrics: one file each, thin over the standard metric libraries."""
