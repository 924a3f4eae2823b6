"""What `list`, `show` and `watch` show, and how `watch` ends."""

import asyncio
import json
import signal
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from domain.actors import Actor
from domain.trail import TrailAction
from domain.transfer import StepName
from engine.transfers import StepAttempts
from persistence.session import Database
from persistence.tables import Transfer, TransferStep
from persistence.transfers import audit
from tests.api.engine import Engine
from tests.api.world import LONG_AGO, add_transfer, bearer
from tests.commands.shell import Shell
from tools.stage import plain_http

DONE = dict.fromkeys(("validate_rights", "look_up_target", "reserve", "quiet_charger", "change_ownership"), "done")
STUCK = DONE | {"ask_recipient": "skipped", "replace_lists": "running"}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], ["trf_4", "trf_3", "trf_2"]),
        (["--state", "declined"], ["trf_2"]),
        (["--attention", "operator"], ["trf_3"]),
        (["--kind", "transfer_ownership"], ["trf_2"]),
        (["--charge-point", "cp-2"], ["trf_4"]),
        (["--group", "g-stan"], ["trf_4"]),
        (["--older-than", "1d12h"], ["trf_2"]),
        (["--older-than", "PT1H", "--state", "transferring"], []),
        (["--limit", "2"], ["trf_4", "trf_3"]),
        (["--limit", "1", "--all"], ["trf_4", "trf_3", "trf_2"]),
    ],
)
async def test_a_list_as_json_is_one_document_with_the_apis_own_items(
    shell: Shell, database: Database, address: str, arguments: list[str], expected: list[str]
) -> None:
    now = datetime.now(UTC)
    await add_transfer(
        database, "trf_2", state="declined", kind="transfer_ownership", requested_at=now - timedelta(days=2)
    )
    await add_transfer(database, "trf_3", state="transferring", attention="operator", requested_at=now)
    await add_transfer(
        database, "trf_4", charge_point_id="cp-2", from_group_id="g-stan", requested_at=now + timedelta(seconds=1)
    )

    said = await shell("list", "--json", *arguments)

    async with plain_http.client(base_url=address, headers=bearer("oscar")) as http:
        items = {one["id"]: one for one in (await http.get("/v1/transfers")).json()["items"]}
    assert said.code == 0
    assert json.loads(said.out) == [items[known] for known in expected]
    assert ("--all gives every one" in said.err) is (expected == ["trf_4", "trf_3"])


async def test_a_list_has_everything_where_all_is_asked_for_page_by_page(shell: Shell, database: Database) -> None:
    for number in range(203):
        await add_transfer(database, f"trf_{number}", state="declined")

    every = json.loads((await shell("list", "--json", "--all")).out)
    many = json.loads((await shell("list", "--json", "--limit", "202")).out)

    assert len({one["id"] for one in every}) == len(every) == 203
    assert many == every[:202]


async def test_a_list_shows_only_what_the_caller_may_see(shell_of: Callable[[str], Shell], database: Database) -> None:
    await add_transfer(database, waiting_until=datetime.now(UTC) + timedelta(days=1, hours=2, minutes=1))

    olgas, stans = await shell_of("olga")("list"), await shell_of("stan")("list")

    [head, row] = olgas.out.splitlines()
    assert head.split()[:3] == ["id", "age", "state"]
    assert "recipient, 1d 2h left" in row
    assert "g-team, u-olga" in row
    assert "not known yet" in row, "whose account it is she does not learn"
    assert stans.out == "No transfer fits.\n"


async def test_show_says_what_it_waits_for_its_steps_and_what_can_be_done(
    shell: Shell, database: Database, engine: Engine
) -> None:
    until = datetime(2099, 3, 5, 14, 7, tzinfo=UTC)
    await add_transfer(database, state="reconfiguring", attention="operator", waiting_until=until, steps=STUCK)
    engine.attempts = {StepName.REPLACE_LISTS: StepAttempts(7, "no answer within 30 s", paused=True)}

    said = await shell("show", "trf_1", HANDOVER_TEMPORAL_UI="http://temporal.test/")
    lines = {line.split()[0]: " ".join(line.split()) for line in said.out.splitlines() if line.strip()}

    assert said.code == 0
    assert lines["waits"].startswith(
        "waits for an operator; meanwhile it tries again by itself, until 2099-03-05 14:07"
    )
    assert lines["replace_lists"] == "replace_lists running, paused 7 no answer within 30 s"
    assert lines["Temporal"] == "Temporal http://temporal.test/namespaces/default/workflows/transfer-trf_1"
    named = await shell("show", "trf_1", HANDOVER_TEMPORAL_UI="http://temporal.test", TEMPORAL_NAMESPACE="charging")
    assert "http://temporal.test/namespaces/charging/workflows/transfer-trf_1" in named.out
    text = " ".join(said.out.split())
    assert "resolve ID retry --reason … Tries the step replace_lists again now." in text
    assert "resolve ID roll_back --reason … Undoes every step in reverse order" in text
    assert "resolve ID complete --reason … Leaves the charger's local list as it is" in text
    assert "./handover resume ID replace_lists" in text


