"""Whose a charging session is, whatever the charger's clock says: this makes docs/clocks.md."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import delete, select, update

from persistence.session import Database
from persistence.tables import ChargePoint, ChargerConnection, ChargingSession, GatewayNode
from persistence.vault import Vault
from tests.conftest import ROOT
from tests.gateway.clocked import CLOCKS, HOUR, TAGS, Charger
from tests.gateway.world import World, gateway_world, hand_over, seed

TABLE: Final = ROOT / "docs" / "clocks.md"
HEAD: Final = """# Whose a charging session is, whatever the charger's clock says

Made by `make test ARGS='tests/gateway/test_clock_table.py --write-tables'`, and compared with what every run finds, in
both versions of OCPP. Ann had the charge point, and Ben has it since ten hours ago. *Ann's* and *Ben's* are sessions
with a tag of each one's group. Of a live start the cell says what the tag is answered; of one that is told later, to
whom it is booked, and *in doubt* where an operator is to look. The charger was connected before, from 50 to 30 hours
ago, unless the row says otherwise. A clock at *1970* begins anew whenever the charger starts.

| | right | 1970 | an hour behind | an hour ahead | a day behind | a day ahead | local time as UTC |
|---|---|---|---|---|---|---|---|
"""
TAIL: Final = """
- *live*: the charger is connected, and says that it begins now.
- *late*: Ann's began 20 hours ago, Ben's 5 hours ago, while it was away. Told after it started and said how its
  connectors are.
- *late, with all that was kept*: the same without a restart; it kept its StatusNotifications, too, and tells all in the
  order in which it happened. Since the earlier connection it has been running all the time.
- *in quarantine*: nothing may start, and what is late is refused; it is told again once the charger is released.
- *a link lost in mid-flush*: Ann's is told, the link is lost, and both are told over the next connection.
- *a gateway killed for an hour*: its node died an hour ago, while the charger was connected since 50 hours ago. It
  changed hands 40 minutes ago; Ann's began 50 minutes ago, and Ben's 30.
