"""Loops of other libraries around our weights, to compare with; none of them is a dependency of the package."""
