"""A simulated charge point: a real OCPP client with a memory on disk, and faults on demand."""

import asyncio
import contextlib
import logging
import uuid
from base64 import b64encode
from collections.abc import Callable, Collection, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import quote, urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.typing import Subprotocol

from tools.simulator.deeds import Deeds
from tools.simulator.faults import Fault, Step, Struck, Trouble
from tools.simulator.news import News
from tools.simulator.ocpp16 import Commands16, Talk16
from tools.simulator.ocpp201 import Commands201, Talk201
from tools.simulator.settings import Setting, Settings
from tools.simulator.state import StateFile, StationState
from tools.simulator.talk import Talk
from tools.simulator.wire import Wire

_log = logging.getLogger(__name__)
_silent = logging.getLogger(f"{__name__}.sockets")
_silent.setLevel(logging.CRITICAL)
_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 10.0
#: No proxy leads back here.
_THIS_MACHINE: Final = frozenset({"127.0.0.1", "::1", "localhost"})
#: How long a station stays away that comes back late, in seconds, and one that restarts slowly.
LATE: Final = 10.0
SLOW = 25.0

Version = Literal["1.6", "2.0.1"]
_DIALECTS: Final[dict[Version, tuple[Any, type[Talk]]]] = {"1.6": (Commands16, Talk16), "2.0.1": (Commands201, Talk201)}


