"""What a transfer shows of what can be done, and of what is being tried."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from domain.transfer import StepName
from engine.transfers import StepAttempts
from persistence.session import Database
from tests.api.engine import Engine
from tests.api.world import add_transfer, bearer

CHANGED = {"change_ownership": "done"}
STUCK = CHANGED | {"rotate_credentials": "running"}


@pytest.mark.parametrize(
    ("name", "transfer", "expected"),
    [
        ("rita", {}, ["accept", "decline"]),
        ("olga", {}, ["cancel", "resend"]),
        ("mia", {}, []),
        ("oscar", {}, ["resend", "retry", "roll_back"]),
        ("oscar", {"attention": "operator", "steps": {"ask_recipient": "running"}},
         ["resend", "retry", "roll_back"]),
        ("adam", {"asked_over_owner": True, "requested_by": "u-adam"}, ["cancel", "resend"]),
        ("olga", {"requested_by": "u-adam"}, ["cancel"]),
        ("olga", {"state": "transferring"}, ["cancel"]),
        ("olga", {"state": "transferring", "steps": {"change_ownership": "running"}}, []),
        ("olga", {"state": "declined"}, []),
        ("rita", {"state": "transferring", "accepted_by": "u-rita"}, []),
        ("oscar", {"state": "transferring"}, ["retry", "roll_back"]),
        ("oscar", {"state": "reconfiguring", "attention": "operator", "steps": STUCK},
         ["retry", "roll_back", "complete"]),
        ("oscar", {"state": "transferring", "attention": "session_running", "steps": {"quiet_charger": "running"}},
         ["retry", "roll_back", "complete"]),
        ("oscar", {"state": "transferring", "attention": "operator", "steps": {"change_ownership": "running"}},
         ["retry", "roll_back"]),
        ("oscar", {"state": "reconfiguring", "steps": CHANGED | {"rotate_credentials": "done"}}, ["retry"]),
        ("oscar", {"state": "reconfiguring", "connection": "delete", "steps": CHANGED}, ["retry"]),
        ("oscar", {"state": "rolling_back", "attention": "operator", "steps": STUCK}, ["retry", "roll_back"]),
        ("oscar", {"state": "completed"}, []),
    ],
)  # fmt: skip
async def test_actions_are_what_the_caller_may_do_now(
    http: httpx.AsyncClient, database: Database, name: str, transfer: dict[str, Any], expected: list[str]
) -> None:
    await add_transfer(database, **transfer)

    assert (await http.get("/v1/transfers/trf_1", headers=bearer(name))).json()["actions"] == expected


async def test_a_change_of_ownership_that_is_being_tried_has_begun(
    http: httpx.AsyncClient, database: Database, engine: Engine
) -> None:
    """Its own row says so only once it is done."""
    await add_transfer(database, state="transferring", connection="delete")

    async def offered(name: str) -> Any:
        return (await http.get("/v1/transfers/trf_1", headers=bearer(name))).json()["actions"]

    assert (await offered("olga"), await offered("oscar")) == (["cancel"], ["retry", "roll_back"])
    engine.attempts = {StepName.CHANGE_OWNERSHIP: StepAttempts(1, None)}
    assert (await offered("olga"), await offered("oscar")) == ([], ["retry"])


async def test_when_the_time_is_over_it_can_be_declined_and_cancelled_only(
    http: httpx.AsyncClient, database: Database
) -> None:
    await add_transfer(database, expires_at=datetime.now(UTC) - timedelta(seconds=1))
    for name, acts in (("rita", ["decline"]), ("olga", ["cancel"]), ("oscar", ["retry", "roll_back"])):
        shown = (await http.get("/v1/transfers/trf_1", headers=bearer(name))).json()
        assert shown["actions"] == acts, name


async def test_operators_read_what_their_actions_would_do_and_nobody_else_does(
    http: httpx.AsyncClient, database: Database
) -> None:
    steps = CHANGED | dict.fromkeys(("validate_rights", "look_up_target", "reserve", "quiet_charger"), "done")
    steps |= {"ask_recipient": "skipped", "replace_lists": "running"}
    await add_transfer(database, state="reconfiguring", attention="operator", steps=steps)

    operators = (await http.get("/v1/transfers/trf_1", headers=bearer("oscar"))).json()
    olgas = (await http.get("/v1/transfers/trf_1", headers=bearer("olga"))).json()

    assert [one["action"] for one in operators["resolutions"]] == operators["actions"]
    assert operators["resolutions"][0] == {"action": "retry", "effect": "Tries the step replace_lists again now."}
    assert "local list" in operators["resolutions"][2]["effect"]
    assert olgas["resolutions"] == []


@pytest.mark.parametrize(
    ("transfer", "effects"),
    [
        ({"state": "transferring", "steps": {"reserve": "done"}}, ["validate_rights", "have not changed"]),
        ({"state": "reconfiguring", "attention": "charger_offline", "steps": STUCK},
         ["whether the charger is connected", "If the charger turns out to have proven", "stay due"]),
        ({"state": "reconfiguring", "steps": CHANGED | {"rotate_credentials": "done"}}, ["again now"]),
        ({"state": "rolling_back", "steps": STUCK}, ["undo what is being undone", "The same as retry"]),
        ({"state": "completed"}, []),
        ({}, ["Changes nothing", "Cancels the transfer"]),
    ],
)  # fmt: skip
async def test_what_they_would_do_follows_from_where_the_transfer_stands(
    http: httpx.AsyncClient, database: Database, transfer: dict[str, Any], effects: list[str]
) -> None:
    await add_transfer(database, **transfer)

    found = (await http.get("/v1/transfers/trf_1", headers=bearer("oscar"))).json()["resolutions"]

    assert len(found) == len(effects)
    assert all(part in one["effect"] for part, one in zip(effects, found, strict=True))


async def test_a_paused_step_shows_that_it_is(http: httpx.AsyncClient, database: Database, engine: Engine) -> None:
    await add_transfer(database, state="transferring", accepted_by="u-rita", steps={"quiet_charger": "running"})
    engine.attempts = {StepName.QUIET_CHARGER: StepAttempts(7, "no answer", paused=True)}

    steps = (await http.get("/v1/transfers/trf_1", headers=bearer("olga"))).json()["steps"]

    assert [step["name"] for step in steps if step["paused"]] == ["quiet_charger"]


async def test_a_step_that_is_being_retried_shows_its_tries_and_the_first_line_of_its_error(
    http: httpx.AsyncClient, database: Database, engine: Engine
) -> None:
    await add_transfer(database, state="transferring", steps={"quiet_charger": "running"})
    engine.attempts = {StepName.QUIET_CHARGER: StepAttempts(7, "no answer within 30 s\n  File secret.py, line 1")}

    steps = (await http.get("/v1/transfers/trf_1", headers=bearer("olga"))).json()["steps"]

    [quiet] = [step for step in steps if step["name"] == "quiet_charger"]
    assert (quiet["state"], quiet["attempts"], quiet["last_error"]) == ("running", 7, "no answer within 30 s")
