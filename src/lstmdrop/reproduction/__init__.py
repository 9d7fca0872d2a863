"""The experiment grid: what to run, what is done, running the rest."""
