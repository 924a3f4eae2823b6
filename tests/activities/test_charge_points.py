"""Whether a charger may be told something outside any transfer, on both databases: as the register has it now."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from activities.charge_points import DatabaseChargePoints
from activities.contracts.charge_points import PointAsk
from activities.contracts.messages import TransferRef
from activities.contracts.registry import WhileAbsent
from activities.registry import DatabaseRegistry
from domain.charger_orders import ChargerOrder
from domain.errors import NotAllowed, NotFound, NotPossible, Refusal, TransferInProgress
from domain.ids import ChargePointId, OrderId, charger_order_workflow_id
from domain.keys import KnownTo
from domain.trail import of_charge_point
from domain.transfer import Attention
from persistence.chargers import credentials
from persistence.session import Database
from persistence.tables import AuditEvent, ChargePoint, ChargingSession, Order, Transfer
from persistence.vault import Vault
from tests.activities.test_registry import BOB_OWNS, CP, TO_BOB, change, keep, know_key, registry
from tests.activities.test_rescues import connect
from tests.orders import give

__all__ = ["registry"]
NOW = datetime.now(UTC)


async def ask(database: Database, order: ChargerOrder, user: str | None = "ada", point: ChargePointId = CP) -> PointAsk:
    """Ask as a user, or as an operator."""
    actor = f"user:{user}" if user else "operator:olive"
    order_id = await give(database, of_charge_point(point), order.value, actor, request_id=f"of {actor}")
    name = charger_order_workflow_id(point, order.value, order_id)
    return PointAsk(charge_point_id=point, order=order, order_id=order_id, workflow_id=name)


@pytest.fixture
async def points(registry: DatabaseRegistry, database: Database) -> DatabaseChargePoints:
    """With a charger that is there, whose key only it knows."""
    await connect(database)
    return DatabaseChargePoints(database)


async def refusal(points: DatabaseChargePoints, order: ChargerOrder, user: str | None = "ada") -> type[Refusal] | None:
    try:
        await points.find_charger(await ask(points._db, order, user))
    except Refusal as refused:
        return type(refused)
    return None


@pytest.mark.parametrize("order", ChargerOrder)
async def test_its_owner_and_operators_are_told_where_it_is(points: DatabaseChargePoints, order: ChargerOrder) -> None:
    for user in ("ada", None):
        assert (await points.find_charger(await ask(points._db, order, user))).node == "node"
    assert await refusal(points, order, "bob") is NotAllowed, "an owner of its group, but not its owner"
    with pytest.raises(NotFound):
        await points.find_charger(await ask(points._db, order, point=ChargePointId("cp-9")))


@pytest.mark.parametrize("order", ChargerOrder)
async def test_an_owner_who_is_one_no_more_when_it_is_looked_at_is_refused(
    points: DatabaseChargePoints, database: Database, order: ChargerOrder
) -> None:
    await change(database, update(ChargePoint).values(owner_id="bob"))
    assert await refusal(points, order, "ada") is NotAllowed
    assert await refusal(points, order, "bob") is None


@pytest.mark.parametrize("order", ChargerOrder)
async def test_only_over_a_released_connection(
    registry: DatabaseRegistry, database: Database, order: ChargerOrder
) -> None:
    points = DatabaseChargePoints(database)
    assert await refusal(points, order) is NotPossible, "it is not there"
    await connect(database, quarantined=True)
    assert await refusal(points, order) is NotPossible
    await connect(database)
    assert await refusal(points, order) is None


async def test_a_transfer_that_is_at_work_stands_in_the_way(
    points: DatabaseChargePoints, registry: DatabaseRegistry, database: Database, vault: Vault
) -> None:
    """One that waits for its recipient does not; one that waits for the new owner's key lets its charger be found."""
    offered = await keep(database, vault, TO_BOB)
    await registry.reserve(offered)
    assert [await refusal(points, order) for order in ChargerOrder] == [None, None]
    await change(database, update(Transfer).values(state="reconfiguring", attention=""))
    assert [await refusal(points, order) for order in ChargerOrder] == [TransferInProgress] * 2
    await change(database, update(Transfer).values(attention=Attention.NEW_KEY))
    assert await refusal(points, ChargerOrder.ROTATE_KEY) is TransferInProgress
    assert await refusal(points, ChargerOrder.IDENTIFY) is None


async def changed_hands(registry: DatabaseRegistry, database: Database, vault: Vault) -> TransferRef:
    ref = await keep(database, vault, BOB_OWNS)
    await registry.reserve(ref)
    await registry.change_ownership(WhileAbsent(transfer_id=ref.transfer_id))
    return ref


