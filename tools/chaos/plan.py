"""What befalls two machines while transfers go on: each thing once, after so many transfers were started."""

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import httpx
from sqlalchemy import text
from temporalio.api.enums.v1 import EventType, PendingActivityState
from temporalio.service import RPCError

from domain.errors import Unavailable
from domain.ids import NodeId, TransferId, gateway_queue, workflow_id
from tools.chaos.journal import Journal
from tools.chaos.machines import Network
from tools.chaos.site import Site
from tools.stage import plain_http

TRANSFERS: Final = 200
"""How many are started at least."""
#: How long packets are lost, in seconds; the longer one is longer than a node keeps its chargers without a database.
_CUT: Final = 30.0
_LONG_CUT: Final = 90.0
#: So long before its end the machine is looked at.
_LOOKED_AT: Final = 10.0
#: How long a drained node is away; how long it may take to stop, as deploy's containers have.
_AWAY: Final = 20.0
_STOPS_WITHIN: Final = 35.0
_WELL_WITHIN: Final = 60.0
_LOOK_EVERY: Final = 0.2
#: How long a command is waited for that is under way at the node to be drained.
_COMMAND_WITHIN: Final = 60.0
_LASTS: Final = 0.5
#: One in so many chargers is few.
_FEW: Final = 4
_OTHER: Final = {"node-1": "node-2", "node-2": "node-1"}

_HELD: Final = text("SELECT charge_point_id, generation FROM charger_links WHERE node = :node AND NOT quarantined")
_PLACES: Final = text("SELECT charge_point_id, generation, node FROM charger_links WHERE node IS NOT NULL")
_ACTIVE: Final = text(
    "SELECT t.id, l.node FROM transfers t LEFT JOIN charger_links l ON l.charge_point_id = t.charge_point_id"
    " WHERE t.active"
)
_OPEN_AT: Final = text(
    "SELECT count(*), coalesce(max(extract(epoch FROM clock_timestamp() - xact_start)), 0) FROM pg_stat_activity"
    " WHERE host(client_addr) = :address AND state LIKE 'idle in transaction%'"
)
_ENDED: Final = text("SELECT count(*) FROM transfers WHERE finished_at IS NOT NULL")
_COMMANDS: Final = "charger."
_STARTED: Final = PendingActivityState.PENDING_ACTIVITY_STATE_STARTED
_DONE: Final = "done"
_ENDS: Final = {
    EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED: ("activity_task_completed_event_attributes", _DONE),
    EventType.EVENT_TYPE_ACTIVITY_TASK_FAILED: ("activity_task_failed_event_attributes", "handed back"),
    EventType.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT: ("activity_task_timed_out_event_attributes", "not taken"),
    EventType.EVENT_TYPE_ACTIVITY_TASK_CANCELED: ("activity_task_canceled_event_attributes", "cancelled"),
}


@dataclass(frozen=True)
class Happened:
    """One thing of the plan, as it went."""

    after: int
    """How many transfers had been started."""
    seconds: float
    """Since the load began."""
    what: str
    seen: str


Deed = Callable[[], Awaitable[str]]


