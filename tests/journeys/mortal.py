"""A worker or gateway that dies at its boundaries: `python -m tests.journeys.mortal FILE [--each] [--gateway]`.

It dies by SIGKILL before and after each activity, and during each OCPP call, of each kind once; with `--each` once for
each transfer or charger. FILE remembers what was died of, on disk before it is died: a line `<whose> <boundary>`, with
`before <wire name>`, `after <wire name>` or `during <OCPP action>`; to put the former list back is a boundary of its
own. The process that is started again lives past it.
"""

import asyncio
import fcntl
import os
import signal
import sys
from pathlib import Path
from typing import Any

from temporalio import activity
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor, Worker
from websockets.asyncio.server import ServerConnection

import worker
from process import leave


class Deaths:
    """What was died of already."""

    def __init__(self, file: Path, *, each: bool) -> None:
        self._file = file
        self._each = each

    def come(self, whose: str, boundary: str) -> None:
        """Die at `boundary`, the first time."""
        death = f"{whose if self._each else 'any'} {boundary}"
        with self._file.open("r+") as opened:
            fcntl.flock(opened, fcntl.LOCK_EX)
            if death in opened.read().splitlines():
                return
            opened.write(f"{death}\n")
            opened.flush()
            os.fsync(opened.fileno())
        os.kill(os.getpid(), signal.SIGKILL)


class Mortality(Interceptor):
    """Dies at the boundaries of activities: before the effect, or after it and before anybody hears of it."""

    def __init__(self, deaths: Deaths) -> None:
        self._deaths = deaths

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002
        return _Mortal(next, self._deaths)


class _Mortal(ActivityInboundInterceptor):
    def __init__(self, following: ActivityInboundInterceptor, deaths: Deaths) -> None:
        super().__init__(following)
        self._deaths = deaths

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002
        ask = input.args[0]
        whose = getattr(ask, "transfer_id", None) or ask.link_id
        name = activity.info().activity_type + ("+restore" if getattr(ask, "restore", False) else "")
        self._deaths.come(whose, f"before {name}")
        answer = await super().execute_activity(input)
        self._deaths.come(whose, f"after {name}")
        return answer


def make_mortal(deaths: Deaths) -> None:
    """Put mortality into every worker and every socket of this process."""
    made = Worker.__init__

    def init(self: Worker, *given: Any, **named: Any) -> None:
        named["interceptors"] = [*named.get("interceptors", ()), Mortality(deaths)]
        made(self, *given, **named)

    Worker.__init__ = init  # type: ignore[method-assign]
    send = ServerConnection.send

    async def send_and_die(self: ServerConnection, message: Any, *given: Any, **named: Any) -> None:
        await send(self, message, *given, **named)
        if str(message).startswith("[2,") and self.request:
            deaths.come(self.request.path.rsplit("/")[-1], f"during {str(message).split(chr(34))[3]}")

    ServerConnection.send = send_and_die  # type: ignore[method-assign, assignment]


if __name__ == "__main__":
    make_mortal(Deaths(Path(sys.argv[1]), each="--each" in sys.argv))
    leave(asyncio.run(worker.main(gateway="--gateway" in sys.argv)))
