"""The operators of a run: they answer what waits for them, and see the run's end through until nothing is open."""

import asyncio
import signal
from collections import Counter
from collections.abc import Collection
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import text

from domain.trail import TOLD_OF_END
from domain.transfer import DUE, TransferWarning
from tools.chaos.errand import People, connect_afresh
from tools.chaos.site import Site

_LOOK_EVERY: Final = 5.0
#: How often a parked transfer is tried again before an operator turns it round, or leaves the step undone.
_RETRIES: Final = 2
#: How long chargers may take to come back before they are switched off and on once more.
_SWITCH_EVERY: Final = 45.0
_OPEN: Final = text(
    "SELECT EXISTS (SELECT 1 FROM requests r WHERE r.started_at IS NULL)"
    " OR EXISTS (SELECT 1 FROM requests r LEFT JOIN transfers t ON t.id = r.transfer_id WHERE t.id IS NULL)"
    " OR EXISTS (SELECT 1 FROM transfers t WHERE t.active)"
    " OR EXISTS (SELECT 1 FROM transfers t WHERE t.state <> 'refused' AND NOT EXISTS"
    "  (SELECT 1 FROM audit_events a WHERE a.subject = t.id AND a.once = :told))"
    " OR EXISTS (SELECT 1 FROM outbox o WHERE o.due_at IS NOT NULL AND o.reminder = 0)"
    " OR EXISTS (SELECT 1 FROM charge_points c LEFT JOIN charger_links l ON l.charge_point_id = c.id"
    "  WHERE l.node IS NULL)"
).bindparams(told=TOLD_OF_END)
#: What is due at each charge point, and what of it its old key opens that somebody knows.
_DUE: Final = text(
    "SELECT c.id, c.until_new_key, l.quarantined, t.warnings FROM charge_points c"
    " LEFT JOIN charger_links l ON l.charge_point_id = c.id"
    " LEFT JOIN transfers t ON t.charge_point_id = c.id AND t.due WHERE t.due OR l.quarantined"
)
#: Charge points whose place is not their charger's, but somebody's at another address, or with another key.
_TAKEN: Final = text("SELECT charge_point_id FROM charger_links WHERE node IS NULL OR address <> :host")
#: Of so many charge points whose old key is known, one keeps it to the end.
_LEFT_OF: Final = 3
_KNOWN: Final = text("SELECT id FROM charge_points WHERE until_new_key IS NOT NULL")
_BACK_WITHIN: Final = 60.0
_RUNNING: Final = 'WorkflowType = "transfer" AND ExecutionStatus = "Running"'


