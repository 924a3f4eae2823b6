"""Stations of OCPP 1.6 that answer at once, take each new key, and come back with it at once.

`python -m tools.bench.rotating_stations GATEWAY_PORT COUNT`: one process, without a memory across restarts.
"""

import asyncio
import json
import sys
from base64 import b64encode
from typing import Any, Final

import uvloop
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.typing import Subprotocol

from process import leave, stop_requested

_CALL: Final = 2
_FIRST_PAUSE: Final = 0.2
_LONGEST_PAUSE: Final = 5.0
_BOOT: Final = [2, "boot", "BootNotification", {"chargePointVendor": "Bench", "chargePointModel": "Bench"}]
_LIST_SIZES: Final = [
    {"key": "SendLocalListMaxLength", "readonly": True, "value": "100"},
    {"key": "LocalAuthListMaxLength", "readonly": True, "value": "500"},
]


def identity(number: int) -> str:
    """Give a station's name."""
    return f"K{number}"


def first_key(number: int) -> str:
    """Give the key that a station has at first."""
    return f"{1_000_000 + number:040x}"


class _Station:
    """One station: its key, and the version of its local list."""

    def __init__(self, port: int, number: int) -> None:
        self._url = f"ws://127.0.0.1:{port}/ocpp/{identity(number)}"
        self._name, self._key = identity(number), first_key(number)
        self._list_version = 0
        self._boots = True

    async def stay_connected(self) -> None:
        """Connect, and again whenever the connection is lost; with growing pauses where it is refused."""
        pause = _FIRST_PAUSE
        while True:
            try:
                async with connect(self._url, **self._options()) as socket:
                    pause = _FIRST_PAUSE
                    await self._serve(socket)
            except (InvalidHandshake, OSError, ConnectionClosed, TimeoutError):
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)

    def _options(self) -> dict[str, Any]:
        secret = b64encode(f"{self._name}:{self._key}".encode()).decode()
        return {
            "subprotocols": [Subprotocol("ocpp1.6")],
            "additional_headers": {"Authorization": f"Basic {secret}"},
            "compression": None,
            "ping_interval": None,
            "proxy": None,
            "open_timeout": 30,
            "close_timeout": 1,
        }

    async def _serve(self, socket: ClientConnection) -> None:
        """Answer every call, until a new key has come."""
        if self._boots:
            await socket.send(json.dumps(_BOOT))
            self._boots = False
        async for frame in socket:
            kind, id_, *call = json.loads(frame)
            if kind != _CALL:
                continue
            action, payload = call
            await socket.send(json.dumps([3, id_, self._answer(action, payload)]))
            if action == "ChangeConfiguration" and payload["key"] == "AuthorizationKey":
                self._key = payload["value"]
                return

    def _answer(self, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        match action:
            case "GetConfiguration":
                return {"configurationKey": _LIST_SIZES}
            case "GetLocalListVersion":
                return {"listVersion": self._list_version}
            case "SendLocalList":
                self._list_version = payload["listVersion"]
            case "ClearChargingProfile":
                return {"status": "Unknown"}
        return {"status": "Accepted"}


async def _main(port: int, count: int) -> None:
    stop = stop_requested()
    stations = [asyncio.create_task(_Station(port, number).stay_connected()) for number in range(count)]
    await stop.wait()
    for station in stations:
        station.cancel()


if __name__ == "__main__":
    uvloop.run(_main(int(sys.argv[1]), int(sys.argv[2])))
    leave(0)
