"""Recipients whose account came, or was lost, since they were asked: by their key, and at the page of their link."""

from datetime import UTC, datetime

import httpx
import pytest

from domain.approval import Decision
from domain.request import TransferRequest
from domain.transfer import TransferState
from persistence.session import Database
from persistence.tables import Request, Transfer, User
from persistence.vault import Vault
from tests.api.conftest import LATER, Trail
from tests.api.engine import Engine
from tests.api.world import CODE, add, add_code, add_link, add_transfer, bearer, change, check, open_link

PHONE = "+33612345678"


@pytest.fixture
async def asked(database: Database, vault: Vault) -> None:
    """A transfer of cp-1 to a number that nobody has."""
    await ask(database, vault, PHONE, "phone")


async def ask(database: Database, vault: Vault, recipient: str, channel: str) -> None:
    body = TransferRequest.model_validate(
        {"kind": "transfer_to_user", "acceptance": "required", "expires_in": "P7D"}
        | {"recipient": recipient, "recipient_channel": channel}
    )
    request = Request(
        transfer_id="trf_1",
        user_id="u-olga",
        scopes=[],
        charge_point_id="cp-1",
        kind="transfer_to_user",
        body_hash="0" * 64,
        sealed_body=vault.seal(body.model_dump_json().encode()),
        requested_at=datetime.now(UTC),
    )
    await add(database, request)
    await add_transfer(database, to_owner_id=None, to_group_id=None, expires_at=LATER)


async def give(database: Database, name: str, **values: str | None) -> None:
    async with database.writing() as rows:
        user = await rows.get_one(User, f"u-{name}")
        for field, value in values.items():
            setattr(user, field, value)


@pytest.mark.parametrize("decision", [Decision.ACCEPT, Decision.DECLINE])
@pytest.mark.parametrize("name", ["rita", "adam"])
async def test_who_has_got_the_number_since_sees_it_and_decides(
    http: httpx.AsyncClient, database: Database, engine: Engine, asked: None, decision: Decision, name: str
) -> None:
    """Somebody else, or a member of the group who could see it all along."""
    await give(database, name, phone=PHONE)
    seen = (await http.get("/v1/transfers/trf_1", headers=bearer(name))).json()
    assert {"accept", "decline"} <= set(seen["actions"])

    answer = await http.post(f"/v1/transfers/trf_1/{decision.value}", headers=bearer(name))

    assert [(act, user) for _, act, _, user, _ in engine.decided] == [(decision, f"u-{name}")]
    assert answer.json()["id"] == "trf_1"


async def test_nobody_else_sees_it_for_that(http: httpx.AsyncClient, database: Database, asked: None) -> None:
    await give(database, "rita", phone=PHONE)
    check(await http.post("/v1/transfers/trf_1/accept", headers=bearer("stan")), 404, "not_found")
    check(await http.post("/v1/transfers/trf_1/accept", headers=bearer("adam")), 403, "not_allowed")
    assert (await http.get("/v1/transfers/trf_1", headers=bearer("olga"))).json()["to"] is None
    await give(database, "stan", phone=PHONE)  # which of the two is asked nobody can tell
    for name in ("rita", "stan"):
        check(await http.get("/v1/transfers/trf_1", headers=bearer(name)), 404, "not_found")


async def test_the_present_owner_is_answered_alike_whether_it_is_their_number(
    http: httpx.AsyncClient, database: Database, asked: None, trail: Trail
) -> None:
    answers = []
    for number in (None, PHONE):
        await give(database, "olga", phone=number)
        answer = await http.post("/v1/transfers/trf_1/accept", headers=bearer("olga"))
        seen = await http.get("/v1/transfers/trf_1", headers=bearer("olga"))
        answers.append((answer.status_code, answer.json(), seen.json()))
    assert answers[0] == answers[1]
    assert await trail("trf_1") == [("user:u-olga", "accept_refused", "not_allowed")]


@pytest.mark.parametrize("bound", [False, True])
async def test_a_senders_accomplice_learns_nothing_by_trying(
    http: httpx.AsyncClient, database: Database, asked: None, bound: bool
) -> None:
    """Who tried to answer is named alike, whether or not the recipient has an account."""
    if bound:
        await change(database, Transfer, to_owner_id="u-rita", to_group_id="g-rita")
    await http.post("/v1/transfers/trf_1/accept", headers=bearer("stan"))
    events = (await http.get("/v1/transfers/trf_1/events", headers=bearer("olga"))).json()["items"]
    assert [(event["actor"], event["action"]) for event in events] == [("recipient", "accept_refused")]


async def test_an_acceptance_that_called_the_transfer_off_is_said_as_that(
    http: httpx.AsyncClient, database: Database, engine: Engine
) -> None:
    await add_transfer(database)
    engine.leads_to[Decision.ACCEPT] = TransferState.CANCELLED
    said = check(await http.post("/v1/transfers/trf_1/accept", headers=bearer("rita")), 409, "not_possible")
    assert "may not give" in said


# --- at the page --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "says"),
    [("shared", "more than one has it"), ("blocked", "is not in use"), ("owner", "is yours already")],
)
async def test_the_page_says_at_once_that_it_cant_be_accepted_and_a_code_stays_good_to_decline(
    http: httpx.AsyncClient, database: Database, vault: Vault, engine: Engine, how: str, says: str
) -> None:
    name = "olga" if how == "owner" else "rita"
    await ask(database, vault, f"{name}@example.com", "email")
    if how == "shared":
        await give(database, "stan", email="rita@example.com")
    if how == "blocked":
        await give(database, "rita", status="blocked")
    path = await add_link(database)
    link = await open_link(http, f"{path}?lang=en")
    await add_code(database, vault)

    for page in (await http.get(link), await http.get(f"{link}/code")):
        assert says in page.text
        assert "Open an account" not in page.text
        assert ">Accept<" not in page.text
    refused = await http.post(f"{link}/accept", data={"code": CODE, "name": "Nora"})
    assert (refused.status_code, engine.decided, engine.opened) == (409, [], [])
    assert (await http.post(f"{link}/decline", data={"code": CODE})).status_code == 200
    assert [decision for _, decision, *_ in engine.decided] == [Decision.DECLINE]


async def test_an_acceptance_that_called_it_off_leads_to_the_page_that_says_so(
    http: httpx.AsyncClient, link: str, database: Database, vault: Vault, engine: Engine
) -> None:
    await add_code(database, vault)
    engine.leads_to[Decision.ACCEPT] = TransferState.CANCELLED
    answer = await http.post(f"{link}/accept", data={"code": CODE})
    assert (answer.status_code, "was called off" in answer.text) == (410, True)
