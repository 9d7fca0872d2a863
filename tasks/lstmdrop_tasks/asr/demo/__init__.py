"""Speech that needs no network: a small formant synthesiser says digits."""
