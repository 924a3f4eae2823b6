"""Somebody without an account is asked, asked again, opens one by the newest link, and gets the charge point."""

from pathlib import Path

from sqlalchemy import select

from persistence.tables import User
from tests.journeys.people import accept_by_link, ask, mailed_link, mails, see_it_end
from tests.journeys.searches import check_no_secret_is_left
from tests.journeys.system import running, two_users
from tools.stage import plain_http

CAROL = "carol@example.com"


async def test_an_address_without_an_account_ends_as_an_owner(tmp_path: Path, sqlite_url: str) -> None:
    async with running(tmp_path / "system", sqlite_url, two_users(1)) as system, system.user("ada") as ada:
        body = {"kind": "transfer_to_user", "recipient": CAROL, "connection": "delete"}
        transfer_id = await ask(ada, "cp-1", body, "key")
        first = await mailed_link(system, "Bay 1")
        assert (await ada.post(f"/v1/transfers/{transfer_id}/resend")).status_code == 200
        async with plain_http.client() as browser:
            assert (await browser.get(first)).status_code == 410
        second = await mailed_link(system, "Bay 1", frozenset({first}))
        assert all("You can open one" in mail["text"] for mail in await mails(system))
        await accept_by_link(system, "Bay 1", frozenset({first}), called="Carol Nova")
        actions = [one["action"] for one in (await ada.get(f"/v1/transfers/{transfer_id}/events")).json()["items"]]
        as_read = ["reserved", "asked", "resent", "asked", "code_sent", "account_opened", "transferring"]
        assert actions[: len(as_read)] == as_read, "as an operator reads it"
        assert (await see_it_end(ada, transfer_id))["state"] in {"completed", "completed_with_warnings"}
        await system.ended(transfer_id)
        async with system.db.reading() as rows:
            carol = (await rows.scalars(select(User).where(User.email == CAROL))).one()
        assert carol.name == "Carol Nova"
        point = (await ada.get(f"/v1/transfers/{transfer_id}")).json()["to"]
        assert point == {"group_id": f"personal-{carol.id}", "owner_id": carol.id}
        assert second != first
        await check_no_secret_is_left(system.stage, system.db, system.keys, system.charge_points)
        engine = b"".join(file.read_bytes() for file in system.stage.data.glob("temporal.db*"))
        assert transfer_id.encode() in engine
        assert b"Carol Nova" not in engine
        assert CAROL.encode() not in engine
