"""Chaos: the invariants can fail, and the links do what they say."""
