"""Rows with words that a newer release wrote, as they are found once it is taken back: what is known is shown."""

from enum import StrEnum
from typing import Any, cast

import httpx
import pytest
from sqlalchemy import update

from domain.actors import SYSTEM
from domain.ids import TransferId
from persistence.session import Database
from persistence.tables import Transfer, TransferStep
from persistence.transfers import audit
from tests.api.test_owner_pages import browsers, page, sign_in
from tests.api.world import add, add_transfer, bearer

__all__ = ["browsers"]

NEWER = "a_newer_word"


class NewerWords(StrEnum):
    WORD = NEWER


@pytest.fixture
async def transfer(database: Database) -> TransferId:
    """One that has ended, of which a newer release has written all that it may."""
    found = await add_transfer(database, state="completed_with_warnings")
    await add(database, TransferStep(transfer_id=found, name=NEWER, position=20, state="done", attempts=1))
    async with database.writing() as rows:
        words = {"attention": NEWER, "warnings": [NEWER, "lists_due"], "reason": NEWER}
        await rows.execute(update(Transfer).values(words))
        await rows.execute(update(TransferStep).where(TransferStep.name == "replace_lists").values(state=NEWER))
        await audit.append(rows, found, actor=SYSTEM, action=cast(Any, NewerWords.WORD), once="one")
    return found


@pytest.mark.parametrize("path", ["/v1/transfers/trf_1", "/v1/transfers"])
async def test_a_transfer_is_shown_with_what_is_known_of_it(
    http: httpx.AsyncClient, transfer: TransferId, path: str
) -> None:
    answer = await http.get(path, headers=bearer("olga"))
    assert answer.status_code == 200, answer.text
    shown: dict[str, Any] = answer.json()
    shown = shown.get("items", [shown])[0]
    assert (shown["id"], shown["state"], shown["attention"]) == (transfer, "completed_with_warnings", "")
    assert shown["warnings"] == [NEWER, "lists_due"]
    steps = {step["name"]: step["state"] for step in shown["steps"]}
    assert NEWER not in steps
    assert steps["replace_lists"] == "running"


async def test_its_trail_is_shown_in_the_words_that_it_has(http: httpx.AsyncClient, transfer: TransferId) -> None:
    answer = await http.get(f"/v1/transfers/{transfer}/events", headers=bearer("olga"))
    assert [event["action"] for event in answer.json()["items"]] == [NEWER]


async def test_its_page_leaves_out_what_it_has_no_words_for(
    browsers: httpx.AsyncClient, database: Database, transfer: TransferId
) -> None:
    olga = await sign_in(browsers, database, "olga")
    shown = await page(olga, f"/transfers/{transfer}")
    assert NEWER not in shown
    await page(olga, "/transfers")