class Staff:
    """Olga, who is on duty from the beginning to the end."""

    def __init__(self, people: People, site: Site) -> None:
        """See through the API of `site`."""
        self._people, self._site = people, site
        self._acts: Counter[str] = Counter()
        self.parked: set[str] = set()
        """Every transfer that waited for an operator at some time."""
        self.stubborn: set[str] = set()
        """Every charge point that had to be connected afresh because it stayed in quarantine."""
        self.cloned: set[str] = set()
        """Every charge point whose owner enrolled somebody else's client, and has not typed a key since."""

    async def run(self) -> None:
        """Answer what waits for an operator until cancelled."""
        while True:
            await self.answer()
            await asyncio.sleep(_LOOK_EVERY)  # pacing: other processes' doing

    async def answer(self) -> None:
        """Retry what is parked; after that roll it back, or where that is too late, leave the step undone."""
        for transfer in await self._all(attention="operator"):
            transfer_id = str(transfer["id"])
            self.parked.add(transfer_id)
            self._acts[transfer_id] += 1
            number = self._acts[transfer_id]
            possible = [name for name in ("roll_back", "complete") if name in transfer["actions"]]
            action = possible[0] if possible and number > _RETRIES else "retry"
            body = {"action": action, "reason": f"chaos, act {number}"}
            key = f"{transfer_id}-act-{number}"
            path = f"/v1/transfers/{transfer_id}/resolve"
            await self._people.operator.command("resolve", path, key, subject=transfer_id, body=body)

    async def look_at_everything(self) -> dict[str, tuple[Any, ...]]:
        """Give what the API shows: of each transfer its state, of each charge point owner, group and version."""
        points = (await self._people.operator.get("/v1/charge-points", limit=200))["items"]
        shown: dict[str, tuple[Any, ...]] = {one["id"]: (one["state"],) for one in await self._all()}
        return shown | {one["id"]: (one["owner_id"], one["group_id"], one["version"]) for one in points}

    # --- the end --------------------------------------------------------------------------------------------------

    async def drain(self, under_way: Collection[object]) -> None:
        """Have every charger repaired and switched on, those without a key connected afresh, and wait for the rest.

        `under_way`: what people still have in hand.
        """
        self._site.repair_stations()
        switched, rounds = 0.0, 0
        loop = asyncio.get_running_loop()
        while under_way or await self._is_open():
            if loop.time() - switched > _SWITCH_EVERY:
                switched, rounds = loop.time(), rounds + 1
                await self._connect_deleted(rounds)
                if rounds > 1:  # what people have in hand comes first
                    await self._connect_known(rounds)
                    await self._connect_stubborn(rounds)
                self._site.supervisor.signal("stations", signal.SIGKILL)
            await asyncio.sleep(_LOOK_EVERY)  # pacing: other processes' doing
            await self.answer()

    async def _is_open(self) -> bool:
        """Whether anything is under way, due, not yet sent, or not yet where it belongs."""
        async with self._site.db.reading() as rows:
            if await rows.scalar(_OPEN):
                return True
            found = (await rows.execute(_DUE)).all()
        if any(not self._is_left(row) for row in found):
            return True
        return (await self._site.client.count_workflows(_RUNNING)).count > 0

    def _is_left(self, row: Any) -> bool:
        """Whether all that is due there waits for a key that nobody types."""
        waits = row.until_new_key == "quarantine" or row.id in self._site.town.attacked
        known = not DUE.intersection(row.warnings or ()) - {TransferWarning.OLD_KEY_KNOWN}
        return _keeps_known_key(row.id) and row.until_new_key is not None and (known or waits)

    async def until_back(self) -> None:
        """Wait until every charger has its place again, once nobody else is after it."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_BACK_WITHIN):
                while True:
                    async with self._site.db.reading() as rows:
                        if (await rows.execute(_TAKEN, {"host": self._site.chargers_from})).first() is None:
                            return
                    await asyncio.sleep(1)  # pacing: other processes' doing

    async def _connect_known(self, round_: int) -> None:
        """Type a new key into those whose old one is known to a former owner, and into those that lost their place.

        Some owners never do.
        """
        async with self._site.db.reading() as rows:
            known = set(await rows.scalars(_KNOWN))
        for point in self._site.town.charge_points:
            typed = point["id"] in known and not _keeps_known_key(point["id"])
            if typed or point["id"] in self.cloned:
                self.cloned.discard(point["id"])
                await connect_afresh(self._people, point, f"{point['id']}-known-{round_}")

    async def _connect_deleted(self, round_: int) -> None:
        """Connect those afresh whose connection went with a transfer since somebody connected them last."""
        connected = {one.subject: one.at for one in self._people.journal.promises if one.call == "connect"}
        ended = await self._all(state="completed") + await self._all(state="completed_with_warnings")
        deleted = {
            one["charge_point_id"]
            for one in ended
            if one["connection"] == "delete" and _at(one["finished_at"]) > _at(connected.get(one["charge_point_id"]))
        }
        for point in self._site.town.charge_points:
            if point["id"] in deleted:
                await connect_afresh(self._people, point, f"{point['id']}-afresh-{round_}")

    async def _connect_stubborn(self, round_: int) -> None:
        """Connect those afresh that were repaired and still did not take their new key.

        One that accepted it and came back with the old one too often is left in quarantine, whatever it does later.
        """
        ended = await self._all(state="completed_with_warnings")
        due = {one["charge_point_id"] for one in ended if "credentials_due" in one["warnings"]}
        for point in self._site.town.charge_points:
            if point["id"] in due:
                self.stubborn.add(str(point["id"]))
                await connect_afresh(self._people, point, f"{point['id']}-stubborn-{round_}")

    async def _all(self, **which: str) -> list[dict[str, Any]]:
        """List transfers, the latest first, page by page."""
        found: list[dict[str, Any]] = []
        cursor: str | None = ""
        while cursor is not None:
            more = {"cursor": cursor} if cursor else {}
            page = await self._people.operator.get("/v1/transfers", limit=200, **which, **more)
            found += page["items"]
            cursor = page["next"]
        return found


def _keeps_known_key(point: str) -> bool:
    """Whether nobody ever types a key there that a former owner does not know."""
    return int(point.rpartition("-")[2]) % _LEFT_OF == 0


def _at(moment: str | None) -> datetime:
    return datetime.fromisoformat(moment) if moment else datetime.min.replace(tzinfo=UTC)
