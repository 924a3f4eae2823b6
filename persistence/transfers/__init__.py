"""Transfers and their trail, what is left of them to do, and what disagrees."""
