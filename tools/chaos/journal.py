"""What the run was answered: each acknowledged command, on disk before anybody goes on from it."""

import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Promise:
    """One command that the API acknowledged: what was asked, under which key, and what the answer said."""

    user: str
    call: str
    """`start`, `accept`, `decline`, `cancel`, `resolve`, `connect`; `accept_by_link` from a page."""
    subject: str
    """The transfer; of `connect` the charge point."""
    key: str
    status: int
    state: str = ""
    """Of the transfer, in the answer."""
    at: str = field(default_factory=lambda: datetime.now(UTC).isoformat())
    """When the answer was there."""


class Broken(Exception):
    """An invariant does not hold: which one, of what, and what was found instead."""

    def __init__(self, invariant: str, subject: str, found: str) -> None:
        """Say so in one line."""
        super().__init__(f"{invariant}: {subject}: {found}")
        self.invariant, self.subject, self.found = invariant, subject, found


class Journal:
    """The promises of one run, and how often what was answered."""

    def __init__(self, file: Path) -> None:
        """Write to `file`, one line of JSON a promise."""
        self._file = file.open("w", encoding="utf-8")
        self.promises: list[Promise] = []
        self.answers: Counter[str] = Counter()
        """By `<call> <status or code>`."""
        self.repeats: Counter[str] = Counter()
        """What made a client send a request again."""
        self.unknown: Counter[str] = Counter()
        """Calls that were given up without an answer."""

        self.new_keys: Counter[str] = Counter()
        """What new owners did who were asked to type a key."""

    def keep(self, promise: Promise) -> None:
        """Keep one, for good."""
        self.promises.append(promise)
        self._write(asdict(promise))

    def note(self, **facts: Any) -> None:
        """Write something else that helps to tell afterwards what happened when."""
        self._write(facts)

    def _write(self, facts: dict[str, Any]) -> None:
        self._file.write(json.dumps(facts) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()
