"""What becomes of charging sessions that are told in another order, twice, or in part: this makes docs/sessions.md."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from sqlalchemy import select
from websockets.asyncio.client import ClientConnection
from websockets.typing import Subprotocol

from persistence.tables import ChargingSession, UnmatchedStop
from tests.conftest import ROOT
from tests.gateway.bare import ask
from tests.gateway.world import World

TABLE: Final = ROOT / "docs" / "sessions.md"
HEAD: Final = """# What becomes of charging sessions, however they are told

Made by `make test ARGS='tests/gateway/test_telling_table.py --write-tables'`, and compared with what every run finds,
on both databases. Each session is given by its tag, its connector (2.0.1: EVSE), its energy, and how it ended; `?` is
what is not known. A stop that fits none is kept for an operator (`./handover sessions stops`).

| OCPP | what is told | what is on record |
|---|---|---|
"""
NEVER: Final = "1970-01-01T00:00:00Z"
_STARTED: Final = datetime.now(UTC)


def at(minutes: float) -> str:
    """Give a time so many minutes after a moment before the test."""
    return (_STARTED + timedelta(seconds=minutes)).isoformat()


class V16:
    """A charger that speaks OCPP 1.6."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket

    async def start(self, tag: str, connector: int = 1, meter: int = 1000, time: str | None = None) -> int:
        said = await ask(self._socket, "StartTransaction", connectorId=connector, idTag=tag, meterStart=meter,
                         timestamp=time or at(0))  # fmt: skip
        return int(said[2]["transactionId"])

    async def stop(self, said_id: int, meter: int = 1600, time: str | None = None) -> None:
        said = await ask(self._socket, "StopTransaction", transactionId=said_id, meterStop=meter,
                         timestamp=time or at(9), reason="Local")  # fmt: skip
        assert said[0] == 3, said


