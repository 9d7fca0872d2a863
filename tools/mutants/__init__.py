"""Lines of the core broken on purpose, to see whether the tests notice."""
