"""How far the toolkit goes beyond one machine: what is measured here, and the arithmetic from it."""
