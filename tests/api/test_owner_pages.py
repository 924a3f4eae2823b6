"""The pages of who is signed in: what they show to whom, what they start and decide, and when they ask once more."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from icalendar import Calendar
from sqlalchemy import func, select, update

from api.app import create_app
from api.dependencies import Options
from api.pages.english import ENGLISH
from domain.approval import Decision
from domain.charger import RestartAnswer
from domain.errors import NotPossible
from domain.keys import KnownTo
from domain.sign_in import PROOF_LASTS
from domain.support import Audience, SupportLine
from domain.transfer import Connection, StepName
from persistence.intake import sign_in_codes
from persistence.session import Database
from persistence.tables import ChargePoint, Credential, Membership, Request, SignIn, Transfer, User
from persistence.vault import Vault, fingerprint, new_secret
from tests.api.engine import Engine
from tests.api.world import add, add_key, add_link, add_transfer, charge_point, open_link

SAFE = "https://handover.example"
FORM = {"sec-fetch-site": "same-origin"}
SUPPORT = {Audience.PRIVATE: SupportLine(contact="mailto:help@example.com")}
TO_USER = "/charge-points/cp-1/transfer/transfer-to-user"


@pytest.fixture
async def browsers(database: Database, vault: Vault, engine: Engine) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(database, vault, engine, Options(origin=SAFE, support=SUPPORT))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=SAFE, headers=FORM) as client:
        yield client


async def sign_in(
    browser: httpx.AsyncClient, database: Database, name: str, proven_ago: timedelta = timedelta()
) -> httpx.AsyncClient:
    """Sign somebody in, who proved who they are so long ago."""
    token, now = new_secret(), datetime.now(UTC)
    row = SignIn(
        id=f"sin_{name}_{token[:8]}",
        token_hash=fingerprint(token),
        user_id=f"u-{name}",
        browser="a browser",
        began_at=now - proven_ago,
        seen_at=now,
        proven_at=now - proven_ago,
    )
    await add(database, row)
    browser.cookies.clear()
    browser.cookies.set("__Host-handover_sign_in", token, domain="handover.example")
    browser.cookies.set("handover_language", "en", domain="handover.example")
    return browser


async def page(browser: httpx.AsyncClient, path: str, status: int = 200) -> str:
    answer = await browser.get(path)
    assert answer.status_code == status, answer.text
    return answer.text


def hidden(text: str, which: int = -2) -> dict[str, str]:
    """Give what one of a page's forms would send back: the one that goes on, before the one that goes back."""
    forms = re.findall(r"<form.*?</form>", text, re.DOTALL)
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', forms[which]))


# --- who gets in ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/charge-points/cp-1", "/charge-points/cp-1/settings", TO_USER, "/transfers"])
async def test_who_is_not_signed_in_is_led_there_and_back(
    browsers: httpx.AsyncClient, database: Database, vault: Vault, engine: Engine, path: str
) -> None:
    answer = await browsers.get(path)
    assert (answer.status_code, answer.headers["location"]) == (303, "/account/sign-in")
    await browsers.post("/account/sign-in", data={"address": "olga@example.com"})
    async with database.writing() as rows:
        code = await sign_in_codes.to_send(rows, vault, engine.sign_in_codes[-1], datetime.now(UTC))
    assert code
    entered = await browsers.post("/account/code", data={"code": code.digits})
    assert entered.headers["location"] == path
    assert (await browsers.get(path)).status_code == 200


@pytest.mark.parametrize(
    "back", ["//evil.example", "/transfers/../t", "https://evil.example/", "/transfers/a?b", "/v1"]
)
async def test_nobody_is_led_elsewhere(
    browsers: httpx.AsyncClient, database: Database, vault: Vault, engine: Engine, back: str
) -> None:
    browsers.cookies.set("__Host-handover_back", back, domain="handover.example")
    await browsers.post("/account/sign-in", data={"address": "olga@example.com"})
    async with database.writing() as rows:
        code = await sign_in_codes.to_send(rows, vault, engine.sign_in_codes[-1], datetime.now(UTC))
    assert code
    assert (await browsers.post("/account/code", data={"code": code.digits})).headers["location"] == "/"


