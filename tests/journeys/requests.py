"""A request as the API keeps it, and the steps of a worker that sends no letters."""

import json
import uuid
from datetime import timedelta

from activities.contracts.messages import Done
from activities.contracts.notices import Notices, SendCode, TellOwner
from activities.records import DatabaseRecords
from activities.registry import DatabaseRegistry
from domain.ids import ChargePointId, GroupId, TransferId, UserId
from domain.kinds import TransferKind
from domain.request import TransferRequest
from domain.transfer import Acceptance
from persistence.importing.imports import import_lines
from persistence.intake.idempotency import Repeatable
from persistence.intake.requests import Requests
from persistence.session import Database
from persistence.vault import Vault
from tests.journeys.system import two_users


class NoLetters(Notices):
    async def send_code(self, order: SendCode) -> Done:
        return Done()

    async def tell_owner(self, order: TellOwner) -> Done:
        return Done()


def steps(database: Database, vault: Vault) -> tuple[object, ...]:
    """Give the real register with nobody to tell."""
    return DatabaseRegistry(database, vault), DatabaseRecords(database), NoLetters()


async def keep_a_request(
    database: Database,
    vault: Vault,
    acceptance: Acceptance = Acceptance.NOT_REQUIRED,
    expires_in: timedelta = timedelta(days=7),
) -> TransferId:
    """Keep Ada's request to move a charge point to the other group, without starting it."""
    await import_lines(database, vault, [json.dumps(line).encode() for line in two_users(1)])
    request = TransferRequest(
        kind=TransferKind.MOVE_TO_GROUP,
        group_id=GroupId("south"),
        acceptance=acceptance,
        expires_in=expires_in,
    )
    call = Repeatable(UserId("ada"), None, uuid.uuid4().bytes)
    kept = await Requests(database, vault).keep(call, ChargePointId("cp-1"), request, frozenset())
    return kept.transfer_id
