"""The operators of a run: they answer what waits for them, and see the run's end through until nothing is open."""

import asyncio
import signal
from collections import Counter
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import text

from chaos.errand import People, connect_afresh
from chaos.site import Site
from domain.trail import TOLD_OF_END

_LOOK_EVERY: Final = 5.0
#: How often a parked transfer is tried again before an operator turns it round, or leaves the step undone.
_RETRIES: Final = 2
#: How long chargers may take to come back before they are switched off and on once more.
_SWITCH_EVERY: Final = 45.0
_OPEN: Final = text(
    "SELECT EXISTS (SELECT 1 FROM requests r WHERE r.started_at IS NULL)"
    " OR EXISTS (SELECT 1 FROM requests r LEFT JOIN transfers t ON t.id = r.transfer_id WHERE t.id IS NULL)"
    " OR EXISTS (SELECT 1 FROM transfers t WHERE t.active OR t.due)"
    " OR EXISTS (SELECT 1 FROM transfers t WHERE t.state <> 'refused' AND NOT EXISTS"
    "  (SELECT 1 FROM audit_events a WHERE a.subject = t.id AND a.once = :told))"
    " OR EXISTS (SELECT 1 FROM charge_points c LEFT JOIN charger_links l ON l.charge_point_id = c.id"
    "  WHERE l.node IS NULL OR l.quarantined)"
).bindparams(told=TOLD_OF_END)
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
                if rounds > 1:
                    await self._connect_stubborn(rounds)
                self._site.supervisor.signal("stations", signal.SIGKILL)
            await asyncio.sleep(_LOOK_EVERY)  # pacing: other processes' doing
            await self.answer()

    async def _is_open(self) -> bool:
        """Whether anything is under way, due, or not yet where it belongs.

        A workflow outlives the end of its transfer while a letter of it, as that it was accepted, is still tried.
        """
        async with self._site.db.reading() as session:
            if await session.scalar(_OPEN):
                return True
        return (await self._site.client.count_workflows(_RUNNING)).count > 0

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


def _at(moment: str | None) -> datetime:
    return datetime.fromisoformat(moment) if moment else datetime.min.replace(tzinfo=UTC)