@pytest.mark.parametrize(
    "path", ["/charge-points/cp-2", "/charge-points/cp-2/settings", "/charge-points/cp-2/transfer", "/transfers/trf_1"]
)
async def test_what_is_others_is_not_there(browsers: httpx.AsyncClient, database: Database, path: str) -> None:
    await add_transfer(database, charge_point_id="cp-1")
    await sign_in(browsers, database, "adam" if "cp-2" in path else "stan")
    assert "There is nothing here for you" in await page(browsers, path, 404)
    posts = {"/transfers/trf_1": "/transfers/trf_1/accept", "/charge-points/cp-2/settings": "/charge-points/cp-2/key"}
    if path in posts:
        assert (await browsers.post(posts[path])).status_code == 404


@pytest.mark.parametrize(
    "path",
    ["/charge-points/cp-1/key", "/charge-points/cp-1/identify", TO_USER, f"{TO_USER}/start"]
    + [f"/transfers/trf_1/{act}" for act in ("accept", "decline", "cancel", "resend")],
)
async def test_a_form_of_another_site_does_nothing(
    browsers: httpx.AsyncClient, database: Database, engine: Engine, path: str
) -> None:
    await add_transfer(database)
    await sign_in(browsers, database, "olga")
    answer = await browsers.post(path, data={"recipient": "rita@example.com"}, headers={"sec-fetch-site": "cross-site"})
    assert answer.status_code == 403
    assert "This did not come from our page" in answer.text
    assert (engine.started, engine.decided, engine.resent, engine.orders) == ([], [], [], [])


# --- what there is ----------------------------------------------------------------------------------------------------


async def test_the_first_page_has_the_groups_what_waits_and_the_key_that_is_due(
    browsers: httpx.AsyncClient, database: Database
) -> None:
    await add(database, *charge_point("cp-3", "u-adam", "g-adam"))
    await add_key(database, KnownTo.CHARGER)
    side = {"from_owner_id": "u-stan", "from_group_id": "g-stan", "requested_by": "u-stan"}
    await add_transfer(database, charge_point_id="cp-2", to_owner_id="u-adam", to_group_id="g-adam", **side)
    await sign_in(browsers, database, "adam")
    text = await page(browsers, "/")
    for said in ("Waiting for your answer", "From Stan", "Your own group", "Wallbox cp-3", "Team Nord", "Owner: Olga"):
        assert said in text
    due = text[text.index("This charger needs a new key") :]
    assert 'href="/charge-points/cp-3/settings"' in due
    assert due.index("Wallbox cp-3") < due.index("Team Nord")
    await sign_in(browsers, database, "rita")
    assert "No charge points yet" in await page(browsers, "/")


async def test_a_charge_point_says_who_has_it_and_what_can_know_its_key(
    browsers: httpx.AsyncClient, database: Database
) -> None:
    await add_key(database, KnownTo.PEOPLE)
    await sign_in(browsers, database, "mia")
    text = await page(browsers, "/charge-points/cp-1")
    for said in ("Wallbox cp-1", "Olga", "Team Nord", "People can know it", "Connected", "Added to"):
        assert said in text
    async with database.writing() as rows:
        await rows.execute(update(Credential).values(open_line=True))
    assert "a line that is not encrypted" in await page(browsers, "/charge-points/cp-1")
    settings = await page(browsers, "/charge-points/cp-1/settings")
    assert settings.count("Only its owner can do this.") == 2
    assert "<form" not in settings


async def test_the_foot_says_where_there_is_help(browsers: httpx.AsyncClient) -> None:
    text = await page(browsers, "/account/sign-in")
    assert '<a href="mailto:help@example.com">Private customers</a>' in text
    assert "At any time" in text
    assert "Business customers" not in text


async def test_the_language_of_the_account_counts_unless_another_was_chosen(
    browsers: httpx.AsyncClient, database: Database
) -> None:
    await sign_in(browsers, database, "olga")
    browsers.cookies.delete("handover_language")
    assert "Vos bornes" in await page(browsers, "/")
    assert "Ihre Ladepunkte" in await page(browsers, "/?lang=de")
    assert "Ihre Ladepunkte" in await page(browsers, "/")


# --- which kinds are open ---------------------------------------------------------------------------------------------


