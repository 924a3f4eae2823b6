"""What a simulated charge point tells the platform by itself: it boots, reports its sessions in order, and beats."""

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ocpp.exceptions import OCPPError
from ocpp.v16 import call

if TYPE_CHECKING:
    from demo.simulation import Station
    from demo.station_commands import Commands


class Talk:
    """One connection's own messages, one at a time."""

    def __init__(self, station: "Station", commands: "Commands") -> None:
        """Speak for `station` over the connection of `commands`."""
        self._station = station
        self._commands = commands
        self._woken = asyncio.Event()
        self._beat_every = 300.0
        self.accepted = not station.boot_due
        """The platform has accepted it; until then it sends nothing but its BootNotification."""

    def wake(self) -> None:
        """Look for something to report."""
        self._woken.set()

    async def run(self) -> None:
        """Boot until accepted, then report what is queued, and beat when there is nothing else."""
        while not self.accepted:
            await self._boot()
        self._station.changed()
        await self._ask(call.StatusNotification(0, "NoError", self._status()))
        while True:
            self._woken.clear()
            if not await self._deliver():
                await self._pause(1.0)  # the platform could not take it: the order is kept, the same one again
            elif not await self._pause(self._beat_every):
                await self._beat()

    async def authorize(self, id_tag: str) -> str | None:
        """Ask whether a tag may charge; None where nobody answers."""
        answer = await self._ask(call.Authorize(id_tag)) if self.accepted else None
        return str(answer.id_tag_info["status"]) if answer else None

    async def _boot(self) -> None:
        answer = await self._ask(call.BootNotification("Simulated", "Handover demo", firmware_version="1.0"))
        if answer is None:
            await asyncio.sleep(1)
            return
        self._beat_every = float(answer.interval)
        if answer.status != "Accepted":
            await asyncio.sleep(self._beat_every)
            return
        self.accepted = True
        self._station.boot_due = False
        self._station.state.boots += 1
        self._station.save()

    async def _deliver(self) -> bool:
        """Report what is queued, oldest first; a report leaves the queue only with the platform's answer."""
        state = self._station.state
        while state.queue:
            report = state.queue[0]
            request = getattr(call, report["type"])(**report["fields"])
            if isinstance(request, call.StopTransaction):
                request.transaction_id = state.transactions.get(report["key"], 0)
            answer = await self._ask(request)
            if answer is None:
                return False
            state.queue.pop(0)
            if isinstance(request, call.StartTransaction):
                self._started(report["key"], answer)
            else:
                state.transactions.pop(report["key"], None)
            self._station.save()
        return True

    def _started(self, key: str, answer: Any) -> None:
        state = self._station.state
        state.transactions[key] = answer.transaction_id
        runs = state.session is not None and state.session["key"] == key
        if runs and answer.id_tag_info["status"] != "Accepted":
            self._station.stop_session("DeAuthorized")

    async def _beat(self) -> None:
        state = self._station.state
        await self._ask(call.Heartbeat())
        if state.session is not None and (transaction_id := state.transactions.get(state.session["key"])) is not None:
            state.meter += 100
            sample = {"value": str(state.meter), "measurand": "Energy.Active.Import.Register", "unit": "Wh"}
            now = datetime.now(UTC).isoformat()
            values = [{"timestamp": now, "sampled_value": [sample]}]
            await self._ask(call.MeterValues(1, values, transaction_id))

    async def _pause(self, seconds: float) -> bool:
        """Wait to be woken; False where nobody did."""
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            return False
        return True

    async def _ask(self, request: Any) -> Any:
        """Send a call; None where it is answered with an error, or not at all."""
        try:
            return await self._commands.call(request, suppress=False)
        except (OCPPError, TimeoutError):
            return None

    def _status(self) -> str:
        if self._station.state.session is not None:
            return "Charging"
        return "Available" if self._station.state.available else "Unavailable"
