"""A small state in which every invariant holds: a move, a transfer to a user, a roll-back, each with all its traces.

The transfer to a user was under attack: its new owner typed a key in, so its former owner's client was shut out.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from sqlalchemy import select

from domain.ids import ChargePointId
from domain.keys import KeyPurpose
from persistence.chargers.charger_keys import PURPOSE, KeyState, new_key
from persistence.importing.imports import import_lines
from persistence.session import Database
from persistence.tables import (
    AuditEvent,
    ChargePoint,
    ChargingSession,
    Credential,
    Order,
    OwnershipPeriod,
    PresentConnection,
    Request,
    Transfer,
)
from persistence.vault import Vault, fingerprint
from tools.chaos import town
from tools.chaos.attackers import Attacks, Heard, Stay
from tools.chaos.evidence import Evidence, read_rows
from tools.chaos.journal import Promise
from tools.chaos.letters import Mail
from tools.simulator.state import StationState

#: After the accounts are imported, however long that takes to come.
BEGAN = datetime.now(UTC) + timedelta(days=1)
LATER = BEGAN + timedelta(minutes=1)
NEW_KEY = "0123456789abcdef0123456789abcdef01234567"
#: Transfer, charge point, state, from, to.
MOVE = ("trf_move", "cp-1", "completed", ("ada", "north"), ("ada", "south"))
GIFT = ("trf_gift", "cp-2", "completed", ("bob", "south"), ("eve", "personal-eve"))
BACK = ("trf_back", "cp-3", "rolled_back", ("finn", "personal-finn"), ("dan", "personal-dan"))
STORIES = (MOVE, GIFT, BACK)
Entry = tuple[str, str, dict[str, Any]]


async def put_in(db: Database, vault: Vault) -> Evidence:
    """Fill an empty database, and give the evidence that goes with it; its rows are read again after a change."""
    lines = [_at_first(line) for line in town.build(3, Random(1)).lines]  # noqa: S311 - the same each time
    await import_lines(db, vault, [json.dumps(line).encode() for line in lines])
    async with db.writing() as rows:
        for story in STORIES:
            rows.add(_transfer(story))
            rows.add(_request(story[0], story[1]))
            await rows.flush()
            rows.add_all(_trail(story))
            await _change(rows, story)
        current = [key for key in await _keys(rows) if key.charge_point_id == "cp-2"]
        current[0].state, current[0].revoked_at = KeyState.REVOKED.value, LATER
        await rows.flush()
        proven = _proven(vault)
        rows.add(proven)
        rows.add_all(_link(point, proven) for point in ("cp-1", "cp-2", "cp-3"))
        rows.add(_session())
    first = {str(line["identity"]): str(line["password"]) for line in lines if line["type"] == "charge_point"}
    return Evidence(
        rows=await read_rows(db),
        memories={
            "CP-1": StationState(
                first["CP-1"], local_list={"SOUTH1": "Accepted", "SOUTH2": "Accepted", "NORTH1": "Blocked"}
            ),
            "CP-2": StationState(NEW_KEY, local_list={"EVE": "Accepted", "SOUTH1": "Blocked"}),
            "CP-3": StationState(first["CP-3"]),
        },
        vault=vault,
        shown={
            **{story[0]: (story[2],) for story in STORIES},
            "cp-1": ("ada", "south", 1),
            "cp-2": ("eve", "personal-eve", 1),
            "cp-3": ("finn", "personal-finn", 2),
        },
        outcomes={story[0]: story[2] for story in STORIES},
        mails=[Mail(f"ended.{story[0]}.0123456789", "ada@example.com", "It is done.") for story in STORIES],
        promises=[
            *(Promise("ada", "start", story[0], f"key-{story[0]}", 201) for story in STORIES),
            Promise("eve", "accept", GIFT[0], "accept", 200),
            Promise("olga", "resolve", BACK[0], "act", 200),
        ],
        seen={("cp-1", 0): ("ada", "north"), ("cp-1", 1): ("ada", "south")},
        attacks=Attacks(
            passwords={"cp-2": first["CP-2"]},
            heard=[Heard("cp-2", LATER, "SendLocalList", ["Full"])],
            stays=[Stay("cp-2", BEGAN, LATER)],
            opens={"cp-2": False},
        ),
    )


def _at_first(line: Any) -> dict[str, Any]:
    stories = {story[1]: story[3] for story in STORIES}
    if line["type"] != "charge_point":
        return dict(line)
    owner, group = stories[line["id"]]
    return {**line, "owner_id": owner, "group_id": group}


def _transfer(story: Any) -> Transfer:
    transfer_id, point, state, before, after = story
    return Transfer(
        id=transfer_id, charge_point_id=point, state=state, attention="", warnings=[], active=False, connection="keep",
        kind="move_to_group" if story is MOVE else "transfer_to_user", acceptance="not_required",
        running_session="wait", if_offline="complete", from_owner_id=before[0], from_group_id=before[1],
        to_owner_id=after[0], to_group_id=after[1], asked_over_owner=False, requested_by=before[0],
        requested_at=BEGAN, finished_at=LATER + timedelta(seconds=1), from_version=0, due=False,
        new_key=story is GIFT,
    )  # fmt: skip


def _request(transfer_id: str, point: str) -> Request:
    return Request(
        transfer_id=transfer_id, user_id="ada", scopes=[], charge_point_id=point, kind="move_to_group",
        idempotency_key=f"key-{transfer_id}", body_hash="", sealed_body=b"", requested_at=BEGAN, started_at=BEGAN,
    )  # fmt: skip


def _trail(story: Any) -> Iterator[AuditEvent]:
    restored: list[Entry] = [("ownership_restored", "ownership_restored", {})] if story is BACK else []
    accepted: list[Entry] = [("transferring", "accept:user:eve", {})] if story is GIFT else []
    resolved: list[Entry] = [("resolved_roll_back", "resolved_roll_back:once", {})] if story is BACK else []
    entries: list[Entry] = [
        ("reserved", "reserved", {}),
        *accepted,
        ("ownership_changed", "ownership_changed", {}),
        *resolved,
        *restored,
        (story[2], "finished", {}),
        ("told", "told:ended", {"subject": "ended"}),
    ]
    for number, (action, once, detail) in enumerate(entries, start=1):
        order = _order() if action == "resolved_roll_back" else None
        actor = order.actor if order else "system"
        yield AuditEvent(
            subject=story[0], sequence=number, at=LATER, actor=actor, action=action, detail=detail, order=order,
            once=once,
        )  # fmt: skip


def _order() -> Order:
    return Order(
        id="ord_1", subject=BACK[0], act="roll_back", actor="operator:olga", at=LATER,
        request_id=fingerprint("olga act")[:32],
    )  # fmt: skip


async def _change(session: Any, story: Any) -> None:
    """Move a charge point to the holder after, and for the roll-back to the one before."""
    transfer_id, point, _, before, after = story
    changes = [("transfer", after, LATER)]
    if story is BACK:
        changes.append(("roll_back", before, LATER + timedelta(seconds=1)))
    row = await session.get_one(ChargePoint, point)
    for change, (owner, group), at in changes:
        (await session.get_one(OwnershipPeriod, (point, row.version))).ended_at = at
        row.version, row.owner_id, row.group_id = row.version + 1, owner, group
        session.add(
            OwnershipPeriod(
                charge_point_id=point, version=row.version, owner_id=owner, group_id=group, started_at=at,
                transfer_id=transfer_id, change=change,
            )
        )  # fmt: skip
        await session.flush()


async def _keys(session: Any) -> list[Credential]:
    return list(await session.scalars(select(Credential)))


def _proven(vault: Vault) -> Credential:
    mac = vault.mac(PURPOSE, NEW_KEY.encode())
    point = ChargePointId("cp-2")
    key = new_key(point, KeyState.CURRENT, mac, LATER, purpose=KeyPurpose.TYPED, version=1)
    key.order_id, key.proved_at = GIFT[0], LATER
    return key


def _link(point: str, proven: Credential) -> PresentConnection:
    return PresentConnection(
        charge_point_id=point, node="node-1", generation=1, quarantined=False, connected_at=LATER, address="127.0.0.1",
        credential_id=proven.id if point == proven.charge_point_id else None,
    )  # fmt: skip


def _session() -> ChargingSession:
    return ChargingSession(
        charge_point_id="cp-1", connector=1, id_tag="SOUTH1", owner_id="ada", group_id="south",
        started_at=LATER + timedelta(minutes=1), reported_at=LATER, arrived_at=LATER, earliest_at=LATER,
        doubts=[], meter_start=0,
    )  # fmt: skip
