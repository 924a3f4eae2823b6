"""The drill of putting Handover's database back to an earlier moment, while Temporal and the chargers stay ahead."""
