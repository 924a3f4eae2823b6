"""What a simulated charge point remembers: one JSON file, replaced as a whole, so that a crash leaves old or new."""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tools.simulator.faults import Step

Report = dict[str, Any]
"""A start or a stop of a session: `event` (`started`, `stopped`), `key`, `at`, `meter`, and `id_tag` or `reason`."""


@dataclass
class StationState:
    """A charge point's memory, as its file holds it."""

    password: str
    enrolled_with: str | None = None
    """The first password that it was sent, in place of one that people know; empty until then."""
    first_enrolled_with: str | None = None
    """The same, and it stays when somebody types another password."""
    decoded: bool = False
    """It decodes the hex digits of the password, and authenticates with the bytes."""
    next_password: str | None = None
    """Taken at the next restart."""
    available: bool = True
    local_list: dict[str, str] = field(default_factory=dict)
    list_version: int = 0
    meter: int = 0
    session: dict[str, Any] | None = None
    """What runs: `key`, `id_tag`."""
    queue: list[Report] = field(default_factory=list)
    """Starts and stops that the platform has not confirmed yet, in order."""
    transactions: dict[str, int] = field(default_factory=dict)
    """The transaction ids of sessions whose stop is still queued."""
    boots: int = 0
    resets: int = 0
    settings: dict[str, str] = field(default_factory=dict)
    """What was set, by tools.simulator.settings.Setting."""
    cache: list[str] = field(default_factory=list)
    """The tags that it remembers by itself."""
    customers: list[str] = field(default_factory=list)
    """The tags of whoever charged."""
    profiles: list[dict[str, Any]] = field(default_factory=list)
    """Charging profiles: `id`, `purpose`, `source`."""

    @property
    def key_step(self) -> Step:
        """What a key is for that it is sent now."""
        return Step.ENROL if self.enrolled_with is None else Step.ROTATE

    def secret(self) -> bytes:
        """Give the password as it goes into the Authorization header."""
        return bytes.fromhex(self.password) if self.decoded else self.password.encode()


class StateFile:
    """A state and the file that it lives in."""

    def __init__(self, path: Path, password: str, *, enrolled: bool = False) -> None:
        """Read the state; a station without a file begins with `password`, which only it knows where it is enrolled."""
        self._path = path
        if path.exists():
            self.state = StationState(**json.loads(path.read_text("utf-8")))
        else:
            self.state = StationState(password, enrolled_with=password if enrolled else None)
            self.state.first_enrolled_with = self.state.enrolled_with
            self.save()

    def save(self) -> None:
        """Write the state so that it is on disk when this returns."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._path.with_name(f"{self._path.name}.new")
        with fresh.open("w", encoding="utf-8") as file:
            json.dump(asdict(self.state), file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
