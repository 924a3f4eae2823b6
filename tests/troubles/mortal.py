"""A worker or gateway that dies by SIGKILL where a list of deaths says so: `python -m tests.troubles.mortal FILE`.

FILE has one death a line: `before <wire name>`, `after <wire name>`, or `during <OCPP action>`; to put the former list
back is one of its own, and so is to hand over letters (`letters`). Each is struck out, on disk, before it is died: a
process that is started again lives past it.
`lost <wire name>` is no death: the process lives, and the answer is lost.

What dies is a fork of a process that has read the programs already and does nothing else: hundreds of lives are short.
"""

import contextlib
import fcntl
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import uvloop
from temporalio import activity
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor, Worker
from websockets.asyncio.server import ServerConnection

import worker
from activities.letterbox import Letterbox, Outgoing
from process import leave
from tools.stage.child import end_with_parent


class Deaths:
    """What is still to be died of."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def come(self, death: str) -> None:
        """Die of `death`, if it is on the list."""
        if self.strike(death):
            os.kill(os.getpid(), signal.SIGKILL)

    def strike(self, death: str) -> bool:
        """Strike `death` out; whether it was on the list."""
        with self._file.open("r+") as opened:
            fcntl.flock(opened, fcntl.LOCK_EX)
            due = opened.read().splitlines()
            if death not in due:
                return False
            due.remove(death)
            opened.seek(0)
            opened.truncate()
            opened.write("".join(f"{line}\n" for line in due))
            opened.flush()
            os.fsync(opened.fileno())
        return True


class AnswerLostError(Exception):
    """The effect happened, and nobody hears of it."""


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
        restores = getattr(input.args[0], "restore", False)
        name = activity.info().activity_type + ("+restore" if restores else "")
        self._deaths.come(f"before {name}")
        answer = await super().execute_activity(input)
        self._deaths.come(f"after {name}")
        if self._deaths.strike(f"lost {name}"):
            raise AnswerLostError(name)
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
        if str(message).startswith("[2,"):
            deaths.come(f"during {str(message).split(chr(34))[3]}")

    ServerConnection.send = send_and_die  # type: ignore[method-assign, assignment]
    hand_over = Letterbox.hand_over

    async def hand_over_and_die(self: Letterbox, letters: Sequence[Outgoing], taken: list[str]) -> int:
        deaths.come("before letters")
        number = await hand_over(self, letters, taken)
        deaths.come("after letters")
        if deaths.strike("lost letters"):
            raise AnswerLostError("letters")
        return number

    Letterbox.hand_over = hand_over_and_die  # type: ignore[method-assign]


def live() -> None:
    """Be the worker or gateway."""
    make_mortal(Deaths(Path(sys.argv[1])))
    leave(uvloop.run(worker.main(gateway="--gateway" in sys.argv)))


def live_again_and_again() -> int:
    """Have one life after the other in processes of their own, until one ends by itself; gives its exit code."""
    parent, life, told_to_end = os.getpid(), 0, False
    default = signal.getsignal(signal.SIGTERM)

    def pass_on(number: int, _frame: object) -> None:
        nonlocal told_to_end
        told_to_end = True
        if life:
            with contextlib.suppress(ProcessLookupError):
                os.kill(life, number)

    signal.signal(signal.SIGTERM, pass_on)
    while True:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # it waits until there is somebody to pass it on to
        if told_to_end:
            return 0
        life = os.fork()
        if life == 0:
            signal.signal(signal.SIGTERM, default)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        if life == 0:
            end_with_parent(parent)
            live()
        _, status = os.waitpid(life, 0)
        if not (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL):
            return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(live_again_and_again())
