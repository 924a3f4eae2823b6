"""OCPP 2.0.1: what a station sends for a request under its requestId, in one message or more, until none follows."""

import asyncio
import itertools
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from ocpp.v201 import call_result

from gateway.ocpp.line import Handler, NoAnswer

#: More messages than any station needs for one request.
_MOST: Final = 1_000
_HIGHEST: Final = 2**30
_ANSWERS: Final[Mapping[str, Callable[[], Any]]] = {
    "NotifyCustomerInformation": call_result.NotifyCustomerInformation,
    "NotifyReport": call_result.NotifyReport,
    "ReportChargingProfiles": call_result.ReportChargingProfiles,
}


class Requested:
    """The messages of one socket that follow requests; those of no open request are answered, and let go."""

    def __init__(self, patience: float) -> None:
        """Wait `patience` seconds for each message."""
        self._patience = patience
        # a station may still send what an earlier connection asked for
        self._numbers = itertools.count(random.randrange(1, _HIGHEST))  # noqa: S311 - no secret
        self._open: dict[int, asyncio.Queue[tuple[dict[str, Any], bool]]] = {}

    def handlers(self) -> Mapping[str, Handler]:
        """Give the handler of each call by which a station sends such messages."""
        return {action: self._handler(answer) for action, answer in _ANSWERS.items()}

    @contextmanager
    def request(self) -> Iterator[int]:
        """Give a requestId whose messages are kept inside the block."""
        number = next(self._numbers)
        self._open[number] = asyncio.Queue()
        try:
            yield number
        finally:
            del self._open[number]

    async def messages(self, number: int) -> list[dict[str, Any]]:
        """Give every message under an open requestId; raises NoAnswer where the last one does not come."""
        found: list[dict[str, Any]] = []
        try:
            while len(found) < _MOST:
                async with asyncio.timeout(self._patience):
                    message, more = await self._open[number].get()
                found.append(message)
                if not more:
                    return found
        except TimeoutError:
            pass  # raised below
        raise NoAnswer("The charger did not send all that it was asked for.")

    def _handler(self, answer: Callable[[], Any]) -> Handler:
        async def take(request_id: int | None = None, tbc: bool = False, **message: Any) -> Any:
            if request_id in self._open:
                self._open[request_id].put_nowait((message, tbc))
            return answer()

        return take
