"""What a drill was like: its phases, which runs waited, how all ended."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from tools.chaos.journal import Broken, Journal
from tools.upgrade.waiting import Group


@dataclass
class Phase:
    """One part of a drill as it went."""

    name: str
    seconds: float = 0.0
    done: Counter[str] = field(default_factory=Counter)
    """What people did meanwhile, and how often."""
    notes: list[str] = field(default_factory=list)


@dataclass
class Outcome:
    """One drill as it went."""

    counts: Mapping[Group, int]
    revisions: tuple[str, str, str]
    """Of the release that is too old, of this one and of the next."""
    phases: list[Phase] = field(default_factory=list)
    waited: list[tuple[str, str, str]] = field(default_factory=list)
    """Which runs waited for the next release: the transfer's charge point, why, how long (s) they took to go on."""
    answered: str = ""
    """What somebody got who decided on one of those meanwhile."""
    ends: Mapping[str, str] = field(default_factory=dict)
    journal: Journal | None = None
    looks: int = 0
    broken: list[Broken] = field(default_factory=list)
