"""From sound files to normalised features."""
