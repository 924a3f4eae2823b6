"""Temporal's client side: who starts, asks and tells workflows, and how the server is reached."""