async def test_each_kind_is_shown_and_why_one_is_not_open(browsers: httpx.AsyncClient, database: Database) -> None:
    await sign_in(browsers, database, "mia")
    text = await page(browsers, "/charge-points/cp-1/transfer")
    assert text.count("Only its owner, or an owner of its group") == 2
    assert "This takes the role owner or admin in this group" in text
    assert 'href="/charge-points/cp-1/transfer/' not in text
    for kind in ("move-to-group", "transfer-ownership", "transfer-to-user"):
        answer = await browsers.get(f"/charge-points/cp-1/transfer/{kind}")
        assert answer.headers["location"] == "/charge-points/cp-1/transfer"
    await sign_in(browsers, database, "olga")
    text = await page(browsers, "/charge-points/cp-1/transfer")
    assert text.count('href="/charge-points/cp-1/transfer/') == 3
    await add_transfer(database)
    text = await page(browsers, "/charge-points/cp-1/transfer")
    assert 'href="/transfers/trf_1"' in text
    assert 'href="/charge-points/cp-1/transfer/' not in text


async def test_an_admin_moves_only_where_the_owner_stays(browsers: httpx.AsyncClient, database: Database) -> None:
    await sign_in(browsers, database, "adam")
    assert "the move would change the owner" in re.sub(
        r"\s+", " ", await page(browsers, "/charge-points/cp-1/transfer")
    )
    await add(database, Membership(group_id="g-adam", user_id="u-olga", role="admin"))
    text = await page(browsers, "/charge-points/cp-1/transfer/move-to-group")
    assert 'value="g-adam"' in text
    assert "You become its owner" not in text


async def test_only_groups_and_admins_that_are_possible_can_be_chosen(
    browsers: httpx.AsyncClient, database: Database
) -> None:
    await sign_in(browsers, database, "olga")
    groups = await page(browsers, "/charge-points/cp-1/transfer/move-to-group")
    assert re.findall(r'name="group_id" type="radio" value="([^"]+)"', groups) == ["g-olga"]
    people = await page(browsers, "/charge-points/cp-1/transfer/transfer-ownership")
    assert re.findall(r'name="user_id" type="radio" value="([^"]+)"', people) == ["u-adam"]
    async with database.writing() as rows:
        await rows.execute(update(User).where(User.id == "u-adam").values(status="blocked"))
    assert "no other owner or admin" in await page(browsers, "/charge-points/cp-1/transfer")
    for kind, name, other in (("move-to-group", "group_id", "g-stan"), ("transfer-ownership", "user_id", "u-mia")):
        answer = await browsers.post(f"/charge-points/cp-1/transfer/{kind}", data={name: other})
        assert "button class" not in answer.text
        assert answer.status_code in {303, 403, 409, 422}


async def test_who_is_a_former_owner_waits_for_the_cool_down(browsers: httpx.AsyncClient, database: Database) -> None:
    async with database.writing() as rows:
        changed = update(ChargePoint).where(ChargePoint.id == "cp-1").values(owner_changed_at=datetime.now(UTC))
        await rows.execute(changed)
    await sign_in(browsers, database, "olga")
    text = await page(browsers, "/charge-points/cp-1/transfer")
    assert len(re.findall(r"can be transferred again from \w+day \d+ \w+ \d{4}, \d\d:\d\d UTC", text)) == 3


async def test_who_was_erased_is_a_deleted_account(browsers: httpx.AsyncClient, database: Database) -> None:
    await add_transfer(database, state="completed", accepted_by="u-rita")
    async with database.writing() as rows:
        await rows.execute(update(User).where(User.id == "u-rita").values(name="", status="deleted"))
    await sign_in(browsers, database, "olga")
    for path in ("/transfers", "/transfers/trf_1"):
        assert "deleted account" in await page(browsers, path)


# --- the start --------------------------------------------------------------------------------------------------------


