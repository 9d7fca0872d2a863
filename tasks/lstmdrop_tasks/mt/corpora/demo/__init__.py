"""The demo corpus: English and French sentences from a small grammar."""
