"""What the screen shows: the only place that draws with rich and plotext."""