async def test_what_was_typed_is_checked_shown_and_started_once(
    browsers: httpx.AsyncClient, database: Database, engine: Engine
) -> None:
    await sign_in(browsers, database, "olga")
    typed = {"recipient": " Rita@Example.com ", "message": "Enjoy", "delete": "1", "expires_in": "P3D"}
    text = (await browsers.post(TO_USER, data=typed)).text
    for said in ("rita@example.com", "Enjoy", "3 days", "connection ends; the new owner"):
        assert said in text, said
    again = hidden(text)
    for _ in range(2):
        answer = await browsers.post(f"{TO_USER}/start", data=again)
        assert answer.status_code == 303, answer.text
        assert answer.headers["location"] == f"/transfers/{engine.started[0]}"
    assert len(engine.started) == 1
    async with database.reading() as rows:
        request = await rows.get_one(Request, engine.started[0])
        assert (request.user_id, request.api_key_id, request.scopes) == ("u-olga", None, [])
    edited = (await browsers.post(TO_USER, data=again | {"edit": "1"})).text
    assert 'value="Rita@Example.com"' in edited
    assert re.search(r'name="delete"[^>]* checked', edited)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({}, "Type an e-mail address or a phone number."),
        ({"recipient": "amelie"}, "be read: type"),
        ({"recipient": "06 12"}, "be read: type"),
        ({"recipient": "olga@example.com"}, "This address is your own"),
        ({"recipient": "rita@example.com", "message": "\x07"}, "be read: type"),
        ({"recipient": "rita@example.com", "expires_in": "P1Y"}, "be read: type"),
    ],
)
async def test_what_can_not_be_is_said_and_nothing_is_lost(
    browsers: httpx.AsyncClient, database: Database, engine: Engine, typed: dict[str, str], said: str
) -> None:
    await sign_in(browsers, database, "olga")
    for path in (TO_USER, f"{TO_USER}/start")[: 1 if "olga" in str(typed) else 2]:  # whose it is the worker sees
        answer = await browsers.post(path, data=typed)
        assert answer.status_code in {409, 422}
        assert said in answer.text
        assert f'value="{typed.get("recipient", "")}"' in answer.text
        assert answer.text.count('role="alert"') == 1
        assert f'action="{TO_USER}/start"' not in answer.text
    assert engine.started == []


async def test_a_refusal_at_the_start_is_said(browsers: httpx.AsyncClient, database: Database, engine: Engine) -> None:
    engine.fails = NotPossible("It is not possible.")
    await sign_in(browsers, database, "olga")
    answer = await browsers.post(f"{TO_USER}/start", data={"recipient": "rita@example.com", "key": "k"})
    assert answer.status_code == 409
    assert "As things stand this is not possible" in answer.text


# --- the proof --------------------------------------------------------------------------------------------------------

OLD = PROOF_LASTS + timedelta(minutes=1)


@pytest.mark.parametrize("path", [f"{TO_USER}/start", "/charge-points/cp-1/key", "/transfers/trf_1/accept"])
async def test_what_can_not_be_undone_asks_for_a_code_unless_one_was_typed_lately(
    browsers: httpx.AsyncClient, database: Database, vault: Vault, engine: Engine, path: str
) -> None:
    who = "rita" if "accept" in path else "olga"
    if who == "rita":
        await add_transfer(database)
    await sign_in(browsers, database, who, OLD)
    typed = {"recipient": "rita@example.com", "key": "the-same", "until_new_key": "quarantine", "sure": "1"}
    asked = await browsers.post(path, data=typed)
    assert 'name="code"' in asked.text
    assert "Please confirm that it is you" in asked.text
    assert 'value="the-same"' in asked.text
    assert (engine.started, engine.decided) == ([], [])
    wrong = await browsers.post(path, data=typed | {"code": "000000"})
    assert "Tries left: 4" in wrong.text
    async with database.writing() as rows:
        code = await sign_in_codes.to_send(rows, vault, engine.sign_in_codes[-1], datetime.now(UTC))
    assert code
    assert (code.user_id, code.proves) == (f"u-{who}", True)
    done = await browsers.post(path, data=typed | {"code": code.digits})
    assert done.status_code == (200 if "key" in path else 303), done.text
    assert len(engine.sign_in_codes) == 1
    if "accept" in path:
        assert [choice and choice.value for choice in engine.choices] == ["quarantine"]


# --- one transfer -----------------------------------------------------------------------------------------------------


async def test_who_is_asked_reads_what_is_offered_and_answers(
    browsers: httpx.AsyncClient, database: Database, engine: Engine
) -> None:
    await add_transfer(database)
    await sign_in(browsers, database, "rita")
    text = await page(browsers, "/transfers/trf_1")
    for said in ("Olga would like to hand this charge point over to you", "12 rue des Lilas", "If you accept"):
        assert said in text
    assert "olga@example.com" not in text
    assert (await browsers.get("/transfers/trf_1/accept")).headers["location"] == "/transfers/trf_1"
    assert engine.decided == []
    assert (await browsers.post("/transfers/trf_1/accept")).status_code == 303
    assert [(decided[1], decided[3]) for decided in engine.decided] == [(Decision.ACCEPT, "u-rita")]
    again = await browsers.post("/transfers/trf_1/decline")
    assert again.status_code in {200, 303, 409}


