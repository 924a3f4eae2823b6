"""Slips that nobody can see, by their ids, each with the reason."""

from typing import Final

EQUIVALENT: Final[dict[str, str]] = {
    "00922d72": "At the very moment of a deadline it looks once more, a millisecond later.",
    "01b083a2": "The order was written just before: there always is one.",
    "06f0586d": "At the very moment of a deadline it looks once more.",
    "020c6074": "At the very moment from which all is told, it is told a moment later.",
    "04973a61": "The next look finds that the reminder is due.",
}