- *a fresh import*: nothing is known of an earlier connection; both are told as in *late*.
- *during a transfer*: no session may start now; what is late is judged by its time.
"""


async def shift(database: Database, opened: timedelta, ended: timedelta | None) -> None:
    """Have the connections so far been opened, and have ended, so long ago."""
    now = datetime.now(UTC)
    values: dict[str, datetime | None] = dict.fromkeys(("opened_at", "released_at"), now - opened)
    values["ended_at"] = None if ended is None else now - ended
    async with database.writing() as rows:
        await rows.execute(update(ChargerConnection).values(values))


async def booked(world: World) -> str:
    """Say to whom the sessions are booked."""
    async with world.database.reading() as rows:
        found = {row.id_tag: row for row in await rows.scalars(select(ChargingSession).order_by(ChargingSession.id))}
        count = len((await rows.scalars(select(ChargingSession.id))).all())
    assert count == len(found), "the same session twice"
    said = []
    for who, tag in TAGS.items():
        row = found.get(tag)
        assert row is not None, f"{who}'s session is lost"
        doubt = " in doubt" if row.doubts else ""
        said.append(f"{who}'s {row.owner_id.title()}{doubt}")
    return "; ".join(said)


async def was_there(charger: Charger, *, long: bool = True) -> None:
    """Have the charger been connected before, and its charge point have changed hands since."""
    async with charger.connected() as socket:
        await charger.says_how_it_is(socket)
    if long:
        await shift(charger.world.database, 50 * HOUR, 30 * HOUR)
    await hand_over(charger.world.database, datetime.now(UTC) - 10 * HOUR)


def late(charger: Charger) -> dict[str, str]:
    """Give the times of what began while it was away, as it says them now; a clock at 1970 started in between."""
    now = datetime.now(UTC)
    started = now - 25 * HOUR
    return {tag: charger.clock.tell(now - hours * HOUR, started) for tag, hours in (("ANN1", 20), ("BEN1", 5))}


async def live(charger: Charger) -> str:
    await was_there(charger)
    async with charger.connected() as socket:
        await charger.says_how_it_is(socket)
        return await charger.starts(socket)


async def told_late(charger: Charger) -> str:
    await was_there(charger)
    times = late(charger)
    async with charger.connected() as socket:
        await charger.says_how_it_is(socket)
        await charger.tells(socket, times)
    return await booked(charger.world)


async def told_with_all_that_was_kept(charger: Charger) -> str:
    now = datetime.now(UTC)
    await was_there(charger)
    if charger.clock.off is None:
        charger.started = now - 60 * HOUR
        off = round((now - datetime.fromisoformat(charger.tell(now))).total_seconds())
        async with charger.world.database.writing() as rows:
            await rows.execute(update(ChargerConnection).values(clock_off=off))
    async with charger.connected(starts=False) as socket:
        for tag, hours in (("ANN1", 20), ("BEN1", 5)):
            await charger.says_how_it_is(socket, now - hours * HOUR)
            await charger.begins(socket, tag, charger.tell(now - hours * HOUR))
        await charger.says_how_it_is(socket, now - HOUR)
    return await booked(charger.world)


async def in_quarantine(charger: Charger) -> str:
    await was_there(charger)
    times = late(charger)
    key = await charger.world.order_key(quarantines_old=True, changed=True)
    async with charger.connected() as socket:
        await charger.says_how_it_is(socket)
        for tag, at in times.items():
            assert await charger.begins(socket, tag, at) == "SecurityError", "it is kept, and told again"
            assert await charger.begins(socket, tag, charger.tell(datetime.now(UTC))) in {"SecurityError", "Blocked"}
    async with charger.world.database.reading() as rows:
        assert (await rows.scalars(select(ChargingSession))).all() == []
    charger.password = key
    async with charger.connected() as socket:
        await charger.says_how_it_is(socket)
        await charger.tells(socket, times)
    return await booked(charger.world)


async def link_lost(charger: Charger) -> str:
    await was_there(charger)
    times = late(charger)
    async with charger.connected() as socket:
        await charger.says_how_it_is(socket)
        await charger.begins(socket, "ANN1", times["ANN1"])
    async with charger.connected(starts=False) as socket:
        await charger.says_how_it_is(socket)
        await charger.tells(socket, times)
    return await booked(charger.world)


async def during_a_transfer(charger: Charger) -> str:
    await was_there(charger)
    times = late(charger)
    async with charger.world.database.writing() as rows:
        await rows.execute(update(ChargePoint).values(sessions_blocked_by="transfer"))
    async with charger.connected() as socket:
        await charger.says_how_it_is(socket)
        assert await charger.starts(socket) == "Ann's blocked; Ben's blocked"
        async with charger.world.database.writing() as rows:
            await rows.execute(delete(ChargingSession))
        await charger.tells(socket, times)
    return await booked(charger.world)


async def freshly_imported(charger: Charger) -> str:
    await hand_over(charger.world.database, datetime.now(UTC) - 10 * HOUR)
    times = late(charger)
    async with charger.connected() as socket:
        await charger.says_how_it_is(socket)
        await charger.tells(socket, times)
    return await booked(charger.world)


Situation = Callable[[Charger], Awaitable[str]]
SITUATIONS: Final[dict[str, Situation]] = {
    "live": live,
    "late": told_late,
    "late, with all that was kept": told_with_all_that_was_kept,
    "in quarantine": in_quarantine,
    "a link lost in mid-flush": link_lost,
    "a fresh import": freshly_imported,
    "during a transfer": during_a_transfer,
}
KILLED: Final = "a gateway killed for an hour"
#: What each case came to, by its row and column.
FOUND: dict[tuple[str, str], dict[str, str]] = {}


def found(situation: str, clock: str, ocpp: str, cell: str) -> None:
    """Keep what a case came to; both versions come to the same."""
    cells = FOUND.setdefault((situation, clock), {})
    cells[ocpp] = cell
    assert len(set(cells.values())) == 1, cells
    assert "Ann's accepted" not in cell, "a clock gives no rights"
    if "Ann's Ben" in cell:
        assert "Ann's Ben in doubt" in cell, "an honest session is another's, and nobody looks"
    if clock == "right" and "'s " in cell and situation not in {"live", "a fresh import"}:
        assert cell == "Ann's Ann; Ben's Ben"


@pytest.fixture(params=["1.6", "2.0.1"])
def ocpp(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def database_url(ocpp: str, request: pytest.FixtureRequest) -> str:
    """One kind of database for each version: the rule has its own tests on both."""
    return str(request.getfixturevalue("postgres_url" if ocpp == "1.6" else "sqlite_url"))


@pytest.mark.parametrize("clock", CLOCKS)
@pytest.mark.parametrize("situation", SITUATIONS)
async def test_rights_are_the_present_holders_and_honest_sessions_their_owners(
    database: Database, vault: Vault, tmp_path: Path, situation: str, ocpp: str, clock: str
) -> None:
    await seed(database, vault)
    async with gateway_world(database, vault, tmp_path) as world:
        found(situation, clock, ocpp, await SITUATIONS[situation](Charger(world, ocpp, CLOCKS[clock])))


@pytest.mark.parametrize("clock", CLOCKS)
async def test_what_happened_while_our_gateway_was_dead_is_late(
    database: Database, vault: Vault, tmp_path: Path, ocpp: str, clock: str
) -> None:
    await seed(database, vault)
    async with gateway_world(database, vault, tmp_path) as world:
        charger = Charger(world, ocpp, CLOCKS[clock])
        async with charger.connected() as socket:
            await charger.says_how_it_is(socket)
            async with database.reading() as rows:
                known = (await rows.scalars(select(ChargerConnection.clock_off))).one()
            assert known is not None, "it is on record before anything dies"
    now = datetime.now(UTC)
    await shift(database, 50 * HOUR, None)  # nobody wrote its end
    async with database.writing() as rows:
        await rows.execute(update(GatewayNode).values(seen_at=now - HOUR))
    await hand_over(database, now - HOUR * 2 / 3)
    times = {tag: charger.tell(now - minutes * HOUR / 60) for tag, minutes in (("ANN1", 50), ("BEN1", 30))}
    async with gateway_world(database, vault, tmp_path) as world:
        charger.world = world
        async with charger.connected(starts=False) as socket:
            await charger.says_how_it_is(socket)
            await charger.tells(socket, times)
        found(KILLED, clock, ocpp, await booked(world))


def test_the_table_of_the_docs_says_so(request: pytest.FixtureRequest) -> None:
    rows = [*SITUATIONS, KILLED]
    if request.config.getoption("--write-tables"):
        cells = ([next(iter(FOUND[row, clock].values())) for clock in CLOCKS] for row in rows)
        lines = (f"| {row} | {' | '.join(line)} |\n" for row, line in zip(rows, cells, strict=True))
        TABLE.write_text(HEAD + "".join(lines) + TAIL)
    said = TABLE.read_text()
    for (row, clock), found_ in FOUND.items():
        [line] = [one for one in said.splitlines() if one.startswith(f"| {row} |")]
        shown = line.removesuffix(" |").split(" | ")[1 + list(CLOCKS).index(clock)]
        assert set(found_.values()) == {shown}, (row, clock)
    assert said.startswith(HEAD)
    assert said.endswith(TAIL)
