"""Slips that nobody can see, by their ids, each with the reason."""

from typing import Final

EQUIVALENT: Final[dict[str, str]] = {
    "07bf850f": "What is open has a node; the empty text is for the type checker.",
    "07d6ecdb": "At the very moment from which it is forgotten, it is forgotten by the next look.",
    "04042aa9": "At the very moment it looks once more.",
    "eb60a65c": "At the very moment of a deadline it looks once more, a millisecond later.",
    "ecec06f1": "At the very moment of a deadline it looks once more.",
    "a0c657ef": "At the very moment from which all is told, it is told a moment later.",
    "2093a206": "The next look finds that the reminder is due.",
}
