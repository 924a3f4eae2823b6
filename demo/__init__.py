"""The demo: its data, its charge points, its script, and what keeps its processes up."""
