"""What a transfer shows of what can be done, and of what is being tried."""

from typing import Any

import httpx
import pytest

from domain.transfer import StepName
from persistence.session import Database
from tests.api.engine import Engine
from tests.api.world import add_transfer, bearer
from workflows.client import StepAttempts

CHANGED = {"change_ownership": "done"}
STUCK = CHANGED | {"rotate_credentials": "running"}


@pytest.mark.parametrize(
    ("name", "transfer", "expected"),
    [
        ("rita", {}, ["accept", "decline"]),
        ("olga", {}, ["cancel"]),
        ("mia", {}, []),
        ("oscar", {}, []),
        ("adam", {"asked_over_owner": True, "requested_by": "u-adam"}, ["cancel"]),
        ("olga", {"requested_by": "u-adam"}, ["cancel"]),
        ("olga", {"state": "transferring"}, ["cancel"]),
        ("olga", {"state": "transferring", "steps": {"change_ownership": "running"}}, []),
        ("olga", {"state": "declined"}, []),
        ("rita", {"state": "transferring", "accepted_by": "u-rita"}, []),
        ("oscar", {"state": "transferring"}, ["retry", "roll_back"]),
        ("oscar", {"state": "reconfiguring", "attention": "operator", "steps": STUCK},
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


async def test_a_step_that_is_being_retried_shows_its_tries_and_the_first_line_of_its_error(
    http: httpx.AsyncClient, database: Database, engine: Engine
) -> None:
    await add_transfer(database, state="transferring", steps={"quiet_charger": "running"})
    engine.attempts = {StepName.QUIET_CHARGER: StepAttempts(7, "no answer within 30 s\n  File secret.py, line 1")}

    steps = (await http.get("/v1/transfers/trf_1", headers=bearer("olga"))).json()["steps"]

    [quiet] = [step for step in steps if step["name"] == "quiet_charger"]
    assert (quiet["state"], quiet["attempts"], quiet["last_error"]) == ("running", 7, "no answer within 30 s")
