"""Claims about speed and size, measured on this machine and reported, never asserted."""
