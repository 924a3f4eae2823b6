"""What callers read, as far as they may see it; nothing is written."""
