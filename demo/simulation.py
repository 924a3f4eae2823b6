"""A simulated charge point: a real OCPP 1.6 client with a memory on disk, and faults on demand."""

import asyncio
import logging
import uuid
from base64 import b64encode
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ocpp.v16 import call
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.typing import Subprotocol

from demo.faults import Fault
from demo.news import News
from demo.station_commands import Commands
from demo.station_state import StateFile, StationState
from demo.station_talk import Talk

_log = logging.getLogger(__name__)
_silent = logging.getLogger(f"{__name__}.sockets")
_silent.setLevel(logging.CRITICAL)
_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 10.0


class Station:
    """One simulated charge point. `state` is its memory; change it through the methods only."""

    def __init__(
        self,
        url: str,
        identity: str,
        password: str,
        state_file: Path,
        *,
        faults: Collection[Fault] = (),
        list_part: int = 50,
        call_timeout: float = 10,
    ) -> None:
        """Connect to `url`/`identity`; `password` counts only until there is a state file."""
        self.identity = identity
        self.faults = frozenset(faults)
        self.settings = {
            "SupportedFeatureProfiles": "Core,LocalAuthListManagement,SmartCharging",
            "SecurityProfile": "1",
            "LocalAuthListEnabled": "true",
            "SendLocalListMaxLength": str(list_part),
            "LocalAuthListMaxLength": "500",
            "LocalPreAuthorize": "true",
            "LocalAuthorizeOffline": "true",
            "AllowOfflineTxForUnknownId": "false",
        }
        self._url = url
        self._file = StateFile(state_file, password)
        self._call_timeout = call_timeout
        self._socket: ClientConnection | None = None
        self._talk: Talk | None = None
        self._news = News()
        self._at_once = False
        self.boot_due = True
        self.refused = 0
        """How often its password was refused in a row."""

    @property
    def state(self) -> StationState:
        """Its memory."""
        return self._file.state

    @property
    def online(self) -> bool:
        """Whether it is connected and the platform has accepted it."""
        return self._talk is not None and self._talk.accepted

    @property
    def connected(self) -> bool:
        """Whether it has a connection, be it one in quarantine."""
        return self._talk is not None

    async def run(self) -> None:
        """Stay connected, with the password of the state file, until cancelled."""
        pause = _FIRST_PAUSE
        while True:
            try:
                secret = b64encode(self.identity.encode() + b":" + self.state.secret()).decode()
                async with connect(
                    f"{self._url.rstrip('/')}/{quote(self.identity, safe='')}",
                    subprotocols=[Subprotocol("ocpp1.6")],
                    additional_headers={"Authorization": f"Basic {secret}"},
                    compression=None,
                    close_timeout=1,
                    logger=_silent,
                ) as socket:
                    self.refused = 0
                    pause = _FIRST_PAUSE
                    await self._serve(socket)
            except InvalidHandshake as error:
                self.refused += 1
                _log.info("%s was not let in (%s).", self.identity, type(error).__name__)
                self.changed()
            except (OSError, TimeoutError, ConnectionClosed) as error:
                _log.info("%s has no connection (%s).", self.identity, type(error).__name__)
            if self._at_once:
                self._at_once = False
                continue
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _serve(self, socket: ClientConnection) -> None:
        commands = Commands(self, socket, self._call_timeout)
        self._socket, self._talk = socket, Talk(self, commands)
        self.changed()
        parts = [asyncio.create_task(commands.start()), asyncio.create_task(self._talk.run())]
        try:
            await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for part in parts:
                part.cancel()
            await asyncio.gather(*parts, return_exceptions=True)
            self._socket = self._talk = None
            self.changed()

    # --- what happens to it ---------------------------------------------------------------------------------------

    def save(self) -> None:
        """Put its memory on disk, then let others see the change."""
        self._file.save()
        self.changed()

    def changed(self) -> None:
        """Wake whoever waits in `until`, and its own talk."""
        if self._talk is not None:
            self._talk.wake()
        self._news.changed()

    async def until(self, true: Callable[[], Any], seconds: float = 10) -> None:
        """Wait until `true()`; raises TimeoutError."""
        await self._news.until(true, seconds)

    def take_password(self, password: str) -> None:
        """Use another password from the next connection on."""
        self.state.password, self.state.next_password = password, None
        self.state.decoded = Fault.DECODE_HEX in self.faults
        self.save()

    def prepare_restart(self) -> None:
        """End what runs, take over what waited for a restart, boot next time."""
        if self.state.session is not None:
            self.stop_session("SoftReset")
        if self.state.next_password is not None:
            self.take_password(self.state.next_password)
        self.boot_due = True

    async def reconnect(self) -> None:
        """Drop the connection and make a new one at once."""
        self._at_once = True
        if self._socket is not None:
            await self._socket.close()

    async def start_session(self, id_tag: str) -> str:
        """Hold a tag to the reader: `charging`, or why not. Offline the local list decides."""
        if self.state.session is not None:
            return "busy"
        if not self.state.available:
            return "unavailable"
        status = self.state.local_list.get(id_tag)
        if status is None and self._talk is not None:
            status = await self._talk.authorize(id_tag)
        if status != "Accepted":
            return status or "offline"
        key = uuid.uuid4().hex
        self.state.session = {"key": key, "id_tag": id_tag}
        self._enqueue(call.StartTransaction(1, id_tag, self.state.meter, _now()), key)
        return "charging"

    def stop_session(self, reason: str = "Local") -> bool:
        """End the running session; False where none runs."""
        session, self.state.session = self.state.session, None
        if session is None:
            return False
        self.state.meter += 1500
        self._enqueue(call.StopTransaction(self.state.meter, _now(), 0, reason), session["key"])
        return True

    def _enqueue(self, report: Any, key: str) -> None:
        self.state.queue.append({"type": type(report).__name__, "key": key, "fields": dict(vars(report))})
        self.save()


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
