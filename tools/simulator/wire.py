"""The frames of a simulated charge point's connection, and what is wrong with them: alike in every version of OCPP."""

import json
from typing import Any, Final

from websockets.asyncio.client import ClientConnection
from websockets.frames import Frame, Opcode

from tools.simulator.faults import Fault, Step, Struck, step_of
from tools.simulator.state import StationState

_NO_FRAMES: Final = ("}{", "[]", '[7, "x", {}]', '"hello"', "[2]")
#: What a step can do without, in either version.
_DISPENSABLE: Final = frozenset(
    {
        "ClearCache",
        "ClearChargingProfile",
        "CustomerInformation",
        "GetChargingProfiles",
        "GetConfiguration",
        "GetLocalListVersion",
        "GetReport",
        "GetTransactionStatus",
        "GetVariables",
    }
)


class Wire:
    """What the OCPP library sends and receives through; `left` says what it is to do after the frame that it sent."""

    def __init__(self, socket: ClientConnection, struck: Struck, state: StationState) -> None:
        """Pass frames on over `socket`; what a key is for that it is sent follows from its `state`."""
        self._state = state
        self._socket = socket
        self._struck = struck
        self._asked: dict[str, Step | None] = {}
        self.left: Fault | None = None
        """`never-return` or `return-late`, once it has struck."""
        if struck.has(Fault.NEVER_CLOSE) or struck.has(Fault.NEVER_CLOSE, Step.ENROL):
            _never_close(socket)

    async def recv(self) -> str:
        """Receive the next frame that is for the library."""
        while True:
            text = str(await self._socket.recv())
            frame = json.loads(text)
            if frame[0] != 2:
                return text
            step = step_of(frame[2], frame[3])
            if step is Step.ROTATE:
                step = self._state.key_step
            self._asked[frame[1]] = step
            if frame[2] in _DISPENSABLE and self._struck.has(Fault.SILENT, Step.LISTS):
                continue
            error = self._error(step)
            if error is None:
                return text
            await self._socket.send(json.dumps([4, frame[1], error, "", {}]))

    def _error(self, step: Step | None) -> str | None:
        """Say which error a call is answered with."""
        if step not in {None, Step.ENROL, Step.ROTATE} and self._struck.has(Fault.NOT_SUPPORTED, step):
            return "NotImplemented"
        return "InternalError" if self._struck.has(Fault.ERROR, step) else None

    async def send(self, text: str) -> None:
        """Send a frame of the library's; before and after an answer the faults strike."""
        frame = json.loads(text)
        step = self._asked.pop(frame[1], None) if frame[0] in {3, 4} else None
        if self._struck.strikes(Fault.LOSE_REPLY, step):
            self._socket.transport.abort()
            return
        for extra in self._before(step):
            await self._socket.send(extra)
        await self._socket.send(json.dumps(_sloppy(frame)) if self._struck.has(Fault.SLOPPY, Step.LISTS) else text)
        for fault in (Fault.NEVER_RETURN, Fault.RETURN_LATE):
            if self._struck.strikes(fault, step):
                self.left = fault
                await self._socket.close()

    def _before(self, step: Step | None) -> list[str]:
        extra: list[str] = []
        if self._struck.strikes(Fault.GARBAGE, step):
            extra += _NO_FRAMES
        if self._struck.strikes(Fault.WRONG_IDS, step):
            extra += ['[3, "nobody-asked", {}]', '[4, "nobody-asked-this", "InternalError", "", {}]']
        if self._struck.strikes(Fault.OUT_OF_ORDER, step):
            extra += [json.dumps([2, f"meanwhile-{number}", "Heartbeat", {}]) for number in range(2)]
        return extra


def _sloppy(frame: list[Any]) -> list[Any]:
    """Say a frame as careless firmware does: more than there is, longer than it may be, numbers for texts."""
    *head, said = frame
    if frame[0] == 4 or not isinstance(said, dict):
        return frame
    said = {**said, "vendorExtra": 1}
    for name in ("chargePointSerialNumber", "firmwareVersion"):
        if name in said:
            said[name] = str(said[name]).ljust(60, "0")
    if "meterStop" in said:
        said |= {"meterStop": said["meterStop"] + 0.4, "idTag": "T" * 21}
    if "configurationKey" in said:
        numbers = (
            {**entry, "value": int(entry["value"])} if str(entry.get("value")).isdecimal() else entry
            for entry in said["configurationKey"]
        )
        said["configurationKey"] = list(numbers)
    return [*head, said]


def _never_close(socket: ClientConnection) -> None:
    """Keep the connection from answering a close frame."""
    send_frame = socket.protocol.send_frame

    def send(frame: Frame) -> None:
        if frame.opcode is not Opcode.CLOSE:
            send_frame(frame)

    socket.protocol.send_frame = send  # type: ignore[method-assign]