async def test_a_key_of_a_former_owners_time_is_not_replaced_so_and_a_roll_back_makes_it_the_owners_again(
    points: DatabaseChargePoints, registry: DatabaseRegistry, database: Database, vault: Vault
) -> None:
    await know_key(database, KnownTo.PEOPLE)
    assert await refusal(points, ChargerOrder.ROTATE_KEY) is None
    ref = await changed_hands(registry, database, vault)
    await change(database, update(Transfer).values(state="completed_with_warnings", active=False))
    with pytest.raises(NotPossible, match=r"former owner may know it.*/connection"):
        await points.find_charger(await ask(points._db, ChargerOrder.ROTATE_KEY, "bob"))
    assert await refusal(points, ChargerOrder.IDENTIFY, "bob") is None
    await change(database, update(Transfer).values(state="rolling_back", active=True))
    await registry.restore_ownership(ref)
    await change(database, update(Transfer).values(state="rolled_back", active=False))
    assert await refusal(points, ChargerOrder.ROTATE_KEY) is None


async def test_a_key_that_is_waited_for_is_not_overtaken(
    points: DatabaseChargePoints, registry: DatabaseRegistry, database: Database, vault: Vault
) -> None:
    await changed_hands(registry, database, vault)
    await change(database, update(Transfer).values(state="completed_with_warnings", active=False))
    with pytest.raises(NotPossible, match="waited for"):
        await points.find_charger(await ask(points._db, ChargerOrder.ROTATE_KEY, "bob"))


async def test_without_a_key_there_is_none_to_replace(points: DatabaseChargePoints, database: Database) -> None:
    async with database.writing() as rows:
        await credentials.revoke_all(rows, CP, NOW)
    with pytest.raises(NotPossible, match="has no key"):
        await points.find_charger(await ask(points._db, ChargerOrder.ROTATE_KEY))


async def test_a_charging_session_is_not_ended_by_a_restart(points: DatabaseChargePoints, database: Database) -> None:
    async with database.writing() as rows:
        rows.add(
            ChargingSession(
                charge_point_id=CP,
                connector=1,
                id_tag="NORTH",
                owner_id="ada",
                group_id="north",
                started_at=NOW,
                reported_at=NOW,
                arrived_at=NOW,
                earliest_at=NOW,
                meter_start=0,
            )
        )
    with pytest.raises(NotPossible, match="session runs"):
        await points.find_charger(await ask(points._db, ChargerOrder.IDENTIFY))
    assert await refusal(points, ChargerOrder.ROTATE_KEY) is None


async def test_what_was_asked_is_in_the_trail_once_for_each_request(
    points: DatabaseChargePoints, database: Database
) -> None:
    for order in ChargerOrder:
        for user in ("ada", "ada", None):
            await points.note_order(await ask(database, order, user))
    async with database.reading() as rows:
        entries = (await rows.scalars(select(AuditEvent).order_by(AuditEvent.sequence))).all()
    assert [(entry.subject, entry.actor, entry.action) for entry in entries] == [
        ("charge_point:cp-1", "user:ada", "key_rotation_asked"),
        ("charge_point:cp-1", "operator:olive", "key_rotation_asked"),
        ("charge_point:cp-1", "user:ada", "identified"),
        ("charge_point:cp-1", "operator:olive", "identified"),
    ]


async def test_an_order_is_carried_out_by_its_own_workflow_alone_and_a_restart_once(
    points: DatabaseChargePoints, database: Database
) -> None:
    """Whoever reaches Temporal's port reads its id there, and may start what they like."""
    wish = await ask(database, ChargerOrder.IDENTIFY, None)
    assert (await points.find_charger(wish)).node == "node"
    with pytest.raises(NotAllowed):
        await points.find_charger(wish.model_copy(update={"workflow_id": "another"}))
    forged, point = OrderId("ord_forged"), wish.charge_point_id
    name = charger_order_workflow_id(point, ChargerOrder.IDENTIFY.value, forged)
    with pytest.raises(NotAllowed):
        await points.find_charger(wish.model_copy(update={"order_id": forged, "workflow_id": name}))
    await points.note_order(wish)
    with pytest.raises(NotAllowed):
        await points.find_charger(wish)
    later = await ask(database, ChargerOrder.ROTATE_KEY, None)
    await change(database, update(Order).where(Order.id == later.order_id).values(at=NOW - timedelta(minutes=6)))
    with pytest.raises(NotPossible, match="too long ago"):
        await points.find_charger(later)
    assert (await points.find_charger(await ask(database, ChargerOrder.ROTATE_KEY, None))).node == "node"
