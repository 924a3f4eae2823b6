"""What `charge-points list` and `charge-points show` show."""

import json
from collections.abc import Callable

from demo import plain_http
from domain.ids import ChargePointId
from domain.trail import TrailAction, of_charge_point
from persistence import audit
from persistence.session import Database
from tests.api.world import add, add_transfer, bearer, charge_point
from tests.commands.shell import Shell


async def test_a_list_has_the_charge_points_that_the_caller_may_see(
    shell: Shell, shell_of: Callable[[str], Shell], database: Database, address: str
) -> None:
    await add_transfer(database)
    async with plain_http.client(base_url=address, headers=bearer("oscar")) as http:
        items = (await http.get("/v1/charge-points")).json()["items"]

    every = await shell("charge-points", "list", "--json")
    first = await shell("charge-points", "list", "--json", "--limit", "1")
    [head, row] = (await shell_of("mia")("charge-points", "list")).out.splitlines()

    assert json.loads(every.out) == items
    assert [one["id"] for one in json.loads(first.out)] == ["cp-1"]
    assert ("--all gives every one" in every.err, "--all gives every one" in first.err) == (False, True)
    assert head.split() == ["id", "identity", "group", "owner", "ocpp", "connected", "transfer"]
    assert row.split() == ["cp-1", "ID-cp-1", "g-team", "u-olga", "1.6", "yes", "trf_1"]
    assert "no charge point that you may see" in (await shell_of("rita")("charge-points", "list")).out


async def test_a_list_has_every_one_where_all_is_asked_for(shell: Shell, database: Database) -> None:
    for number in range(55):
        await add(database, *charge_point(f"cq-{number}", "u-olga", "g-team"))

    every = json.loads((await shell("charge-points", "list", "--json", "--all")).out)

    assert len({one["id"] for one in every}) == len(every) == 57


async def test_show_as_json_is_what_the_api_gives(shell: Shell, address: str) -> None:
    async with plain_http.client(base_url=address, headers=bearer("oscar")) as http:
        given = (await http.get("/v1/charge-points/cp-2")).json()

    assert json.loads((await shell("charge-points", "show", "cp-2", "--json")).out) == given


async def test_show_has_the_audit_trail_where_it_is_asked_for(
    shell: Shell, shell_of: Callable[[str], Shell], database: Database
) -> None:
    detail = {"firmware": "1.2 [bold]\x1b"}
    async with database.writing() as session:
        trail = of_charge_point(ChargePointId("cp-1"))
        await audit.append(session, trail, actor="system", action=TrailAction.ROTATES_NO, detail=detail)

    table = (await shell_of("mia")("charge-points", "show", "cp-1", "--events")).out
    document = json.loads((await shell("charge-points", "show", "cp-1", "--events", "--json")).out)

    assert "system  rotates_no  firmware: 1.2 [bold]" in table
    assert "\x1b" not in table
    assert [event["action"] for event in document["events"]] == ["rotates_no"]
    assert document["id"] == "cp-1"
    assert "events" not in json.loads((await shell("charge-points", "show", "cp-1", "--json")).out)
