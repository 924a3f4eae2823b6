"""Which changes of workflows are on: those of the release before this one, and those that operators activate."""

from collections.abc import Collection
from typing import Final

#: Patches that the release before this one knew already: going back leads to code that can replay them.
ON: Final[frozenset[str]] = frozenset()
#: Those that this release brings, off until HANDOVER_PATCHES names them. The next release moves them to ON.
OFF: Final[frozenset[str]] = frozenset()


def is_active(patch: str, named: Collection[str]) -> bool:
    """Whether a run that comes to a patch now takes the new way; one whose history says which it took keeps to that."""
    return patch in ON or patch in named


def unknown(named: Collection[str]) -> list[str]:
    """Give what is named and is no patch of this release: of a newer one, or misspelt."""
    return sorted(set(named) - ON - OFF)
