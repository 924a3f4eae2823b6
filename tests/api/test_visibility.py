"""Who may see what."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import update

from domain.actors import SYSTEM, link
from domain.ids import LinkId, TransferId
from domain.trail import TrailAction
from persistence.session import Database
from persistence.tables import ChargePoint, Membership, Transfer
from persistence.transfers import audit
from tests.api.world import add, add_transfer, bearer, change, charge_point, period


async def test_a_member_sees_the_charge_points_of_their_groups_only(
    http: httpx.AsyncClient, database: Database
) -> None:
    await add_transfer(database)

    mia = (await http.get("/v1/charge-points", headers=bearer("mia"))).json()

    assert mia["items"] == [
        {
            "id": "cp-1",
            "identity": "ID-cp-1",
            "name": "Wallbox cp-1",
            "group_id": "g-team",
            "owner_id": "u-olga",
            "connected": True,
            "held": False,
            "quarantined": False,
            "key": None,
            "ocpp": "1.6",
            "vendor": "Vendor",
            "model": "M1",
            "firmware": None,
            "serials": [],
            "version": 0,
            "active_transfer_id": "trf_1",
        }
    ]
    assert (await http.get("/v1/charge-points/cp-1", headers=bearer("mia"))).json() == mia["items"][0]


@pytest.mark.parametrize("path", ["/v1/charge-points/cp-1", "/v1/charge-points/cp-1/ownership", "/v1/groups/g-team"])
async def test_a_stranger_can_not_tell_what_is_hidden_from_what_is_not_there(
    http: httpx.AsyncClient, path: str
) -> None:
    hidden = await http.get(path, headers=bearer("stan"))
    missing = await http.get(path.replace("cp-1", "cp-9").replace("g-team", "g-9"), headers=bearer("stan"))

    assert hidden.status_code == missing.status_code == 404
    assert hidden.json() == missing.json()


async def test_a_recipient_sees_the_transfer_and_nothing_else_before_accepting(
    http: httpx.AsyncClient, database: Database
) -> None:
    await add_transfer(database)

    seen = await http.get("/v1/transfers/trf_1", headers=bearer("rita"))

    assert seen.json()["to"] == {"group_id": "g-rita", "owner_id": "u-rita"}
    assert seen.json()["actions"] == ["accept", "decline"]
    for path in ("/v1/charge-points/cp-1", "/v1/charge-points/cp-1/ownership", "/v1/transfers/trf_1/events"):
        assert (await http.get(path, headers=bearer("rita"))).status_code == 404
    assert (await http.get("/v1/charge-points", headers=bearer("rita"))).json()["items"] == []


@pytest.mark.parametrize("name", ["olga", "adam", "mia"])
@pytest.mark.parametrize("known", [True, False])
async def test_nobody_on_the_senders_side_learns_who_the_recipient_is_before_they_accept(
    http: httpx.AsyncClient, database: Database, name: str, known: bool
) -> None:
    address: dict[str, Any] = {} if known else {"to_owner_id": None, "to_group_id": None}
    await add_transfer(database, **address)

    for path in ("/v1/transfers/trf_1", "/v1/transfers"):
        answer = (await http.get(path, headers=bearer(name))).json()
        assert answer.get("items", [answer])[0]["to"] is None
        assert "rita" not in str(answer)


async def test_the_audit_trail_does_not_name_a_recipient_who_has_not_accepted(
    http: httpx.AsyncClient, database: Database
) -> None:
    await add_transfer(database)
    async with database.writing() as rows:
        detail = {"to_owner_id": "u-rita", "to_group_id": "g-rita", "list": ["x"], "code": "too_late"}
        await audit.append(rows, "trf_1", actor="user:u-rita", action=TrailAction.DECLINE_REFUSED, detail=detail)  # type: ignore[arg-type]

    olga = (await http.get("/v1/transfers/trf_1/events", headers=bearer("olga"))).json()["items"]
    oscar = (await http.get("/v1/transfers/trf_1/events", headers=bearer("oscar"))).json()["items"]

    assert olga[0]["actor"] == "recipient"
    assert olga[0]["detail"] == {"list": ["x"], "code": "too_late"}
    assert oscar[0]["actor"] == "user:u-rita"
    assert oscar[0]["detail"]["to_owner_id"] == "u-rita"


async def test_the_audit_trail_does_not_tell_whether_an_address_has_an_account(
    http: httpx.AsyncClient, database: Database
) -> None:
    await add_transfer(database)
    async with database.writing() as rows:
        for action, detail in (
            (TrailAction.ASK_NOT_DELIVERABLE, {"reminder": 0}),
            (TrailAction.ASK_NOT_DELIVERABLE, {"reminder": 1}),
            (TrailAction.CODE_SENT, {"link_id": "lnk_1", "number": 1}),
            (TrailAction.ACCOUNT_OPENED, {"link_id": "lnk_1"}),
        ):  # fmt: skip
            await audit.append(rows, TransferId("trf_1"), actor=SYSTEM, action=action, detail=detail)

    olga = (await http.get("/v1/transfers/trf_1/events", headers=bearer("olga"))).json()["items"]
    oscar = (await http.get("/v1/transfers/trf_1/events", headers=bearer("oscar"))).json()["items"]

    assert [event["action"] for event in olga] == ["asked", "reminded", "code_sent", "code_sent"]
    assert [(event["actor"], event["detail"]) for event in olga[2:]] == [("system", {"link_id": "lnk_1"})] * 2
    assert [event["action"] for event in oscar] == [*["ask_not_deliverable"] * 2, "code_sent", "account_opened"]


async def test_the_audit_trail_does_not_tell_why_a_link_was_refused(
    http: httpx.AsyncClient, database: Database
) -> None:
    """`not_possible` would tell that the address's account is blocked."""
    await add_transfer(database, to_owner_id=None, to_group_id=None)
    codes = [{"code": "not_possible"}, {"code": "invalid_request"}]
    async with database.writing() as rows:
        for detail in codes:
            actor, action = link(LinkId("lnk_1")), TrailAction.ACCEPT_REFUSED
            await audit.append(rows, TransferId("trf_1"), actor=actor, action=action, detail=detail)

    olga = (await http.get("/v1/transfers/trf_1/events", headers=bearer("olga"))).json()["items"]
    oscar = (await http.get("/v1/transfers/trf_1/events", headers=bearer("oscar"))).json()["items"]

    assert [(event["action"], event["detail"]) for event in olga] == [("accept_refused", {})] * 2
    assert [event["detail"] for event in oscar] == codes