async def test_show_offers_nobody_what_they_may_not(
    shell_of: Callable[[str], Shell], database: Database, engine: Engine
) -> None:
    await add_transfer(database, state="transferring", steps={"quiet_charger": "running"})
    engine.attempts = {StepName.QUIET_CHARGER: StepAttempts(7, "no answer within 30 s")}

    olgas = (await shell_of("olga")("show", "transfer-trf_1")).out

    assert "./handover cancel ID" in olgas
    assert "resolve" not in olgas
    assert "pause" not in olgas
    assert "./handover pause ID quiet_charger" in (await shell_of("oscar")("show", "trf_1")).out


async def test_show_has_the_audit_trail_where_it_is_asked_for(shell: Shell, database: Database) -> None:
    known = await add_transfer(database)
    async with database.writing() as rows:
        await audit.append(
            rows, known, actor=Actor("operator:u-oscar"), action=TrailAction.STEP_PAUSED, detail={"step": "reserve"}
        )

    table = (await shell("show", "trf_1", "--events")).out
    document = json.loads((await shell("show", "trf_1", "--events", "--json")).out)

    assert "operator:u-oscar  step_paused  step: reserve" in table
    assert [event["action"] for event in document["events"]] == ["step_paused"]
    assert document["id"] == "trf_1"
    assert "events" not in json.loads((await shell("show", "trf_1", "--json")).out)


async def test_what_a_charger_said_does_nothing_at_a_terminal(shell: Shell, database: Database, engine: Engine) -> None:
    await add_transfer(database, state="transferring", steps={"quiet_charger": "running"})
    engine.attempts = {StepName.QUIET_CHARGER: StepAttempts(2, "\x1b]0;mine\x07 [bold]not markup[/bold] \x9b31m")}

    out = (await shell("show", "trf_1")).out

    assert "]0;mine  [bold]not markup[/bold]  31m" in out
    assert not {"\x1b", "\x07", "\x9b"} & set(out)


@pytest.mark.parametrize(
    ("state", "code"), [("completed", 0), ("completed_with_warnings", 0), ("rolled_back", 1), ("declined", 1)]
)
async def test_watching_one_ends_with_it(shell: Shell, database: Database, state: str, code: int) -> None:
    await add_transfer(database, state=state, warnings=["lists_due"] if "warnings" in state else [])

    said = await shell("watch", "trf_1")

    assert said.code == code
    assert said.out.startswith(f"trf_1: {state}")


async def test_watching_says_each_change_once(shell: Shell, database: Database) -> None:
    await add_transfer(database, state="transferring", steps=STUCK)

    async with shell.started("watch", "trf_1", "--json", "--every", "0.2") as process:
        assert process.stdout is not None
        first = json.loads(await process.stdout.readline())
        await asyncio.sleep(1)  # several looks at what has not changed
        await change(database, attention="retrying")
        second = json.loads(await process.stdout.readline())
        await change(database, state="completed", attention="", active=False)
        third = json.loads(await process.stdout.readline())
        out, err = await process.communicate()

    assert [one["state"] for one in (first, second, third)] == ["transferring", "transferring", "completed"]
    assert [one["attention"] for one in (first, second, third)] == ["", "retrying", ""]
    assert (process.returncode, out, err) == (0, b"", b"")


async def test_watching_a_list_goes_on_until_ctrl_c(shell: Shell, database: Database) -> None:
    await add_transfer(database, state="transferring", attention="operator", steps=STUCK)

    async with shell.started("watch", "--attention", "operator", "--every", "0.2") as process:
        assert process.stdout is not None
        first = (await process.stdout.readline()).decode()
        await add_transfer(database, "trf_2", state="transferring", attention="operator", charge_point_id="cp-2")
        second = (await process.stdout.readline()).decode()
        process.send_signal(signal.SIGINT)
        out, err = await process.communicate()

    assert first == "trf_1: transferring; step replace_lists; waits for operator\n"
    assert second == "trf_2: transferring; waits for operator\n"
    assert (process.returncode, out, err) == (0, b"", b"")


async def test_ctrl_c_ends_the_watching_of_one_without_a_word(shell: Shell, database: Database) -> None:
    await add_transfer(database, state="transferring")

    async with shell.started("watch", "trf_1") as process:
        assert process.stdout is not None
        await process.stdout.readline()
        process.send_signal(signal.SIGINT)
        out, err = await process.communicate()

    assert (process.returncode, out, err) == (130, b"", b"")


async def test_who_reads_may_stop_reading(shell: Shell, database: Database) -> None:
    for number in range(40):
        await add_transfer(database, f"trf_{number}", state="declined", requested_at=LONG_AGO)

    async with shell.started("list", "--json") as process:
        assert process.stdout is not None
        process.stdout._transport.close()  # type: ignore[attr-defined]
        assert process.stderr is not None
        err = await process.stderr.read()
        await process.wait()

    assert err == b""


async def change(database: Database, **values: object) -> None:
    async with database.writing() as rows:
        await rows.execute(update(Transfer).where(Transfer.id == "trf_1").values(values))
        if values.get("state") == "completed":
            ended = update(TransferStep).where(TransferStep.transfer_id == "trf_1")
            await rows.execute(ended.values(state="done"))
