"""The frames of a simulated charge point's connection, and what is wrong with them: alike in every version of OCPP."""

import json
from typing import Final

from websockets.asyncio.client import ClientConnection
from websockets.frames import Frame, Opcode

from tools.simulator.faults import Fault, Step, Struck, step_of
from tools.simulator.state import StationState

_NO_FRAMES: Final = ("}{", "[]", '[7, "x", {}]', '"hello"', "[2]")


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
            if step in {None, Step.ENROL, Step.ROTATE} or not self._struck.has(Fault.NOT_SUPPORTED, step):
                return text
            await self._socket.send(json.dumps([4, frame[1], "NotImplemented", "", {}]))

    async def send(self, text: str) -> None:
        """Send a frame of the library's; before and after an answer the faults strike."""
        frame = json.loads(text)
        step = self._asked.pop(frame[1], None) if frame[0] in {3, 4} else None
        if self._struck.strikes(Fault.LOSE_REPLY, step):
            self._socket.transport.abort()
            return
        for extra in self._before(step):
            await self._socket.send(extra)
        await self._socket.send(text)
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


def _never_close(socket: ClientConnection) -> None:
    """Keep the connection from answering a close frame."""
    send_frame = socket.protocol.send_frame

    def send(frame: Frame) -> None:
        if frame.opcode is not Opcode.CLOSE:
            send_frame(frame)

    socket.protocol.send_frame = send  # type: ignore[method-assign]