class Station:
    """One simulated charge point. `state` is its memory; change it through the methods only."""

    def __init__(  # noqa: PLR0913 - each is one trait
        self,
        url: str,
        identity: str,
        password: str,
        state_file: Path,
        *,
        ocpp: Version = "1.6",
        faults: Collection[Fault | Trouble] = (),
        enrolled: bool = False,
        model: str = "Handover demo",
        list_part: int = 50,
        call_timeout: float = 10,
    ) -> None:
        """Connect to `url`/`identity`; `password` counts only until there is a state file.

        `enrolled`: it was sent that password, so the next one that it is sent is a transfer's.
        """
        self.model = model
        self.identity = identity
        self.struck = Struck(faults)
        self.list_part = list_part
        """How many tags it takes in one message."""
        self._deeds = Deeds(self)
        self._ocpp = ocpp
        self._url = url
        self._file = StateFile(state_file, password, enrolled=enrolled)
        self.settings = Settings(self._file.state, self.struck, list_part)
        self._call_timeout = call_timeout
        self._socket: ClientConnection | None = None
        self._talk: Talk | None = None
        self._others: set[asyncio.Task[None]] = set()
        self._news = News()
        self._at_once = False
        self._away: Fault | None = None
        self.boot_due = True
        self.serial = f"SN-{uuid.uuid5(uuid.NAMESPACE_DNS, identity).hex[:12]}"
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
        try:
            while True:
                self._at_once = False
                try:
                    async with self._connect() as socket:
                        self.refused = 0
                        pause = _FIRST_PAUSE
                        if not self._at_once:  # else it was opened with what is not its password any more
                            await self._serve(socket)
                    while self._others:
                        await asyncio.wait(self._others)
                except InvalidHandshake as error:
                    self.refused += 1
                    _log.info("%s was not let in (%s).", self.identity, type(error).__name__)
                    self.changed()
                except (OSError, TimeoutError, ConnectionClosed) as error:
                    _log.info("%s has no connection (%s).", self.identity, type(error).__name__)
                if self._away is not None:
                    await self._stay_away(self._away)
                elif not self._at_once:
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, _LONGEST_PAUSE)
        finally:
            for other in self._others:
                other.cancel()
            await asyncio.gather(*self._others, return_exceptions=True)

    def _connect(self) -> connect:
        secret = b64encode(self.identity.encode() + b":" + self.state.secret()).decode()
        path = "" if self.struck.has(Fault.NO_IDENTITY) else quote(self.identity, safe="")
        return connect(
            f"{self._url.rstrip('/')}/{path}",
            subprotocols=None if self.struck.has(Fault.NO_SUBPROTOCOL) else [Subprotocol(f"ocpp{self._ocpp}")],
            additional_headers={"Authorization": f"Basic {secret}"},
            compression=None,
            close_timeout=1,
            logger=_silent,
            proxy=None if (urlsplit(self._url).hostname or "") in _THIS_MACHINE else True,
        )

    async def _serve(self, socket: ClientConnection) -> None:
        wire = Wire(socket, self.struck, self.state)
        commands, talk = _DIALECTS[self._ocpp]
        calls = commands(self, self._deeds, wire, self._call_timeout)
        self._socket, self._talk = socket, talk(self, calls)
        mine = self._talk
        self.changed()
        parts = [asyncio.create_task(calls.start()), asyncio.create_task(mine.run())]
        try:
            await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await _end(parts)
            self._away = self._away or wire.left
            if self._talk is mine:
                self._socket = self._talk = None
            self.changed()

    async def _stay_away(self, fault: Fault) -> None:
        self._away = None
        _log.info("%s stays away (%s).", self.identity, fault)
        if fault is Fault.NEVER_RETURN:
            await asyncio.Event().wait()
        await asyncio.sleep(SLOW if fault is Fault.SLOW_RESTART else LATE)

    def open_another(self) -> None:
        """Open a second connection, while the present one stays open until the platform closes it."""

        async def other() -> None:
            with contextlib.suppress(InvalidHandshake, OSError, TimeoutError, ConnectionClosed):
                async with self._connect() as socket:
                    await self._serve(socket)

        task = asyncio.create_task(other())
        self._others.add(task)
        task.add_done_callback(self._others.discard)

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

    def take_password(self, password: str, *, typed: bool = False) -> None:
        """Use another password from the next connection on; one that somebody has typed in is used as it stands."""
        step = self.state.key_step
        self.state.password, self.state.next_password = password, None
        self.state.decoded = self.struck.has(Fault.DECODE_HEX, step) and not typed
        self.state.enrolled_with = None if typed else self.state.enrolled_with or password
        self.state.first_enrolled_with = self.state.first_enrolled_with or self.state.enrolled_with
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

    async def restart(self) -> None:
        """Drop the connection, be away as long as a restart takes, and boot."""
        if self.struck.has(Fault.SLOW_RESTART, Step.RESET):
            self._away = Fault.SLOW_RESTART
        await self.reconnect()

    async def start_session(self, id_tag: str) -> str:
        """Hold a tag to the reader: `charging`, or why not. Offline it decides by what it knows."""
        if self.state.session is not None:
            return "busy"
        if not self.state.available:
            return "unavailable"
        status = self._listed(id_tag)
        if status is None and self._talk is not None:
            status = await self._talk.authorize(id_tag)
        if status is None:
            status = self._offline(id_tag)
        if status != "Accepted":
            return status or "offline"
        if self.settings.is_on(Setting.CACHE_ENABLED) and id_tag not in self.state.cache:
            self.state.cache.append(id_tag)
        if id_tag not in self.state.customers:
            self.state.customers.append(id_tag)
        key = uuid.uuid4().hex
        self.state.session = {"key": key, "id_tag": id_tag}
        self._enqueue("started", key, id_tag=id_tag)
        return "charging"

    def _listed(self, id_tag: str) -> str | None:
        return self.state.local_list.get(id_tag) if self.settings.is_on(Setting.LIST_ENABLED) else None

    def _offline(self, id_tag: str) -> str | None:
        """Say what it makes of a tag that nobody else can judge."""
        remembered = self.settings.is_on(Setting.CACHE_ENABLED) and id_tag in self.state.cache
        return "Accepted" if remembered or self.settings.is_on(Setting.UNKNOWN_OFFLINE) else None

    def stop_session(self, reason: str = "Local") -> bool:
        """End the running session; False where none runs."""
        session, self.state.session = self.state.session, None
        if session is None:
            return False
        self.state.meter += 1500
        self._enqueue("stopped", session["key"], reason=reason)
        return True

    def _enqueue(self, event: str, key: str, **more: str) -> None:
        self.state.queue.append({"event": event, "key": key, "at": _now(), "meter": self.state.meter, **more})
        self.save()


async def _end(parts: Iterable[asyncio.Task[None]]) -> None:
    """Cancel tasks until they have ended: Python 3.11's wait_for, which the library uses, may lose a cancel."""
    pending = set(parts)
    while pending:
        for part in pending:
            part.cancel()
        _, pending = await asyncio.wait(pending, timeout=0.5)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
