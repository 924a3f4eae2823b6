"""What somebody in front of simulated charge points can do: one order a line, `IDENTITY start TAG`, over local TCP."""

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from process import stop_requested
from tools.simulator.simulation import Station

_log = logging.getLogger(__name__)
_HELP = "say: IDENTITY start TAG | IDENTITY stop | IDENTITY password PASSWORD | IDENTITY state"


class Control:
    """Takes orders for some stations; every answer is one line of JSON."""

    def __init__(self, stations: Iterable[Station]) -> None:
        """Stand in front of `stations`."""
        self._stations = {station.identity: station for station in stations}

    @asynccontextmanager
    async def listening(self, port: int) -> AsyncIterator[None]:
        """Take orders on `port` of 127.0.0.1 inside the block."""
        server = await asyncio.start_server(self._talk, "127.0.0.1", port)
        async with server:
            yield

    async def obey(self, line: str) -> dict[str, Any]:
        """Carry out one order."""
        identity, _, order = line.strip().partition(" ")
        station = self._stations.get(identity)
        match order.split():
            case _ if station is None:
                return {"error": f"no station {identity!r}; {_HELP}"}
            case ["start", id_tag]:
                return {"session": await station.start_session(id_tag)}
            case ["stop"]:
                return {"stopped": station.stop_session()}
            case ["password", password]:
                station.take_password(password, typed=True)
                await station.reconnect()
                return {"password": "taken"}
            case ["state"]:
                return _picture(station)
            case _:
                return {"error": _HELP}

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            async for line in reader:
                answer = await self.obey(line.decode(errors="replace"))
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
        writer.close()


def _picture(station: Station) -> dict[str, Any]:
    """Show what anybody may see of a station: not its password."""
    state = station.state
    return {
        "online": station.online,
        "available": state.available,
        "session": state.session and state.session["id_tag"],
        "queued": len(state.queue),
        "local_list": state.local_list,
        "list_version": state.list_version,
        "boots": state.boots,
        "resets": state.resets,
    }


async def tell(port: int, order: str) -> Any:
    """Give an order to the stations behind `port`, and their answer back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(order.encode() + b"\n")
    answer = json.loads(await reader.readline())
    writer.close()
    await writer.wait_closed()
    return answer


async def run_all(stations: Sequence[Station], port: int) -> int:
    """Run stations until SIGTERM or SIGINT, with a control where `port` is not 0; give the exit code."""
    stop = asyncio.create_task(stop_requested().wait())
    async with contextlib.AsyncExitStack() as stack:
        if port:
            await stack.enter_async_context(Control(stations).listening(port))
        running = [asyncio.create_task(station.run(), name=station.identity) for station in stations]
        done, _ = await asyncio.wait([stop, *running], return_when=asyncio.FIRST_COMPLETED)
        for task in done - {stop}:
            _log.error("%s broke down.", task.get_name(), exc_info=task.exception())
        for task in (stop, *running):
            task.cancel()
        await asyncio.gather(stop, *running, return_exceptions=True)
    return 0 if stop in done else 1
