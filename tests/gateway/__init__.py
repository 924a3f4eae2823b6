"""Chargers and the gateway, over real sockets and real databases."""
