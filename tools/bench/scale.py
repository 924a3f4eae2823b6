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
    waiting: int = 2000
    """Transfers that wait for a recipient."""
    expiring: int = 1000
    """Of these, half at most: all expire in the same second."""
    charge_points: int = 100_000
    imported: int = 100_000
    calls: int = 1000
    """Over one connection, in each round."""
    reads: int = 100
    stations: int = 5000
    overload_seconds: int = 20


FULL: Final = Scale()
SHORT: Final = Scale(
    rounds=1,
    in_flight=6,
    moves=12,
    alone=3,
    counted=3,
    waiting=40,
    expiring=20,
    charge_points=5000,
    imported=1000,
    calls=100,
    reads=20,
    stations=100,
    overload_seconds=3,
)