async def test_the_recipient_is_known_to_everybody_once_they_accepted(
    http: httpx.AsyncClient, database: Database
) -> None:
    await add_transfer(database, state="transferring", accepted_by="u-rita")

    for name in ("olga", "mia", "rita", "oscar"):
        seen = (await http.get("/v1/transfers/trf_1", headers=bearer(name))).json()
        assert seen["to"] == {"group_id": "g-rita", "owner_id": "u-rita"}
    assert (await http.get("/v1/transfers/trf_1/events", headers=bearer("rita"))).status_code == 200


async def test_where_nobody_was_asked_the_recipient_is_known_at_once(
    http: httpx.AsyncClient, database: Database
) -> None:
    await add_transfer(database, state="transferring", acceptance="not_required")

    assert (await http.get("/v1/transfers/trf_1", headers=bearer("olga"))).json()["to"]["owner_id"] == "u-rita"


async def test_a_stranger_finds_no_transfer(http: httpx.AsyncClient, database: Database) -> None:
    await add_transfer(database)

    for path in ("/v1/transfers/trf_1", "/v1/transfers/trf_1/events"):
        assert (await http.get(path, headers=bearer("stan"))).status_code == 404
    assert (await http.get("/v1/transfers", headers=bearer("stan"))).json() == {"items": [], "next": None}


async def test_what_waits_for_nothing_yet_is_not_listed_as_waiting_for_its_recipient(
    http: httpx.AsyncClient, database: Database
) -> None:
    await add_transfer(database, attention="")
    for name in ("olga", "rita", "oscar"):
        answer = await http.get("/v1/transfers?attention=recipient", headers=bearer(name))
        assert answer.json()["items"] == [], name
    await change(database, Transfer, attention="recipient")
    assert len((await http.get("/v1/transfers?attention=recipient", headers=bearer("olga"))).json()["items"]) == 1


async def test_a_refused_transfer_is_its_senders_alone(http: httpx.AsyncClient, database: Database) -> None:
    await add_transfer(database, state="refused", reason="cooling_down", requested_by="u-adam")

    seen = {name: (await http.get("/v1/transfers/trf_1", headers=bearer(name))) for name in ("adam", "olga", "rita")}

    assert {name: answer.status_code for name, answer in seen.items()} == {"adam": 200, "olga": 404, "rita": 404}
    assert seen["adam"].json()["reason"] == "cooling_down"


async def test_owners_of_the_target_group_see_a_move_they_are_asked_about_but_its_members_do_not(
    http: httpx.AsyncClient, database: Database
) -> None:
    await add(database, Membership(group_id="g-rita", user_id="u-stan", role="admin"))
    await add_transfer(database, kind="move_to_group", to_owner_id="u-olga")

    rita = (await http.get("/v1/transfers/trf_1", headers=bearer("rita"))).json()

    assert rita["actions"] == ["accept", "decline"]
    assert (await http.get("/v1/transfers/trf_1", headers=bearer("stan"))).status_code == 404


