"""What a charging station's body does, for whoever speaks or acts for it."""

from typing import Protocol

from tools.simulator.faults import Struck
from tools.simulator.settings import Settings
from tools.simulator.state import StationState


class Body(Protocol):
    """One charging station: its traits, its memory, and what can be done with it."""

    identity: str
    model: str
    serial: str
    list_part: int
    """How many tags it takes in one message."""
    struck: Struck
    settings: Settings
    boot_due: bool
    """It is to boot on its next connection."""

    @property
    def state(self) -> StationState:
        """Its memory: change it, then `save`."""

    def save(self) -> None:
        """Put its memory on disk, then let others see the change."""

    def changed(self) -> None:
        """Let others see a change."""

    def take_password(self, password: str, *, typed: bool = False) -> None:
        """Use another password from the next connection on; one that somebody has typed in is used as it stands."""

    def prepare_restart(self) -> None:
        """End what runs, take over what waited for a restart, boot next time."""

    def open_another(self) -> None:
        """Open a second connection, while the present one stays open until the platform closes it."""

    async def reconnect(self) -> None:
        """Drop the connection and make a new one at once."""

    async def restart(self) -> None:
        """Drop the connection, be away as long as a restart takes, and boot."""

    def stop_session(self, reason: str = "Local") -> bool:
        """End the running session; False where none runs."""
