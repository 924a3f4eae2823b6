"""The approval link: what it shows, and what becomes of it."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import update

from persistence.session import Database
from persistence.tables import Transfer
from persistence.vault import Vault
from tests.api.engine import Engine
from tests.api.world import CODE, TOKEN, add_code, add_link, open_link


async def test_the_link_shows_what_from_whom_until_when_and_what_follows(http: httpx.AsyncClient, link: str) -> None:
    page = await http.get(link)

    assert page.status_code == 200
    for text in ("Wallbox cp-1", "12 rue des Lilas, Lyon", "Olga", "5 March 2099, 14:07 UTC", "Enjoy it!"):
        assert text in page.text
    assert "comes into your personal group" in page.text
    assert "It stays connected" in page.text


async def test_nothing_that_a_sender_wrote_becomes_markup(http: httpx.AsyncClient, link: str) -> None:
    page = await http.get(link)

    assert re.findall("<script.*", page.text) == ['<script src="/static/zone.js" defer></script>']
    assert "&lt;script&gt;" in page.text


@pytest.mark.parametrize("path", ["", "/code", "/accept", "/nothing"])
async def test_every_page_is_private(http: httpx.AsyncClient, link: str, path: str) -> None:
    for address in (f"{link}{path}", f"/t/unknown{path}", f"/t/of/unknown{path}", f"/t/{TOKEN}"):
        headers = (await http.get(address)).headers
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-content-type-options"] == "nosniff"
        policy = headers["content-security-policy"]
        rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
        assert {rules.pop(rule) for rule in ("default-src", "base-uri", "frame-ancestors")} == {"'none'"}
        assert set(rules.values()) == {"'self'"}, "scripts, styles and pictures are ours, and nothing is within a page"


async def test_a_page_asks_for_nothing_from_elsewhere_and_its_style_sheet_is_there(
    http: httpx.AsyncClient, link: str
) -> None:
    page = (await http.get(link)).text

    assert sorted(re.findall(r'(?:src|href)="([^"]*)"', page)) == [
        "/static/icon.svg",
        "/static/pages.css",
        "/static/zone.js",
        f"{link}/deadline.ics",
        "?lang=de",
        "?lang=fr",
    ]
    assert "style=" not in page
    sheet = await http.get("/static/pages.css")
    assert (sheet.status_code, sheet.headers["content-type"]) == (200, "text/css; charset=utf-8")


async def test_a_replaced_link_takes_no_answer_and_points_to_the_latest_message(
    http: httpx.AsyncClient, link: str, database: Database, vault: Vault, engine: Engine
) -> None:
    await add_code(database, vault)
    newer = await add_link(database, "another-token", link_id="lnk_2", generation=2)

    answers = [await http.get(link), await http.post(f"{link}/code")]
    answers.append(await http.post(f"{link}/accept", data={"code": CODE}))

    assert {answer.status_code for answer in answers} == {410}
    assert all("link in the latest one" in answer.text for answer in answers)
    assert (engine.codes, engine.decided) == ([], [])
    assert (await http.get(f"/t/{TOKEN}")).status_code == 410
    assert (await http.get(await open_link(http, newer))).status_code == 200


@pytest.mark.parametrize(
    "path", ["/t/unknown", f"/t/{TOKEN}x", "/t/%00", "/t/unknown/code", "/t/a/b/c", "/t/", "/t/\u00e9"]
)
async def test_an_unknown_link_leads_to_a_friendly_page(http: httpx.AsyncClient, link: str, path: str) -> None:
    answer = await http.get(path)

    assert answer.status_code == 404
    assert "This link leads nowhere" in answer.text


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"connection": "delete"}, "Its connection to the platform ends with the transfer"),
        ({"kind": "transfer_ownership", "to_group_id": "g-team"}, "stays in the group “Team Nord”"),
        ({"kind": "move_to_group"}, "into your group “Rita&#39;s own”"),
        ({"kind": "move_to_group"}, "Olga becomes its owner."),
        ({"kind": "move_to_group", "to_owner_id": "u-olga"}, "Its owner stays the same."),
    ],
)
async def test_each_kind_says_what_follows_from_it(
    http: httpx.AsyncClient, link: str, database: Database, values: dict[str, Any], text: str
) -> None:
    async with database.writing() as rows:
        await rows.execute(update(Transfer).values(values))

    page = (await http.get(link, headers={"Accept-Language": "en"})).text
    assert text in page
    assert len(re.findall(r"You become the owner|becomes its owner|owner stays the same", page)) == 1


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"state": "expired"}, "The time to answer is over"),
        ({"expires_at": datetime.now(UTC) - timedelta(seconds=1)}, "The time to answer is over"),
        ({"state": "cancelled"}, "This transfer was called off"),
        ({"state": "declined"}, "This was declined"),
        ({"state": "transferring", "accepted_by": "u-rita"}, "This was accepted"),
        ({"state": "completed", "accepted_by": "u-rita"}, "This was accepted"),
    ],
)
async def test_a_dead_link_says_so_and_sends_no_code(
    http: httpx.AsyncClient, link: str, database: Database, engine: Engine, values: dict[str, Any], text: str
) -> None:
    async with database.writing() as rows:
        await rows.execute(update(Transfer).where(Transfer.id == "trf_1").values(values))

    mailed = await http.get(f"/t/{TOKEN}")
    assert "set-cookie" not in mailed.headers
    for answer in (mailed, await http.get(link), await http.get(f"{link}/code"), await http.post(f"{link}/code")):
        assert answer.status_code == 410
        assert text in answer.text
        assert "<form" not in answer.text
    assert engine.codes == []
