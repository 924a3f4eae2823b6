"""Charge points, their keys, their sockets, and who charges there."""
