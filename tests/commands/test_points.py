"""What `show` and `point` say of a charger: whether it is there, what it is, and who can know its key."""

import json
from collections.abc import Callable

from domain.keys import KnownTo
from persistence.session import Database
from persistence.tables import ChargePoint, PresentConnection
from tests.api.world import add_key, add_transfer, change
from tests.commands.shell import Shell


async def test_show_says_what_an_old_key_opens_and_who_can_know_the_one_in_use(
    shell: Shell, database: Database
) -> None:
    await add_transfer(database, state="reconfiguring", attention="new_key", until_new_key="quarantine")
    await add_key(database, KnownTo.PEOPLE)
    await change(database, PresentConnection, quarantined=True, contender="socket-2", contender_node="node-2")

    text = " ".join((await shell("show", "trf_1")).out.split())

    assert "waits for the new owner to type a new key into the charger" in text
    assert "until new key quarantine: a key that people know opens nothing that charges" in text
    assert "charger in quarantine" in text
    assert "somebody else has come with the same key, and waits" in text
    assert "key people can know it, a former owner too; in use since 2026-01-01 12:00" in text


async def test_show_says_of_a_chargers_own_key_what_was_connected(shell: Shell, database: Database) -> None:
    await add_transfer(database)
    await add_key(database, KnownTo.CHARGER, serials=["S-1"], open_line=True)
    await change(database, ChargePoint, rotates=True, serials=["S-2"], firmware="2.1")

    text = " ".join((await shell("show", "trf_1")).out.split())

    assert "charger connected device OCPP 1.6, Vendor, M1, firmware 2.1, serial number S-2 key only what" in text
    assert "connected at 2026-01-01 12:00" in text
    assert (
        "serial number S-1, can know it, not what hangs on the wall; sent over an open line (ws); the charger" in text
    )


async def test_who_may_not_see_the_charge_point_sees_the_transfer_alone(
    shell_of: Callable[[str], Shell], database: Database
) -> None:
    await add_transfer(database)
    await add_key(database, KnownTo.PEOPLE)

    said = await shell_of("rita")("show", "trf_1")

    assert said.code == 0
    assert "awaiting_acceptance" in said.out
    assert "people can know it" not in said.out


async def test_a_charge_point_is_shown_with_its_charger(shell: Shell, database: Database) -> None:
    await add_transfer(database)

    said = await shell("charge-points", "show", "cp-1")
    text = " ".join(said.out.split())

    assert said.code == 0
    assert text.startswith("cp-1, Wallbox cp-1 identity ID-cp-1 group g-team owner u-olga charger connected")
    assert "key none" in text
    assert "transfer trf_1" in text
    shown = json.loads((await shell("charge-points", "show", "cp-1", "--json")).out)
    assert (shown["id"], shown["key"]) == ("cp-1", None)


async def test_a_charge_point_that_is_not_there_is_said_to_be_not(shell: Shell) -> None:
    for wrong in ("cp-9", "no id"):
        said = await shell("charge-points", "show", wrong)
        assert said.code == 1
        assert "charge point" in said.err
