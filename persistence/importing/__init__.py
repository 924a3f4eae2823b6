"""Taking data in."""
