"""What `charge-points list` and `show` show, and what `rotate-key` and `identify` do."""

import json
from collections.abc import Callable

import pytest

from commands.charge_point_tables import _KEY_ANSWERS, _RESTART_ANSWERS
from domain.actors import SYSTEM
from domain.charger import KeyAnswer, RestartAnswer
from domain.errors import NotPossible
from domain.ids import ChargePointId
from domain.trail import TrailAction, of_charge_point
from persistence.session import Database
from persistence.transfers import audit
from tests.api.engine import Engine
from tests.api.world import add, add_transfer, bearer, charge_point
from tests.commands.shell import Shell
from tools.stage import plain_http


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
    async with database.writing() as rows:
        trail = of_charge_point(ChargePointId("cp-1"))
        await audit.append(rows, trail, actor=SYSTEM, action=TrailAction.ROTATES_NO, detail=detail)

    table = (await shell_of("mia")("charge-points", "show", "cp-1", "--events")).out
    document = json.loads((await shell("charge-points", "show", "cp-1", "--events", "--json")).out)

    assert "system  rotates_no  firmware: 1.2 [bold]" in table
    assert "\x1b" not in table
    assert [event["action"] for event in document["events"]] == ["rotates_no"]
    assert document["id"] == "cp-1"
    assert "events" not in json.loads((await shell("charge-points", "show", "cp-1", "--json")).out)


@pytest.mark.parametrize("answer", KeyAnswer)
async def test_a_fresh_key_is_sent_and_the_answer_said(shell: Shell, engine: Engine, answer: KeyAnswer) -> None:
    engine.key_answer = answer

    said = await shell("charge-points", "rotate-key", "cp-1")
    shown = json.loads((await shell("charge-points", "rotate-key", "cp-1", "--json")).out)

    assert (said.code, said.err) == (0, "")
    assert said.out.startswith(f"cp-1: {_KEY_ANSWERS[answer]}. Now: none.")
    assert shown == {"answer": answer.value, "key": None}


@pytest.mark.parametrize("answer", RestartAnswer)
async def test_a_charger_is_restarted_and_the_answer_said(shell: Shell, engine: Engine, answer: RestartAnswer) -> None:
    engine.restart_answer = answer

    said = await shell("charge-points", "identify", "cp-1")
    shown = json.loads((await shell("charge-points", "identify", "cp-1", "--json")).out)

    assert (said.code, said.out) == (0, f"cp-1: {_RESTART_ANSWERS[answer]}.\n")
    assert shown == {"answer": answer.value}
    assert len({asked[-1] for asked in engine.orders}) == 2, "each call is a request of its own"


@pytest.mark.parametrize("verb", ["rotate-key", "identify"])
async def test_why_a_charger_was_not_told_is_said(shell: Shell, engine: Engine, verb: str) -> None:
    engine.fails = NotPossible("The charger is not connected: ask again once it is.")
    said = await shell("charge-points", verb, "cp-1")
    assert (said.code, said.out) == (1, "")
    assert "ask again once it is" in said.err
