"""Where a part of a run is: on this machine, or in a network namespace that stands for another."""

from dataclasses import dataclass, replace
from typing import Final

from tools.stage.ports import HOST
from tools.stage.supervisor import Part


@dataclass(frozen=True)
class Machine:
    """One machine, as the parts see it."""

    address: str
    enters: tuple[str, ...] = ()
    """What a command is put behind so that it runs there."""

    def runs(self, part: Part) -> Part:
        """Give the part with its command run there."""
        return replace(part, argv=[*self.enters, *part.argv])


HERE: Final = Machine(HOST)
