"""`./handover sessions`: what it shows, what it does, what it says where it can't."""

import json
from datetime import UTC, datetime

from persistence.session import Database
from persistence.tables import ChargingSession
from tests.api.test_sessions import add_session, add_stop, doubtful
from tests.commands.shell import Shell


async def test_sessions_are_listed_with_both_times_energy_and_doubts(shell: Shell, database: Database) -> None:
    said = datetime(1970, 1, 1, 0, 4, tzinfo=UTC)
    await doubtful(database, reported_at=said)
    ended = datetime(2026, 3, 1, 5, tzinfo=UTC)
    await add_session(database, late=True, stopped_at=ended, stop_reason="Local", meter_stop=22_500)

    text = " ".join((await shell("sessions", "list", "cp-1")).out.split())

    assert "2026-03-01 02:00:00Z 2026-03-01 05:00:00Z, Local 1 TAG u-olga 21.500 told 2026-03-01 02:00:00Z" in text
    assert "2026-03-01 02:00:00Z runs 1 TAG u-adam whose it is said 1970-01-01 00:04:00Z" in text
    shown = json.loads((await shell("sessions", "list", "cp-1", "--in-doubt", "--json")).out)
    assert [one["doubts"] for one in shown] == [["holder"]]
    assert "no such session" in (await shell("sessions", "list", "cp-2")).out


async def test_one_is_ended_by_hand_and_what_is_in_doubt_settled(shell: Shell, database: Database) -> None:
    session_id, stop_id = await doubtful(database, last_meter=2500), await add_stop(database)
    assert "-1" in (await shell("sessions", "stops", "cp-1")).out

    said = await shell("sessions", "end", "cp-1", str(session_id), "--stop", str(stop_id), "--reason", "It is bay 1's.")
    assert said.out.strip() == f"Session {session_id} has ended at 2026-03-01 03:00:00Z: 3.000 kWh."
    assert (await shell("sessions", "stops", "cp-1")).out.strip() == "No stop is to be settled."

    said = await shell("sessions", "settle", "cp-1", "--session", str(session_id), "--reason", "Asked him.")
    assert said.out.strip() == f"Settled: sessions {session_id}."
    assert (await shell("sessions", "settle", "cp-1", "--reason", "All.")).out.strip() == "Nothing was in doubt."


async def test_who_does_not_say_why_or_may_not_changes_nothing(shell: Shell, database: Database) -> None:
    session_id = await doubtful(database)
    for verb in (("end", "cp-1", str(session_id)), ("settle", "cp-1")):
        said = await shell("sessions", *verb)
        assert (said.code, "--reason" in said.err) == (2, True)
    said = await shell("sessions", "settle", "cp-1", "--owner", "u-stan", "--reason", "r")
    assert (said.code, "never had this charge point" in said.err) == (1, True)
    async with database.reading() as rows:
        row = await rows.get_one(ChargingSession, session_id)
    assert (row.stopped_at, row.unsettled) == (None, True)
