"""How much is measured: as a report wants it, or as little as shows that everything runs."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Scale:
    """Numbers of rounds, and of what is done in each."""

    rounds: int = 3
    in_flight: int = 50
    moves: int = 150
    """Of each contender, in each round."""
    alone: int = 30
    """One at a time."""
    counted: int = 20
    """Transfers of each shape whose cost is counted."""


FULL: Final = Scale()
SHORT: Final = Scale(
    rounds=1,
    in_flight=10,
    moves=20,
    alone=5,
    counted=5,
)