async def test_who_is_not_asked_about_a_move_sees_it_once_it_is_made(
    http: httpx.AsyncClient, database: Database
) -> None:
    await add_transfer(database, kind="move_to_group", to_owner_id="u-olga", state="transferring",
                       acceptance="not_required")  # fmt: skip
    assert (await http.get("/v1/transfers/trf_1", headers=bearer("rita"))).status_code == 404
    await change(database, ChargePoint, group_id="g-rita", version=1)
    assert (await http.get("/v1/transfers/trf_1", headers=bearer("rita"))).status_code == 404
    await add(database, period("cp-1", 1, "u-olga", "g-rita", transfer_id="trf_1", change="transfer"))
    assert (await http.get("/v1/transfers/trf_1", headers=bearer("rita"))).status_code == 200


async def test_after_the_change_each_side_keeps_its_own_history(http: httpx.AsyncClient, database: Database) -> None:
    """One to rita's own group failed, then trf_0 within g-team, then trf_1 took cp-1 from olga to rita's own group."""
    ago = datetime.now(UTC) - timedelta(days=9)
    await add_transfer(database, "trf_f", state="rolled_back", to_owner_id="u-olga", kind="move_to_group",
                       requested_at=ago - timedelta(days=9))  # fmt: skip
    await add_transfer(database, "trf_0", kind="transfer_ownership", state="declined", to_owner_id="u-adam",
                       to_group_id="g-team", requested_at=ago)  # fmt: skip
    await add_transfer(database, "trf_1", state="completed", accepted_by="u-rita", requested_by="u-adam")
    await add(database, period("cp-1", 1, "u-rita", "g-rita", transfer_id="trf_1", change="transfer"))
    await add(database, Membership(group_id="g-rita", user_id="u-stan", role="member"))
    async with database.writing() as rows:
        await rows.execute(
            update(ChargePoint).where(ChargePoint.id == "cp-1").values(group_id="g-rita", owner_id="u-rita", version=1)
        )

    async def transfers(name: str) -> list[str]:
        return [item["id"] for item in (await http.get("/v1/transfers", headers=bearer(name))).json()["items"]]

    async def versions(name: str) -> list[int] | int:
        answer = await http.get("/v1/charge-points/cp-1/ownership", headers=bearer(name))
        return [item["version"] for item in answer.json()["items"]] if answer.is_success else answer.status_code

    assert await transfers("olga") == ["trf_1", "trf_0", "trf_f"], "a former owner: what she took part in"
    assert await transfers("adam") == ["trf_1", "trf_0"], "asked for one, was to get the other"
    assert await transfers("mia") == [], "a former member took part in nothing"
    assert await transfers("rita") == ["trf_1", "trf_f"], (
        "the new owner: from her own period on, and what she was asked"
    )
    assert await transfers("stan") == ["trf_1"], "a member of the new group: not what its owners were asked in vain"
    assert [await versions(name) for name in ("olga", "mia", "rita", "stan", "oscar")] == [[0], 404, [1], [1], [0, 1]]
    assert (await http.get("/v1/charge-points/cp-1", headers=bearer("olga"))).status_code == 404


async def test_a_filter_by_group_tells_nobody_what_the_list_hides(http: httpx.AsyncClient, database: Database) -> None:
    """Neither to whom a transfer goes that is not accepted, nor where a charge point went after it was given away."""
    await add_transfer(database, "trf_1")
    await add_transfer(database, "trf_2", state="completed", charge_point_id="cp-2", accepted_by="u-rita")

    async def listed(name: str, group: str) -> list[str]:
        answer = await http.get(f"/v1/transfers?group_id={group}", headers=bearer(name))
        return sorted(item["id"] for item in answer.json()["items"])

    assert await listed("olga", "g-team") == ["trf_1", "trf_2"]
    assert await listed("olga", "g-rita") == ["trf_2"], "who trf_1 is for is not hers to know"
    assert await listed("olga", "g-stan") == [], "where cp-2 is now neither: she gave it away"
    assert await listed("rita", "g-rita") == ["trf_1", "trf_2"]
    assert await listed("stan", "g-stan") == [], "a filter shows nothing that is not in sight"
    assert await listed("oscar", "g-rita") == ["trf_1", "trf_2"]
    assert await listed("oscar", "g-stan") == ["trf_2"]


async def test_groups_show_the_callers_role_and_an_operator_sees_all(http: httpx.AsyncClient) -> None:
    adam = (await http.get("/v1/groups", headers=bearer("adam"))).json()["items"]
    oscar = (await http.get("/v1/groups/g-team", headers=bearer("oscar"))).json()

    assert adam == [
        {"id": "g-adam", "name": "Adam's own", "personal": True, "role": "owner"},
        {"id": "g-team", "name": "Team Nord", "personal": False, "role": "admin"},
    ]
    assert oscar == {"id": "g-team", "name": "Team Nord", "personal": False, "role": None}


async def test_an_offline_charger_is_not_connected_and_one_never_heard_of_neither(
    http: httpx.AsyncClient, database: Database
) -> None:
    await add(database, *charge_point("cp-3", "u-olga", "g-team"))

    shown = (await http.get("/v1/charge-points", headers=bearer("olga"))).json()["items"]

    assert [(item["id"], item["connected"]) for item in shown] == [("cp-1", True), ("cp-3", False)]
