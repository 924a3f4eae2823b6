"""What a simulated charge point tells the platform by itself: it boots, reports its sessions in order, and beats."""

import asyncio
from abc import ABC, abstractmethod
from typing import Any, Protocol

from ocpp.exceptions import OCPPError

from tools.simulator.body import Body
from tools.simulator.state import Report


class Calls(Protocol):
    """The OCPP library's charge point."""

    async def start(self) -> None:
        """Answer what comes in until the connection is lost."""

    async def call(self, payload: Any, *, suppress: bool) -> Any:
        """Send a call and give its result."""


class Talk(ABC):
    """One connection's own messages, one at a time; each version of OCPP spells them in its own way."""

    def __init__(self, station: Body, calls: Calls) -> None:
        """Speak for `station` over the connection of `calls`."""
        self._station = station
        self._calls = calls
        self._woken = asyncio.Event()
        self._beat_every = 300.0
        self.accepted = not station.boot_due
        """The platform has accepted it; until then it sends nothing but its BootNotification."""

    # --- how a version spells it ----------------------------------------------------------------------------------

    @abstractmethod
    def boot(self) -> Any:
        """Give the BootNotification."""

    @abstractmethod
    def status(self, status: str) -> Any:
        """Give the StatusNotification."""

    @abstractmethod
    def report(self, report: Report) -> Any:
        """Give the report of a start or a stop."""

    @abstractmethod
    def take_answer(self, report: Report, answer: Any) -> str:
        """Keep what a report's answer says, and give the status of the tag in it."""

    @abstractmethod
    def heartbeat(self) -> Any:
        """Give the Heartbeat."""

    @abstractmethod
    def meter(self, session: dict[str, Any]) -> Any:
        """Give a reading of the meter in a running session; None before the platform knows of it."""

    @abstractmethod
    def asks_for(self, id_tag: str) -> Any:
        """Give the Authorize of a tag."""

    @abstractmethod
    def allowed(self, answer: Any) -> str:
        """Give the status in an Authorize's answer."""

    # --- the talk -------------------------------------------------------------------------------------------------

    def wake(self) -> None:
        """Look for something to report."""
        self._woken.set()

    async def run(self) -> None:
        """Boot until accepted, then report what is queued, and beat when there is nothing else."""
        while not self.accepted:
            await self._boot()
        self._station.changed()
        await self._ask(self.status(self._standing()))
        while True:
            self._woken.clear()
            if not await self._deliver():
                await self._pause(1.0)  # the platform could not take it: the order is kept, the same one again
            elif not await self._pause(self._beat_every):
                await self._beat()

    async def authorize(self, id_tag: str) -> str | None:
        """Ask whether a tag may charge; None where nobody answers."""
        answer = await self._ask(self.asks_for(id_tag)) if self.accepted else None
        return self.allowed(answer) if answer else None

    async def _boot(self) -> None:
        answer = await self._ask(self.boot())
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
            answer = await self._ask(self.report(report))
            if answer is None:
                return False
            state.queue.pop(0)
            allowed = self.take_answer(report, answer)
            if report["event"] == "stopped":
                state.transactions.pop(report["key"], None)
            elif allowed != "Accepted" and state.session is not None and state.session["key"] == report["key"]:
                self._station.stop_session("DeAuthorized")
            self._station.save()
        return True

    async def _beat(self) -> None:
        state = self._station.state
        await self._ask(self.heartbeat())
        if state.session is not None and (reading := self.meter(state.session)) is not None:
            state.meter += 100
            await self._ask(reading)

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
            return await self._calls.call(request, suppress=False)
        except (OCPPError, TimeoutError):
            return None

    def _standing(self) -> str:
        if self._station.state.session is not None:
            return "Charging"
        return "Available" if self._station.state.available else "Unavailable"
