"""Results: the paper's tables beside what the runs reached, and what dropout changed."""
