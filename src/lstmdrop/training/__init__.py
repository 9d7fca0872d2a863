"""Training: a generator of typed events, its optimisers, schedules and checkpoints."""
