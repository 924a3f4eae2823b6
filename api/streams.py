"""The event streams of one API process: one poller of the audit trails feeds them all."""

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, TypeVar

from domain.errors import RateLimited, Unavailable
from domain.ids import UserId
from domain.trail import TrailSubject
from persistence.views.audit_feed import AuditFeed, Entry

log = logging.getLogger(__name__)

#: How many entries wait in memory for one stream; one that falls further behind reads the database again.
QUEUE: Final = 64
#: How many new entries one query takes; the next query takes the rest.
_BATCH: Final = 500
#: How long, in seconds, the poller waits longest for a database that is away.
_LONGEST_WAIT: Final = 5.0


_UNDER_WAY: Final[set[asyncio.Task[Any]]] = set()
T = TypeVar("T")


async def read_unless(stopped: asyncio.Event, work: Coroutine[Any, Any, T]) -> T:
    """Wait for `work`; raises Unavailable once `stopped`.

    It goes on if the waiting is cut short, by that or by a client who leaves: a query cut off costs a connection.
    """
    task, stop = asyncio.create_task(work), asyncio.create_task(stopped.wait())
    _UNDER_WAY.add(task)
    task.add_done_callback(_let_go)
    try:
        await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stop.cancel()
    if not task.done():
        raise Unavailable("This process is about to end; try again in a moment.")
    return task.result()


def _let_go(task: asyncio.Task[Any]) -> None:
    _UNDER_WAY.discard(task)
    if not task.cancelled():
        task.exception()  # nobody may be left to ask


@dataclass(frozen=True)
class StreamOptions:
    """The settings of the streams of one process."""

    poll_every: timedelta = timedelta(milliseconds=500)
    """How often the audit trails are asked for what is new, while anybody listens."""
    check_every: timedelta = timedelta(seconds=30)
    """How often each stream's caller is looked at again: the key, and whether it may still see the trail."""
    heartbeat_every: timedelta = timedelta(seconds=15)
    """How often a comment is sent, so that nothing on the way takes the stream for dead."""
    send_timeout: timedelta = timedelta(seconds=60)
    """How long a client may read nothing before its stream is closed."""
    limit: int = 1000
    """How many streams at once; further ones get 503."""
    limit_per_user: int = 100
    """How many of them one user may have, or they could take all; further ones get 429."""


class Listener:
    """What one stream hears of one trail, in a queue that is bounded."""

    def __init__(self, place: int) -> None:
        """Begin behind `place`."""
        self.place = place
        """The last entry that the poller has seen of the trail."""
        self.over = False
        """Everything was said, up to `place`."""
        self.stopped = False
        """The process is about to end."""
        self.overrun = False
        """Entries were dropped: the database has them."""
        self._heard: deque[Entry] = deque()
        self._news = asyncio.Event()

    def hear(self, entries: list[Entry], place: int, *, over: bool) -> None:
        """Take what the poller has found."""
        self.place, self.over = place, self.over or over
        if len(self._heard) + len(entries) > QUEUE:
            self._heard.clear()
            self.overrun = True
        else:
            self._heard.extend(entries)
        self._news.set()

    def stop(self) -> None:
        """Have the stream end."""
        self.stopped = True
        self._news.set()

    def next(self) -> Entry | None:
        """Take the next entry that was heard, if there is one."""
        return self._heard.popleft() if self._heard else None

    async def wait(self, seconds: float) -> bool:
        """Wait for news, no longer than `seconds`; False where none came."""
        try:
            await asyncio.wait_for(self._news.wait(), seconds)
        except TimeoutError:
            return False
        self._news.clear()
        return True


class Streams:
    """Who listens to which trail; asks the database once a tick for all of them, and never while nobody listens.

    A database that is away delays what is new; nothing is lost, because each trail is asked from the place that it was
    read to.
    """

    def __init__(self, trails: AuditFeed, options: StreamOptions) -> None:
        """Take what reads the audit trails."""
        self.options = options
        self._trails = trails
        self._listeners: dict[TrailSubject, set[Listener]] = {}
        self._places: dict[TrailSubject, int] = {}
        self._poller: asyncio.Task[None] | None = None
        self.stopped = asyncio.Event()
        """Set once the process is about to end."""
        self._open_of = Counter[UserId]()

    @property
    def open(self) -> int:
        """How many streams there are."""
        return self._open_of.total()

    def check_share(self, user_id: UserId) -> None:
        """Raise RateLimited where a user has too many streams."""
        limit = self.options.limit_per_user
        if self._open_of[user_id] >= limit:
            raise RateLimited(f"You have {limit} event streams open; close one first.")

    def check_room(self) -> None:
        """Raise Unavailable where there are too many streams, or the process is about to end."""
        if self.stopped.is_set() or self.open >= self.options.limit:
            raise Unavailable("There are too many event streams; try again in a moment, or read the events as pages.")

    @contextmanager
    def admitted(self, user_id: UserId) -> Iterator[None]:
        """Count a user's stream inside the block."""
        self._open_of[user_id] += 1
        try:
            yield
        finally:
            self._open_of[user_id] -= 1
            self._open_of += Counter()  # forgets those with none

    @contextmanager
    def listen(self, subject: TrailSubject, place: int) -> Iterator[Listener]:
        """Hear inside the block what is new in a trail behind `place`, or behind where it is read to."""
        listener = Listener(self._places.setdefault(subject, place))
        self._listeners.setdefault(subject, set()).add(listener)
        if self.stopped.is_set():
            listener.stop()
        elif self._poller is None:
            self._poller = asyncio.create_task(self._poll())
        try:
            yield listener
        finally:
            self._listeners[subject].discard(listener)
            if not self._listeners[subject]:
                del self._listeners[subject], self._places[subject]

    async def stop(self) -> None:
        """End every stream, for good: their clients go on elsewhere."""
        self.stopped.set()
        for listener in [one for group in self._listeners.values() for one in group]:
            listener.stop()
        if self._poller is not None:
            self._poller.cancel()
            await asyncio.wait({self._poller})
        if _UNDER_WAY:
            await asyncio.wait(_UNDER_WAY, timeout=_LONGEST_WAIT)

    async def _poll(self) -> None:
        usual = self.options.poll_every.total_seconds()
        wait = usual
        try:
            while self._places:
                try:
                    more = await self._tick()
                except Unavailable:
                    more, wait = False, min(2 * wait, max(usual, _LONGEST_WAIT))
                except Exception:  # whatever it was: the streams must not fall silent for it
                    log.exception("the audit trails could not be read for the event streams")
                    more, wait = False, max(usual, _LONGEST_WAIT)
                else:
                    wait = usual
                if not more:
                    await asyncio.sleep(wait)
        finally:
            self._poller = None

    async def _tick(self) -> bool:
        """Ask once for what is new, and hand it out; True where there is more."""
        asked = dict(self._places)
        news = await read_unless(self.stopped, self._trails.news(asked, _BATCH))
        for subject in {*news.entries, *news.over}:
            place = self._places.get(subject, -1)
            if place < asked[subject]:  # who listened has left meanwhile; if others came, they began further back
                continue
            entries = [entry for entry in news.entries.get(subject, []) if entry.sequence > place]
            if entries:
                self._places[subject] = place = entries[-1].sequence
            for listener in self._listeners[subject]:
                listener.hear(entries, place, over=subject in news.over)
        return sum(map(len, news.entries.values())) >= _BATCH