async def test_a_link_says_whose_it_is_to_who_is_signed_in(browsers: httpx.AsyncClient, database: Database) -> None:
    await add_transfer(database)
    mailed = await add_link(database)
    for who, said in (("stan", "You are signed in as Stan, but"), ("rita", 'href="/transfers/trf_1"')):
        await sign_in(browsers, database, who)
        link = await open_link(browsers, mailed)
        for path in (link, f"{link}/code"):
            assert said in await page(browsers, path)
    browsers.cookies.delete("__Host-handover_sign_in")
    assert "signed in" not in await page(browsers, link)


async def test_its_sender_sees_the_address_they_typed_cancels_and_resends(
    browsers: httpx.AsyncClient, database: Database, engine: Engine
) -> None:
    await sign_in(browsers, database, "olga")
    start = {"recipient": "rita@example.com", "key": "k"}
    place = (await browsers.post(f"{TO_USER}/start", data=start)).headers["location"]
    text = await page(browsers, place)
    assert "rita@example.com" in text
    assert "Rita" not in text.replace("rita@example.com", ""), "whose it is nobody may know before they accept"
    assert "accept" not in re.findall(r'action="([^"]+)"', text)
    assert (await browsers.post(f"{place}/resend", data={"key": "r"})).status_code == 303
    assert len(engine.resent) == 1
    assert (await browsers.post(f"{place}/cancel", data={"key": "c"})).status_code == 303
    assert [decided[1] for decided in engine.decided] == [Decision.CANCEL]
    await sign_in(browsers, database, "adam")
    assert "rita@example.com" not in await page(browsers, place)


async def test_what_changes_by_itself_is_loaded_anew_once_more_than_a_step_has(
    browsers: httpx.AsyncClient, database: Database
) -> None:
    await add_transfer(database)
    await sign_in(browsers, database, "olga")
    (poll,) = re.findall(r'hx-get="([^"]+)"', await page(browsers, "/transfers/trf_1"))
    same = await browsers.get(poll)
    assert "hx-refresh" not in same.headers
    assert "<html" not in same.text
    async with database.writing() as rows:
        done = update(Transfer).values(state="completed", attention="", active=False)
        await rows.execute(done.where(Transfer.id == "trf_1"))
    assert (await browsers.get(poll)).headers["hx-refresh"] == "true"
    ended = await page(browsers, "/transfers/trf_1")
    assert "hx-get" not in ended
    assert "Done" in ended


async def test_the_deadline_is_a_file_for_calendars(browsers: httpx.AsyncClient, database: Database) -> None:
    await add_transfer(database)
    await sign_in(browsers, database, "rita")
    answer = await browsers.get("/transfers/trf_1/deadline.ics")
    assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
    (event,) = Calendar.from_ical(answer.text).walk("VEVENT")
    async with database.reading() as rows:
        expires_at = (await rows.get_one(Transfer, "trf_1")).expires_at
    assert expires_at
    assert event.decoded("dtstart") == expires_at.replace(microsecond=0)
    assert str(event["summary"]) == "Answer: the charge point “Wallbox cp-1”"
    assert str(event["url"]) == f"{SAFE}/transfers/trf_1"


async def test_who_received_it_reads_what_to_do_next(browsers: httpx.AsyncClient, database: Database) -> None:
    await add_transfer(database, state="completed", accepted_by="u-rita", connection=Connection.DELETE.value)
    async with database.writing() as rows:
        await rows.execute(update(ChargePoint).values(owner_id="u-rita", group_id="g-rita"))
    await sign_in(browsers, database, "rita")
    text = await page(browsers, "/transfers/trf_1")
    assert "What to do next" in text
    assert "Connect the charger" in text
    assert 'href="/charge-points/cp-1"' in text
    await sign_in(browsers, database, "olga")
    assert "What to do next" not in await page(browsers, "/transfers/trf_1")