class V201:
    """A charger that speaks OCPP 2.0.1."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket

    async def tell(
        self, kind: str, name: str, time: str, tag: str = "", evse: int | None = None, **readings: int
    ) -> None:
        event: dict[str, Any] = {"eventType": kind, "timestamp": time, "triggerReason": "Trigger", "seqNo": 0}
        event["transactionInfo"] = {"transactionId": name}
        if tag:
            event["idToken"] = {"idToken": tag, "type": "ISO14443"}
        if evse is not None:
            event["evse"] = {"id": evse}
        if readings:
            samples = [
                {"value": wh, "context": f"Transaction.{context.title()}"}
                if context in {"begin", "end"}
                else {"value": wh}
                for context, wh in readings.items()
            ]
            event["meterValue"] = [{"timestamp": time, "sampledValue": samples}]
        said = await ask(self._socket, "TransactionEvent", **event)
        assert said[0] == 3, said


# --- what is told -----------------------------------------------------------------------------------------------------


async def twice(charger: V16) -> None:
    assert await charger.start("ANN1") == await charger.start("ANN1")


async def same_again(charger: V16) -> None:
    for _ in range(2):
        await charger.stop(await charger.start("ANN1", meter=0, time=NEVER), meter=600, time=NEVER)


async def lost_stop(charger: V16) -> None:
    await charger.start("ANN1")
    await charger.start("ANN2", meter=1700, time=at(5))


def one_fits(said_id: int) -> Callable[[V16], Awaitable[None]]:
    async def tell(charger: V16) -> None:
        await charger.start("ANN1")
        await charger.start("ANN2", connector=2, meter=5000)
        await charger.stop(said_id)

    return tell


def two_fit(said_id: int) -> Callable[[V16], Awaitable[None]]:
    async def tell(charger: V16) -> None:
        await charger.start("ANN1")
        await charger.start("ANN2", connector=2)
        await charger.stop(said_id)

    return tell


def none_fits(said_id: int) -> Callable[[V16], Awaitable[None]]:
    async def tell(charger: V16) -> None:
        for _ in range(2):
            await charger.stop(said_id)

    return tell


async def two_stops(charger: V16) -> None:
    for connector in (1, 2):
        await charger.start(f"ANN{connector}", connector)
    for meter in (5000, 9000):
        await charger.stop(-1, meter=meter)


async def told_twice(charger: V16) -> None:
    first = await charger.start("ANN1")
    await charger.stop(first)
    await charger.stop(first, meter=9999, time=at(20))


async def two_drivers(charger: V201) -> None:
    for name in ("t-1", "t-2"):
        await charger.tell("Started", name, at(0))
    for name, tag, evse in (("t-1", "ANN1", 1), ("t-2", "ANN2", 2)):
        await charger.tell("Updated", name, at(1), tag, evse, begin=1000)
        await charger.tell("Ended", name, at(9), end=1600 * evse)


async def two_drivers_who_charge(charger: V201) -> None:
    for name in ("t-1", "t-2"):
        await charger.tell("Started", name, at(0))


async def ended_first(charger: V201) -> None:
    await charger.tell("Ended", "t-1", at(9), end=1600)
    await charger.tell("Started", "t-1", at(0), "ANN1", 1, begin=1000)


async def ended_first_updated_last(charger: V201) -> None:
    await charger.tell("Ended", "t-1", at(9), begin=1000, end=1600)
    await charger.tell("Started", "t-1", at(0), "ANN1", 1)
    await charger.tell("Updated", "t-1", at(5), value=1300)


async def no_readings(charger: V201) -> None:
    await charger.tell("Started", "t-1", at(0), "ANN1", 1)
    await charger.tell("Ended", "t-1", at(9))


async def readings_later(charger: V201) -> None:
    await charger.tell("Started", "t-1", at(0), "ANN1", 1)
    await charger.tell("Updated", "t-1", at(5), begin=50_000, value=50_300)
    await charger.tell("Ended", "t-1", at(9), end=50_600)


async def only_the_end(charger: V201) -> None:
    await charger.tell("Ended", "t-9", at(9), "ANN1", 1, begin=1000, end=1600)


async def same_name(charger: V201) -> None:
    for times in ((at(0), at(5)), (at(6), at(9))):
        await charger.tell("Started", "t-1", times[0], "ANN1", 1, begin=0)
        await charger.tell("Ended", "t-1", times[1], end=600)


async def same_but_the_name(charger: V201, names: tuple[str, str] = ("t-1", "t-2")) -> None:
    for name in names:
        await charger.tell("Started", name, NEVER, "ANN1", 1, begin=0)
        await charger.tell("Ended", name, NEVER, end=600)


async def same_in_all(charger: V201) -> None:
    await same_but_the_name(charger, ("t-1", "t-1"))


async def started_again(charger: V201) -> None:
    await charger.tell("Started", "t-1", at(0), "ANN1", 1, begin=1000)
    await charger.tell("Ended", "t-1", at(9), end=1600)
    await charger.tell("Started", "t-1", at(0), "ANN1", 1, begin=1000)


async def lost_end_and_name_again(charger: V201) -> None:
    await charger.tell("Started", "1", at(0), "ANN1", 1, begin=1000)
    await charger.tell("Started", "2", at(2), "ANN2", 1, begin=1000)
    await charger.tell("Started", "1", at(5), "ANN2", 1, begin=1700)
    await charger.tell("Ended", "1", at(9), end=2000)


async def lost_end(charger: V201) -> None:
    await charger.tell("Started", "t-1", at(0), "ANN1", 1, begin=1000)
    await charger.tell("Updated", "t-1", at(1), value=1100)
    await charger.tell("Started", "t-2", at(5), "ANN2", 1, begin=1700)


CASES_16: Final[dict[str, Callable[[V16], Awaitable[None]]]] = {
    "the same start twice, as it was not answered": twice,
    "a stop twice, with another reading": told_twice,
    "two stops of one second, without their sessions' ids": two_stops,
    "a second start on a connector, and no stop": lost_stop,
    "a restart with the same clock (1970) and meter": same_again,
    **{f"a stop of transaction {said}, which one session fits": one_fits(said) for said in (-1, 0, 4711)},
    **{f"a stop of transaction {said}, which two fit": two_fit(said) for said in (-1, 0, 4711)},
    **{f"a stop of transaction {said}, twice, which none fits": none_fits(said) for said in (-1, 0, 4711)},
}
CASES_201: Final[dict[str, Callable[[V201], Awaitable[None]]]] = {
    "two drivers on two EVSEs; who, where and how much is told later": two_drivers,
    "two drivers on two EVSEs, of whom nothing else is told yet": two_drivers_who_charge,
    "Ended before Started": ended_first,
    "Ended, Started, Updated": ended_first_updated_last,
    "Started and Ended without meter values": no_readings,
    "the first reading with a later event": readings_later,
    "an Ended whose start is never told": only_the_end,
    "a second Started on an EVSE, and no Ended": lost_end,
    "a restart that uses a transaction's name again": same_name,
    "a restart with the same clock (1970) and meter": same_but_the_name,
    "a restart with the same clock (1970) and meter that uses a name again": same_in_all,
    "a Started again after its Ended": started_again,
    "no Ended, and a restart that uses the name again": lost_end_and_name_again,
}
FOUND: dict[tuple[str, str], set[str]] = {}


async def on_record(world: World) -> str:
    async with world.database.reading() as rows:
        found = (await rows.scalars(select(ChargingSession).order_by(ChargingSession.id))).all()
        stops = (await rows.scalars(select(UnmatchedStop).order_by(UnmatchedStop.id))).all()
    said = [
        f"{row.id_tag or '?'} on {'?' if row.connector is None else row.connector}: "
        f"{'?' if row.energy is None else row.energy} Wh, {row.stop_reason or 'runs'}"
        for row in found
    ]
    return "; ".join([*said, *(f"a stop of {stop.said_id} is kept" for stop in stops)])


@pytest.mark.parametrize("case", CASES_16)
async def test_what_a_charger_tells_in_1_6(world: World, case: str) -> None:
    async with world.client() as socket:
        await CASES_16[case](V16(socket))
    FOUND.setdefault(("1.6", case), set()).add(await on_record(world))


@pytest.mark.parametrize("case", CASES_201)
async def test_what_a_charger_tells_in_2_0_1(world: World, case: str) -> None:
    async with world.client(subprotocols=[Subprotocol("ocpp2.0.1")]) as socket:
        await CASES_201[case](V201(socket))
    FOUND.setdefault(("2.0.1", case), set()).add(await on_record(world))


def test_the_table_of_the_docs_says_so(request: pytest.FixtureRequest) -> None:
    rows = [*(("1.6", case) for case in CASES_16), *(("2.0.1", case) for case in CASES_201)]
    if request.config.getoption("--write-tables"):
        lines = [f"| {ocpp} | {case} | {'; '.join(FOUND[ocpp, case])} |\n" for ocpp, case in rows]
        TABLE.write_text(HEAD + "".join(lines))
    said = TABLE.read_text()
    assert said.startswith(HEAD)
    for (ocpp, case), found in FOUND.items():
        [line] = [one for one in said.splitlines() if one.startswith(f"| {ocpp} | {case} |")]
        assert found == {line.removesuffix(" |").split(" | ")[2]}
