"""Pictures that need no network: small drawn scenes, and a grammar that says what is on them."""
