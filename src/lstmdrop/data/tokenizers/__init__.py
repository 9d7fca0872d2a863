"""The tokenisers, one file each."""
