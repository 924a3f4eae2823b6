"""How many statements the steps of a transfer take: a change that adds one is seen here."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import event

from activities.contracts.messages import TransferRef
from activities.contracts.records import Note, StepNote
from activities.contracts.registry import Finish, WhileAbsent
from activities.records import DatabaseRecords
from activities.registry import DatabaseRegistry
from domain.transfer import StepName, StepState, TransferState
from persistence.importing.imports import import_lines
from persistence.session import Database
from persistence.vault import Vault
from tests.activities.test_registry import BOB_OWNS, keep
from tests.journeys.system import two_users

NOT_COUNTED = ("BEGIN", "COMMIT", "ROLLBACK", "PRAGMA")


@contextmanager
def counted(database: Database) -> Iterator[list[str]]:
    """Give the statements that are sent inside the block."""
    sent: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if not statement.startswith(NOT_COUNTED):
            sent.append(statement)

    event.listen(database.engine.sync_engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(database.engine.sync_engine, "before_cursor_execute", note)


async def test_each_step_of_a_transfer_of_ownership_takes_so_many_statements(database: Database, vault: Vault) -> None:
    await import_lines(database, vault, [json.dumps(line).encode() for line in two_users(1)])
    registry = DatabaseRegistry(database, vault)
    run = await keep(database, vault, BOB_OWNS)
    ref, records = TransferRef(transfer_id=run.transfer_id), DatabaseRecords(database)
    running = Note(
        transfer_id=ref.transfer_id, steps=(StepNote(name=StepName.ROTATE_CREDENTIALS, state=StepState.RUNNING),)
    )
    end = Finish(transfer_id=ref.transfer_id, state=TransferState.COMPLETED)
    found: dict[str, int] = {}
    for name, step in (
        ("reserve", lambda: registry.reserve(run)),
        ("change_ownership", lambda: registry.change_ownership(WhileAbsent(transfer_id=ref.transfer_id))),
        ("locate", lambda: registry.locate(ref)),
        ("credentials", lambda: registry.credentials(ref)),
        ("note", lambda: records.note(running)),
        ("finish", lambda: registry.finish(end)),
    ):
        with counted(database) as sent:
            await step()
        found[name] = len(sent)
    entry = 3 if database.is_sqlite else 1  # of an audit trail
    assert found == {
        "reserve": 7 + entry,
        "change_ownership": 15 + 2 * entry + (0 if database.is_sqlite else 1),  # the lock of all roles
        "locate": 1,
        "credentials": 2,
        "note": 2,
        "finish": 5 + entry,
    }
