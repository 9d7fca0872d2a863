"""What the toolkit can do, as plain functions: the Python API that the command line calls."""
