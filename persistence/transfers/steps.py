"""How the steps of a transfer stand, each a row: many are written by one statement."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, case, func, insert, literal, null, true, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.ids import TransferId
from domain.transfer import StepName, StepState
from persistence.tables import TransferStep

_ENDED: Final = frozenset({StepState.DONE, StepState.SKIPPED, StepState.FAILED, StepState.COMPENSATED})


@dataclass(frozen=True)
class StepChange:
    """How a step stands from now on; its times follow from its state."""

    name: StepName
    state: StepState | None = None
    """None: as before."""
    last_error: str | None = None
    """None: as before; an error stays until the next one."""
    attempts: int = 0
    """How often it was tried so far; 0: not known."""
    begun: bool = False
    """It has begun, whatever became of it: what is left out may never have."""


async def begin(rows: AsyncSession, transfer_id: TransferId, now: datetime, *, asks: bool) -> None:
    """Insert a transfer's steps: what led to its reservation is done, the recipient asked from now on."""
    known = dict.fromkeys((StepName.VALIDATE_RIGHTS, StepName.LOOK_UP_TARGET, StepName.RESERVE), StepState.DONE)
    known[StepName.ASK_RECIPIENT] = StepState.RUNNING if asks else StepState.SKIPPED

    def row(place: int, name: StepName) -> dict[str, Any]:
        state = known.get(name, StepState.PENDING)
        begun = state in {StepState.DONE, StepState.RUNNING}
        return {
            "transfer_id": transfer_id,
            "name": name.value,
            "position": place,
            "state": state.value,
            "attempts": int(begun),
            "started_at": now if begun else None,
            "finished_at": now if state in _ENDED else None,
        }

    await rows.execute(insert(TransferStep).values([row(place, name) for place, name in enumerate(StepName, start=1)]))


async def note(rows: AsyncSession, transfer_id: TransferId, changes: Iterable[StepChange]) -> None:
    """Write how steps stand; of several changes of one step the last one counts."""
    if known := _by_step(changes):
        await _update(rows, transfer_id, known, TransferStep.name.in_(known))


async def close(rows: AsyncSession, transfer_id: TransferId, changes: Iterable[StepChange] = ()) -> None:
    """Write how the steps of a transfer stand that has ended.

    What it never came to is skipped, its recipient was asked, and its parties are to be told.
    """
    told = StepChange(StepName.TELL_PARTIES, StepState.DONE, begun=True)
    await _update(rows, transfer_id, _by_step([*changes, told]), true(), closes=True)


def _by_step(changes: Iterable[StepChange]) -> dict[StepName, StepChange]:
    """Take the changes of each step together."""
    known: dict[StepName, StepChange] = {}
    for change in changes:
        before = known.get(change.name, StepChange(change.name))
        known[change.name] = replace(
            change,
            state=change.state or before.state,
            last_error=change.last_error if change.last_error is not None else before.last_error,
            attempts=max(change.attempts, before.attempts),
            begun=before.begun or change.begun or change.state is not StepState.SKIPPED,
        )
    return known


async def _update(
    rows: AsyncSession,
    transfer_id: TransferId,
    known: Mapping[StepName, StepChange],
    which: ColumnElement[bool],
    *,
    closes: bool = False,
) -> None:
    """Change rows, each column by the step's name."""
    table, given = TransferStep, known.values()
    now = literal(datetime.now(UTC), table.finished_at.type)
    state: dict[str, Any] = {one.name.value: one.state.value for one in given if one.state}
    finished: dict[str, Any] = {one.name.value: now if one.state in _ENDED else null() for one in given if one.state}
    started: dict[str, Any] = {one.name.value: func.coalesce(table.started_at, now) for one in given if one.begun}
    tries: dict[str, Any] = {one.name.value: _at_least(max(one.attempts, 1)) for one in given if one.begun}
    errors: dict[str, Any] = {one.name.value: one.last_error for one in given if one.last_error is not None}
    asked = and_(table.name == StepName.ASK_RECIPIENT.value, table.state == StepState.RUNNING.value)
    otherwise: dict[str, Any] = {"state": table.state, "finished_at": table.finished_at}
    if closes:
        skipped = (table.state == StepState.PENDING.value, StepState.SKIPPED.value)
        otherwise["state"] = case(skipped, (asked, StepState.DONE.value), else_=table.state)
        otherwise["finished_at"] = case((asked, now), else_=table.finished_at)
    columns = {
        "state": (state, otherwise["state"]),
        "finished_at": (finished, otherwise["finished_at"]),
        "started_at": (started, table.started_at),
        "attempts": (tries, table.attempts),
        "last_error": (errors, table.last_error),
    }
    values = {
        name: case(by_step, value=table.name, else_=other) if by_step else other
        for name, (by_step, other) in columns.items()
        if by_step
    }
    await rows.execute(
        update(table)
        .where(table.transfer_id == transfer_id, which)
        .values(values)
        .execution_options(synchronize_session=False)
    )


def _at_least(tries: int) -> ColumnElement[int]:
    return case((TransferStep.attempts < tries, tries), else_=TransferStep.attempts)
