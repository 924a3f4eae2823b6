"""Slips that nobody can see, by their ids, each with the reason."""

from typing import Final

EQUIVALENT: Final[dict[str, str]] = {}
