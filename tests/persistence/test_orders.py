"""Orders: each is found for what it is about, and by nothing else."""

from datetime import UTC, datetime

import pytest

from domain.ids import OrderId, TransferId
from domain.orders import OrderAct
from persistence.intake import orders
from persistence.session import Database
from tests.orders import give

NOW = datetime(2026, 6, 1, tzinfo=UTC)
ONE, OTHER = TransferId("trf_1"), TransferId("trf_2")


@pytest.mark.parametrize(
    ("subject", "act", "found"),
    [(ONE, OrderAct.CANCEL, True), (OTHER, OrderAct.CANCEL, False), (ONE, OrderAct.ACCEPT, False)],
)
async def test_an_order_is_found_by_its_id_its_subject_and_its_act(
    database: Database, subject: TransferId, act: OrderAct, found: bool
) -> None:
    given = await give(database, ONE, "cancel", "operator:staff")
    async with database.writing() as rows:
        assert (await orders.find(rows, subject, act, given) is not None) is found
        for wrong in (OrderId("ord_x"), OrderId("no id"), None):
            assert await orders.find(rows, subject, act, wrong) is None


async def test_an_order_proves_one_entry_of_the_trail(database: Database) -> None:
    given = await give(database, ONE, "cancel", "operator:staff")
    async with database.writing() as rows:
        order = await orders.find(rows, ONE, OrderAct.CANCEL, given)
        assert orders.prove(order, "cancel:1") is order
        assert orders.prove(order, "cancel:1") is order
        assert orders.prove(order, "cancel:2") is None
        assert orders.prove(None, "cancel:1") is None


async def test_what_one_actor_orders_again_is_the_same_order_until_it_is_refused(database: Database) -> None:
    first = await give(database, ONE, "accept", "operator:staff", choice="serve")
    assert await give(database, ONE, "accept", "operator:staff", choice="quarantine") == first
    assert await give(database, ONE, "accept", "operator:other") != first
    assert await give(database, ONE, "decline", "operator:staff") != first
    assert await give(database, OTHER, "accept", "operator:staff") != first
    numbered = [await give(database, ONE, "resend", "operator:staff", request_id=request) for request in ("a", "b")]
    assert len({*numbered, first}) == 3
    async with database.writing() as rows:
        order = await orders.find(rows, ONE, OrderAct.ACCEPT, first)
        assert order is not None
        assert order.choice == "quarantine", "as long as it is not carried out"
        orders.prove(order, "accept:1")
    await give(database, ONE, "accept", "operator:staff", choice="serve")
    async with database.writing() as rows:
        order = await orders.find(rows, ONE, OrderAct.ACCEPT, first)
        assert order is not None
        assert order.choice == "quarantine", "it was carried out so"
