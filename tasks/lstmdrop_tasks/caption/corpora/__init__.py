"""The images and captions a model learns from."""
