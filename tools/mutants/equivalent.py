"""Slips that nobody can see, by their ids, each with the reason."""

from typing import Final

EQUIVALENT: Final[dict[str, str]] = {
    "11a93d08": "At the very moment of the expiry it is waited for no time at all, and expires.",
    "1488d3b7": "At the very moment it is looked at with the next look.",
    "a44fc2ff": "Before the change the transfer has no key: it looks, and finds none.",
    "83721612": "At the very moment from which it is of no use, it goes with the next one.",
    "b3eef443": "A claim has an address; the empty text is for the type checker.",
    "15c0d14d": "At the very moment of the end of its turn it has it still, for no time at all.",
    "186079f9": "It keeps one address less in mind; how many these are is nothing that anybody goes by.",
    "18aa4e3e": "Whoever may be held has come with a key of a charge point; it is for the type checker.",
    "1cb107a9": "Of an order whose key is proven none is pending.",
    "07d6ecdb": "At the very moment from which it is forgotten, it is forgotten by the next look.",
    "aeed85b3": "At the very moment it looks once more.",
    "6af30f10": "At the very moment of a deadline it looks once more, a millisecond later.",
    "d60ba282": "At the very moment of a deadline it looks once more.",
    "a0c657ef": "At the very moment from which all is told, it is told a moment later.",
}
