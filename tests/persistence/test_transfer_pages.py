"""A page has what a look at every transfer would give, in the same order, whatever ways lead to it."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import or_, select

from domain.ids import ChargePointId, GroupId, TransferId, UserId
from domain.kinds import TransferKind
from domain.rights import Scope
from domain.transfer import FINAL, Attention, TransferState
from persistence.people.callers import Caller
from persistence.session import Database
from persistence.tables import ChargePoint, Group, Membership, OwnershipPeriod, Table, Transfer, User
from persistence.vault import Vault
from persistence.views.transfer_filter import TransferFilter, of_transfers
from persistence.views.transfer_reads import TransferReads
from persistence.views.visibility import transfer_in_sight, ways_of_group

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
USERS = [f"u{n}" for n in range(5)]
GROUPS = [f"g{n}" for n in range(6)]
POINTS = [f"cp{n}" for n in range(8)]
FILTERS = [
    TransferFilter(),
    TransferFilter(state=TransferState.REFUSED),
    TransferFilter(attention=Attention.RECIPIENT),
    TransferFilter(kind=TransferKind.MOVE_TO_GROUP),
    TransferFilter(charge_point_id=ChargePointId("cp1")),
    TransferFilter(group_id=GroupId("g1")),
    TransferFilter(group_id=GroupId("g2"), charge_point_id=ChargePointId("cp2")),
    TransferFilter(group_id=GroupId("g3"), state=TransferState.COMPLETED),
    TransferFilter(requested_before=BEGIN + timedelta(hours=12)),
]


def caller(user_id: str, *scopes: Scope) -> Caller:
    return Caller(UserId(user_id), user_id, None, None, "en", frozenset(scopes))


def people(chance: random.Random) -> list[Table]:
    members = {(chance.choice(GROUPS), chance.choice(USERS)) for _ in range(14)}
    return [
        *(User(id=name, name=name, locale="en", status="active", created_at=BEGIN) for name in USERS),
        *(Group(id=name, name=name) for name in GROUPS),
        *(Membership(group_id=group, user_id=user, role=chance.choice(["owner", "member"])) for group, user in members),
        *(
            ChargePoint(
                id=name,
                identity=name,
                name=name,
                owner_id=chance.choice(USERS),
                group_id=chance.choice(GROUPS),
                version=0,
                ocpp="1.6",
            )
            for name in POINTS
        ),
    ]


def transfer(chance: random.Random, number: int) -> list[Table]:
    """Give a transfer between anybody, and what the ledger says of it; many share their moment."""
    state = chance.choice(list(TransferState))
    active = state not in FINAL and number < len(POINTS)
    state = state if active or state in FINAL else TransferState.COMPLETED
    row = Transfer(
        id=f"trf_{number}", kind=chance.choice(list(TransferKind)).value, state=state.value,
        attention=chance.choice(["recipient", "operator", ""]), warnings=[], active=active,
        charge_point_id=POINTS[number] if active else chance.choice(POINTS), connection="keep",
        acceptance=chance.choice(["required", "not_required"]), running_session="wait", if_offline="complete",
        from_group_id=chance.choice(GROUPS), from_owner_id=chance.choice(USERS),
        to_group_id=chance.choice([*GROUPS, None]), to_owner_id=chance.choice([*USERS, None]),
        accepted_by=chance.choice([*USERS, None]), asked_over_owner=False, requested_by=chance.choice(USERS),
        requested_at=BEGIN + timedelta(hours=chance.randrange(24)), from_version=0,
    )  # fmt: skip
    if chance.random() < 0.5:
        return [row]
    period = OwnershipPeriod(
        charge_point_id=row.charge_point_id, version=number + 1, owner_id=row.from_owner_id,
        group_id=row.from_group_id, started_at=BEGIN, transfer_id=row.id, change="transfer",
    )  # fmt: skip
    return [row, period]


@pytest.fixture
async def reads(database: Database, vault: Vault) -> TransferReads:
    chance = random.Random(14)  # noqa: S311 - the same data each time
    async with database.writing() as rows:
        for row in people(chance):
            rows.add(row)
            await rows.flush()
        for number in range(150):
            rows.add_all(transfer(chance, number))
    return TransferReads(database, vault)


async def every(database: Database, who: Caller, wanted: TransferFilter) -> list[str]:
    """Look at every transfer."""
    which = [*of_transfers(wanted), transfer_in_sight(who)]
    if wanted.group_id is not None:
        which.append(or_(*(way.condition for way in ways_of_group(who, wanted.group_id))))
    query = select(Transfer.id).where(*which).order_by(Transfer.requested_at.desc(), Transfer.id.desc())
    async with database.reading() as rows:
        return list(await rows.scalars(query))


async def walk(reads: TransferReads, who: Caller, wanted: TransferFilter) -> list[str]:
    """Go through the pages."""
    found: list[str] = []
    before: tuple[datetime, TransferId] | None = None
    while page := await reads.page(who, TransferFilter(**vars(wanted) | {"before": before}), 7):
        found += [view.id for view in page]
        before = page[-1].requested_at, page[-1].id
    return found


@pytest.mark.parametrize("wanted", FILTERS, ids=str)
async def test_pages_have_what_a_look_at_every_transfer_gives(
    reads: TransferReads, database: Database, wanted: TransferFilter
) -> None:
    callers = [*(caller(name) for name in USERS), caller("u0", Scope.OPERATOR)]
    seen = 0
    for who in callers:
        expected = await every(database, who, wanted)
        assert await walk(reads, who, wanted) == expected
        seen += len(expected)
    assert seen, "something is seen"
