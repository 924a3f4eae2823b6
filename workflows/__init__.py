"""The deterministic story of a transfer."""
