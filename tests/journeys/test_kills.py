"""Worker and gateway killed at every boundary of every step: each transfer ends, and each effect happened once."""

import asyncio
import sys
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import func, select

import demo.supervisor
from activities.contracts import Charger, Notices, Records, Registry, wire_names
from demo.findings import Registered, Remembered, in_charger, in_database
from domain.ids import TransferId, workflow_id
from persistence.session import Database
from persistence.tables import AuditEvent, Credential, OwnershipPeriod
from tests.journeys.people import accept_by_link, ask, mails, see_it_end
from tests.journeys.system import System, running, two_users

TRANSFERS, AT_ONCE = 16, 4
#: The activities that a transfer to a user meets on its straight way.
_DETOURS = {
    "registry.refuse",
    "registry.restore_ownership",
    "registry.withdraw_credentials",
    "registry.leave_credentials_due",
}
_DETOURS |= {"charger.disconnect", "charger.reset"}
STEPS = [
    name for contract in (Registry, Records, Notices, Charger) for name in wire_names(contract).values()
    if name not in _DETOURS
]  # fmt: skip
CALLS = ["ChangeAvailability", "SendLocalList", "ClearCache", "ChangeConfiguration"]
DEATHS = [
    *(f"{name} {moment}" for name in STEPS for moment in ("before", "after")),
    *(f"during {call}" for call in CALLS),
]
#: What a transfer to a user writes into its audit trail, once each.
TRAIL = ["reserved", "asked", "code_sent", "transferring", "ownership_changed", "completed", "told"]


@pytest.mark.timeout(1500)
async def test_every_death_is_survived_and_every_effect_counts_once(
    tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    chosen = DEATHS if request.config.getoption("--every-death") else DEATHS[::3]
    monkeypatch.setattr(demo.supervisor, "LONGEST_PAUSE", 0.5)
    deaths = tmp_path / "deaths"
    deaths.write_text("".join(f"{death}\n" for death in chosen))
    mortal = [sys.executable, "-m", "tests.journeys.mortal", str(deaths)]
    settings = {"HANDOVER_START_TIMEOUT": "PT60S", "HANDOVER_POLICY__RECONNECT_AFTER": "PT3S"}
    async with running(
        tmp_path / "system",
        sqlite_url,
        two_users(TRANSFERS),
        settings=settings,
        instead={"worker": mortal, "gateway": [*mortal, "--gateway"]},
    ) as system:
        transfers = await asyncio.gather(*(give_to_bob(system, number) for number in range(1, AT_ONCE + 1)))
        # what they meet together keeps them from some boundaries: a charger that is in quarantine is sent no key
        while deaths.read_text() and len(transfers) < TRANSFERS:
            transfers.append(await give_to_bob(system, len(transfers) + 1))
        assert deaths.read_text() == ""
        for number, transfer_id in enumerate(transfers, start=1):
            await check_once(system, number, transfer_id)
        await check_letters(system, len(transfers))


async def give_to_bob(system: System, number: int) -> str:
    async with system.user("ada") as ada:
        body = {"kind": "transfer_to_user", "recipient": "bob@example.com"}
        transfer_id = await ask(ada, f"cp-{number}", body, key=f"give-{number}")
        await accept_by_link(system, f"Bay {number}")
        found = await see_it_end(ada, transfer_id)
    assert found["state"] == "completed", found
    await system.client.get_workflow_handle(workflow_id(TransferId(transfer_id))).result()
    return transfer_id


async def check_once(system: System, number: int, transfer_id: str) -> None:
    """One change in the ledger, one new key, one entry of each kind; database and charger agree."""
    registered, contradictions = await in_database(system.db, f"cp-{number}")
    assert (registered, contradictions) == (Registered("completed", "bob", "personal-bob", 1), [])
    remembered = in_charger(system.stage.state_file(f"CP-{number}"), f"first-password-of-{number}")
    assert remembered == Remembered(new_password=True, blocks=frozenset({"NORTH"}))
    assert await count(system.db, OwnershipPeriod.transfer_id == transfer_id) == 1
    assert await count(system.db, Credential.order_id == transfer_id) == 1
    async with system.db.reading() as session:
        query = select(AuditEvent.sequence, AuditEvent.action).where(AuditEvent.transfer_id == transfer_id)
        trail = (await session.execute(query.order_by(AuditEvent.sequence))).all()
    assert [event.sequence for event in trail] == list(range(1, len(trail) + 1))
    assert sorted(event.action for event in trail) == sorted(TRAIL)


async def count(db: Database, condition: object) -> int:
    async with db.reading() as session:
        return await session.scalar(select(func.count()).where(condition)) or 0  # type: ignore[arg-type]


async def check_letters(system: System, transfers: int) -> None:
    """Every letter has its own Message-ID, so that a second delivery of one is known as such."""
    letters = {mail["message_id"]: mail["text"] for mail in await mails(system)}
    kinds = Counter(identity.strip("<").split(".")[0] for identity in letters)
    assert kinds["ask"] == transfers
    assert kinds["code"] == transfers