async def test_a_new_owner_whose_key_is_waited_for_is_led_to_make_one(
    browsers: httpx.AsyncClient, database: Database
) -> None:
    await add_transfer(database, state="reconfiguring", attention="new_key", accepted_by="u-rita")
    async with database.writing() as rows:
        await rows.execute(update(ChargePoint).values(owner_id="u-rita", group_id="g-rita"))
    for who, led in (("rita", True), ("olga", False)):
        await sign_in(browsers, database, who)
        text = await page(browsers, "/transfers/trf_1")
        assert "It waits for its new owner to type a new key" in text
        assert ('href="/charge-points/cp-1/settings#new-key"' in text) is led


# --- the charger ------------------------------------------------------------------------------------------------------


async def test_a_new_key_is_shown_once(browsers: httpx.AsyncClient, database: Database) -> None:
    await sign_in(browsers, database, "olga")
    asked = (await browsers.post("/charge-points/cp-1/key", data={"key": "once"})).text
    assert "Make it only if" in asked
    assert hidden(asked, which=0) == {"key": "once", "sure": "1"}
    text = (await browsers.post("/charge-points/cp-1/key", data={"key": "once", "sure": "1"})).text
    shown = "".join(re.findall(r"<span>([0-9a-f]{5})</span>", text))
    assert len(shown) == 40
    assert "ID-cp-1" in text
    assert shown[:5] not in await page(browsers, "/charge-points/cp-1/settings")
    await sign_in(browsers, database, "adam")
    refused = await browsers.post("/charge-points/cp-1/key", data={"key": "mine", "sure": "1"})
    assert refused.status_code == 403


@pytest.mark.parametrize("answer", list(RestartAnswer))
async def test_a_restart_says_what_the_charger_answered(
    browsers: httpx.AsyncClient, database: Database, engine: Engine, answer: RestartAnswer
) -> None:
    engine.restart_answer = answer
    await sign_in(browsers, database, "olga")
    text = (await browsers.post("/charge-points/cp-1/identify", data={"key": "k"})).text
    assert 'role="status"' in text
    assert len(engine.orders) == 1


async def test_nothing_is_written_by_looking(browsers: httpx.AsyncClient, database: Database) -> None:
    await add_transfer(database)
    await sign_in(browsers, database, "olga")
    for path in ("/", "/charge-points/cp-1", "/charge-points/cp-1/transfer", TO_USER, "/transfers", "/transfers/trf_1"):
        await browsers.get(path)
    await browsers.post(TO_USER, data={"recipient": "rita@example.com"})
    async with database.reading() as rows:
        assert await rows.scalar(select(func.count()).select_from(Request)) == 0


async def test_what_is_sent_again_is_said(browsers: httpx.AsyncClient, database: Database, engine: Engine) -> None:
    await add_transfer(database)
    await sign_in(browsers, database, "olga")
    answer = await browsers.post("/transfers/trf_1/resend", data={"key": "r"})
    assert "A new letter is on its way." in await page(browsers, answer.headers["location"])
    assert "A new letter is on its way." not in await page(browsers, "/transfers/trf_1")


async def test_a_review_says_who_owns_it_afterwards_and_whether_anybody_is_asked(
    browsers: httpx.AsyncClient, database: Database
) -> None:
    await sign_in(browsers, database, "olga")
    asked = (await browsers.post(TO_USER, data={"recipient": "rita@example.com"})).text
    assert "We ask rita@example.com first." in asked
    at_once = (await browsers.post("/charge-points/cp-1/transfer/transfer-ownership", data={"user_id": "u-adam"})).text
    assert "This happens at once" in at_once
    assert "Owner afterwards</dt><dd>Adam" in at_once
    moved = (await browsers.post("/charge-points/cp-1/transfer/move-to-group", data={"group_id": "g-olga"})).text
    assert "Owner afterwards</dt><dd>Olga" in moved


async def test_only_steps_that_it_takes_are_listed(browsers: httpx.AsyncClient, database: Database) -> None:
    move = {"kind": "move_to_group", "to_owner_id": "u-olga", "to_group_id": "g-olga", "acceptance": "not_required"}
    await add_transfer(database, state="transferring", **move)
    await sign_in(browsers, database, "olga")
    text = await page(browsers, "/transfers/trf_1")
    taken = {StepName.VALIDATE_RIGHTS, StepName.LOOK_UP_TARGET, StepName.RESERVE, StepName.CHANGE_OWNERSHIP}
    taken |= {StepName.REPLACE_LISTS, StepName.TELL_PARTIES}
    shown = {step for step, name in ENGLISH.transfers.step_names.items() if f"<span>{name}</span>" in text}
    assert shown == taken
