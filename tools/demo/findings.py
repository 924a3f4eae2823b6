"""What is found afterwards, by code of its own: in the database with SQL, and in a charger's own memory."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import text

from persistence.session import Database

_HOLDING = text(
    "SELECT c.owner_id, c.group_id, c.version, c.sessions_blocked_by, p.owner_id AS ledger_owner,"
    " p.group_id AS ledger_group,"
    " (SELECT count(*) FROM ownership_periods o WHERE o.charge_point_id = c.id) AS periods,"
    " (SELECT count(*) FROM ownership_periods o WHERE o.charge_point_id = c.id AND o.ended_at IS NULL) AS open_periods,"
    " (SELECT count(*) FROM transfers t WHERE t.charge_point_id = c.id AND t.active) AS active,"
    " (SELECT count(*) FROM credentials k WHERE k.charge_point_id = c.id AND k.state = 'current') AS current_keys,"
    " (SELECT count(*) FROM credentials k WHERE k.charge_point_id = c.id AND k.state = 'pending'"
    "  AND k.withdrawn_at IS NULL AND k.purpose = 'transfer') AS pending_keys,"
    " (SELECT count(*) FROM charger_links l WHERE l.charge_point_id = c.id AND l.node IS NOT NULL) AS links"
    " FROM charge_points c JOIN ownership_periods p ON p.charge_point_id = c.id AND p.version = c.version"
    " WHERE c.id = :charge_point"
)
_STATES = text("SELECT state FROM transfers WHERE charge_point_id = :charge_point ORDER BY requested_at")


@dataclass(frozen=True)
class Registered:
    """What the register says of a charge point."""

    state: str
    """Of its last transfer; `refused` where none was let in."""
    owner: str
    group: str
    version: int
    keys: int = 1
    """How many current keys it has; a deleted connection has none."""

    def __str__(self) -> str:
        """Write it for the table."""
        changes = f"{self.version} change{'' if self.version == 1 else 's'}"
        return f"{self.state}: {self.owner}, {self.group}, {changes}, {'key' if self.keys else 'no key'}"


@dataclass(frozen=True)
class Remembered:
    """What a charger says of itself: the tags of its local list, and whether its password is another than before.

    Before, it had its first one, or the one that it was enrolled with.
    """

    new_password: bool
    accepts: frozenset[str] = frozenset()
    blocks: frozenset[str] = frozenset()
    available: bool = True

    def __str__(self) -> str:
        """Write it for the table."""
        words = ["new password" if self.new_password else "old password"]
        words += [f"accepts {', '.join(sorted(self.accepts))}"] if self.accepts else []
        words += [f"blocks {', '.join(sorted(self.blocks))}"] if self.blocks else []
        return "; ".join(words if self.available else [*words, "unavailable"])


async def in_database(db: Database, charge_point: str) -> tuple[Registered, list[str]]:
    """Read what is registered, and what in it contradicts itself."""
    async with db.reading() as rows:
        row = (await rows.execute(_HOLDING, {"charge_point": charge_point})).one()
        states = list(await rows.scalars(_STATES, {"charge_point": charge_point}))
    state = states[-1] if states else "refused"
    return Registered(state, row.owner_id, row.group_id, row.version, row.current_keys), _contradictions(row)


def _contradictions(row: Any) -> list[str]:
    """Say what may never be: at rest a charge point is unreserved, and its ledger says what its row says."""
    wrong = {
        "the ledger names another holder": (row.ledger_owner, row.ledger_group) != (row.owner_id, row.group_id),
        "a ledger period is missing": row.periods != row.version + 1,
        "not one ledger period is open": row.open_periods != 1,
        "it is still reserved": row.active != 0,
        "it still lets no session start": row.sessions_blocked_by is not None,
        "a key is still pending": row.pending_keys != 0,
        "it is not connected": row.links == 0 and row.current_keys != 0,
        "it is connected without a key": row.links != 0 and row.current_keys == 0,
    }
    return [what for what, is_so in wrong.items() if is_so]


def in_charger(state_file: Path, first_password: str) -> Remembered:
    """Read a simulated charger's own memory."""
    return remembered(state_file.read_text("utf-8"), first_password)


def remembered(memory: str, first_password: str) -> Remembered:
    """Read what a simulated charger has written down."""
    state = json.loads(memory)
    tags = {
        status: frozenset(tag for tag, other in state["local_list"].items() if other == status)
        for status in ("Accepted", "Blocked")
    }
    new = state["password"] not in {first_password, state["first_enrolled_with"]}
    return Remembered(new, tags["Accepted"], tags["Blocked"], state["available"])
