"""The results page: one HTML file that holds its data, its style and its charting library."""