class Plan:
    """The plan of one run; `happened` has what is over of it."""

    def __init__(self, site: Site, network: Network, journal: Journal) -> None:
        """Do it at `site`, to what is on its machines."""
        self._site, self._network, self._journal = site, network, journal
        self._began = time.monotonic()
        self.counts: Counter[str] = Counter()
        self.happened: list[Happened] = []

    def _deeds(self) -> Sequence[tuple[int, str, Deed]]:
        """Give after how many starts what is done; one thing at a time, so that each is seen by itself."""
        postgres, temporal = self._site.server.port, self._site.stage.ports.temporal
        return (
            (10, "api-1 killed", lambda: self._kill_api("api-1", self._site.apis[0])),
            (20, "worker-1 killed", lambda: self._kill("worker-1")),
            (30, "gateway-1 killed", lambda: self._kill_gateway("gateway-1", "node-1")),
            (40, "B cut off from PostgreSQL", lambda: self._cut("postgres", _CUT, postgres)),
            (65, "B cut off from Temporal", lambda: self._cut("temporal", _CUT, temporal)),
            (90, "B cut off from both, and from the mail", lambda: self._cut("machine c", _LONG_CUT)),
            (155, "B without power", self._power_cut),
            (185, "gateway-2 drained", lambda: self._drain("gateway-2", "node-2")),
        )

    async def run(self) -> None:
        """Do all of it, and see that enough transfers were started; no packet is lost afterwards."""
        self._began = time.monotonic()
        try:
            for after, what, deed in self._deeds():
                await self._until(after)
                await self._spread()
                started, seconds = self.started(), time.monotonic() - self._began
                self._journal.note(mishap=what, started=started)
                self.counts[what] += 1
                self.happened.append(Happened(started, seconds, what, await deed()))
            await self._until(TRANSFERS)
        finally:
            await self._network.heal()

    def started(self) -> int:
        """Count the transfers that the API has acknowledged."""
        return len({promise.subject for promise in self._journal.promises if promise.call == "start"})

    # --- killed ---------------------------------------------------------------------------------------------------

    async def _kill(self, part: str) -> str:
        active = len(await self._rows(_ACTIVE))
        self._site.supervisor.signal(part, signal.SIGKILL)
        return f"{active} transfers were under way"

    async def _kill_api(self, part: str, address: str) -> str:
        seen = await self._kill(part)
        return f"{seen}; it was ready again after {await self._ready_after(address)}"

    async def _kill_gateway(self, part: str, node: str) -> str:
        held = await self._held(node)
        seen = await self._kill(part)
        return f"{seen}; {await self._moved(held)}"

    # --- cut ------------------------------------------------------------------------------------------------------

    async def _cut(self, name: str, seconds: float, *ports: int) -> str:
        """Lose the packets between B and the third machine, all or those of some ports, and look what becomes of B."""
        network = self._network
        ended, held = await self._count(_ENDED), await self._held("node-2")
        await network.cut(name, network.b, network.c, ports)
        await asyncio.sleep(seconds - _LOOKED_AT)  # pacing: the length of the cut
        api = await self._says(self._site.apis[1])
        places = Counter((await self._places(held)).values())
        transactions, oldest = (await self._rows(_OPEN_AT, address=network.b.address))[0]
        await asyncio.sleep(_LOOKED_AT)  # pacing: the same
        ended = await self._count(_ENDED) - ended
        await network.heal()
        return (
            f"{network.lost.get(name, 0)} packets lost in {seconds:g} s, in which {ended} transfers ended; "
            f"{_LOOKED_AT:g} s before its end api-2's readiness was {api}, {places['node-1']} of the {len(held)} "
            f"chargers of node-2 were at node-1, and {_transactions(transactions, oldest)}; "
            f"api-2 was ready {await self._ready_after(self._site.apis[1])} after it"
        )

    async def _power_cut(self) -> str:
        """Let B vanish from the network, and all its processes die: nobody is told that their connections ended."""
        network, held = self._network, await self._held("node-2")
        active = len(await self._rows(_ACTIVE))
        for machine in (network.a, network.c):
            await network.cut("power", network.b, machine)
        for part in ("api-2", "worker-2", "gateway-2"):
            self._site.supervisor.signal(part, signal.SIGKILL)
        moved = await self._moved(held)
        await asyncio.sleep(_CUT)  # pacing: the length of the cut
        transactions, oldest = (await self._rows(_OPEN_AT, address=network.b.address))[0]
        await network.heal()
        return (
            f"{active} transfers were under way; {moved}; {_CUT:g} s later {_transactions(transactions, oldest)}; "
            f"api-2 was ready {await self._ready_after(self._site.apis[1])} after the network was back"
        )

    # --- drained --------------------------------------------------------------------------------------------------

    async def _drain(self, part: str, node: str) -> str:
        """Stop a gateway node as at a deploy, while it is at a command; start it anew once its chargers are away."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_COMMAND_WITHIN):
                before, now = set[str](), await self._commands_of(node)
                while not before & now:  # what lasts has a charger that is slow to answer
                    await asyncio.sleep(_LASTS)
                    before, now = now, await self._commands_of(node)
        active = [TransferId(row[0]) for row in await self._rows(_ACTIVE)]
        held, since, began = await self._held(node), datetime.now(UTC), time.monotonic()
        stopping = asyncio.create_task(self._site.supervisor.take_down(part, _STOPS_WITHIN))
        moved = await self._moved(held)
        await stopping
        stopped = time.monotonic() - began
        await asyncio.sleep(_AWAY)  # pacing: as long as a new release takes to start
        left = len(await self._held(node))
        until = datetime.now(UTC)
        await self._site.supervisor.bring_up(part)
        became = Counter([end for one in active for end in await self._commands(one, node, since, until)])
        told = ", ".join(f"{count} {what}" for what, count in became.items()) or "none"
        return (
            f"{moved}; the process had ended {stopped:.1f} s after it was asked to, and {left} chargers were on record "
            f"at it {_AWAY:g} s later; commands that were under way at it, or were given to it meanwhile: {told}"
        )

    async def _commands_of(self, node: str) -> set[str]:
        """Name the commands to chargers that a node is at."""
        found: set[str] = set()
        for transfer_id, its_node in await self._rows(_ACTIVE):
            if its_node != node:
                continue
            with suppress(RPCError):
                handle = self._site.client.get_workflow_handle(workflow_id(TransferId(transfer_id)))
                pending = (await handle.describe()).raw_description.pending_activities
                found |= {
                    f"{transfer_id} {one.activity_id}"
                    for one in pending
                    if one.state == _STARTED and one.activity_type.name.startswith(_COMMANDS)
                }
        return found

    async def _commands(self, transfer_id: TransferId, node: str, since: datetime, until: datetime) -> list[str]:
        """Say what became of a transfer's commands that a node was given before `until`, and not done with `since`."""
        here, there = gateway_queue(NodeId(node)), gateway_queue(NodeId(_OTHER[node]))
        open_: dict[int, str] = {}
        found: dict[int, tuple[str, str]] = {}
        handle = self._site.client.get_workflow_handle(workflow_id(transfer_id))
        async for event in handle.fetch_history_events():
            at = event.event_time.ToDatetime(UTC)
            if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
                scheduled = event.activity_task_scheduled_event_attributes
                name = scheduled.activity_type.name
                if scheduled.task_queue.name == here and at < until:
                    open_[event.event_id] = name
                elif scheduled.task_queue.name == there:
                    again = {
                        number: f"{end}, then asked for at the other node"
                        for number, (one, end) in found.items()
                        if one == name and end != _DONE and "," not in end
                    }
                    found |= {number: (name, end) for number, end in again.items()}
            elif event.event_type in _ENDS:
                attributes, word = _ENDS[event.event_type]
                number = getattr(event, attributes).scheduled_event_id
                if number in open_ and at >= since:
                    found[number] = open_[number], word
        return [end for _, end in found.values()]

    # --- looks ----------------------------------------------------------------------------------------------------

    async def _until(self, started: int) -> None:
        while self.started() < started:  # noqa: ASYNC110 - the clients' doing
            await asyncio.sleep(_LOOK_EVERY)

    async def _spread(self) -> None:
        """Have the chargers come in anew where few are left at B: the balancer sends nobody back by itself."""
        points, began = len(self._site.town.charge_points), time.monotonic()
        if len(await self._held("node-2")) * _FEW > points:
            return
        self._site.supervisor.signal("stations", signal.SIGKILL)
        while len(await self._held("node-2")) * _FEW <= points:
            if time.monotonic() - began > _WELL_WITHIN:
                return
            await asyncio.sleep(_LOOK_EVERY)  # pacing: the chargers' doing

    async def _rows(self, query: Any, **values: str) -> Sequence[Any]:
        """Ask the database, from the router, which nothing is cut for."""
        while True:
            with suppress(Unavailable):
                async with self._site.db.reading() as rows:
                    return (await rows.execute(query, values)).all()
            await asyncio.sleep(_LOOK_EVERY)  # pacing: it is being started again

    async def _count(self, query: Any) -> int:
        return int((await self._rows(query))[0][0])

    async def _held(self, node: str) -> dict[str, int]:
        """Give the generation of each connection that a node holds."""
        return {row[0]: row[1] for row in await self._rows(_HELD, node=node)}

    async def _places(self, held: dict[str, int]) -> dict[str, str]:
        """Give the nodes of those that have a later connection by now."""
        return {
            point: node
            for point, generation, node in await self._rows(_PLACES)
            if point in held and generation > held[point]
        }

    async def _moved(self, held: dict[str, int]) -> str:
        """Wait until chargers have another connection than these, and say when and where they had it."""
        began, places = time.monotonic(), await self._places(held)
        while len(places) < len(held) and time.monotonic() - began < _WELL_WITHIN:
            await asyncio.sleep(_LOOK_EVERY)  # pacing: the chargers' doing
            places = await self._places(held)
        nodes = ", ".join(f"{count} at {node}" for node, count in sorted(Counter(places.values()).items()))
        return (
            f"{len(places)} of its {len(held)} chargers had another place within {time.monotonic() - began:.1f} s"
            f" ({nodes or 'none'})"
        )

    async def _says(self, api: str) -> str:
        try:
            async with plain_http.client(timeout=20) as client:
                return str((await client.get(f"{api}/readyz")).status_code)
        except httpx.HTTPError as error:
            return type(error).__name__

    async def _ready_after(self, api: str) -> str:
        began = time.monotonic()
        while time.monotonic() - began < _WELL_WITHIN:
            if await self._says(api) == "200":
                return f"{time.monotonic() - began:.1f} s"
            await asyncio.sleep(_LOOK_EVERY)  # pacing: another process
        return f"not within {_WELL_WITHIN:g} s"


def _transactions(number: int, oldest: float) -> str:
    return (
        f"PostgreSQL had {number} of its transactions open, the oldest for {oldest:.0f} s"
        if number
        else ("PostgreSQL had none of its transactions open")
    )
