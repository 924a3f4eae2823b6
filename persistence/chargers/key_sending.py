"""Sending a pending key, and what a charger makes of it: on record before it leaves, whatever is heard afterwards.

Every function works in the caller's writing transaction and leaves the commit to it. No key is in any error or repr.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.charger import REFUSALS, TAKEN, KeyAnswer
from domain.ids import ChargePointId
from domain.keys import OWN, KeyPurpose, KnownTo
from domain.trail import TrailAction
from persistence.chargers.charger_keys import Keys, lock_keys, may_be_taken, note, read_keys, revoke, set_aside, turn
from persistence.tables import ChargePoint, Credential, PresentConnection
from persistence.transfers import transfers
from persistence.vault import Vault

#: So often a charger must have started anew with its old key, after it was sent a new one, to show that it has not
#: taken that: a charger that needs a restart for it makes one after any loss of its connection.
STARTS: Final = 2


@dataclass(frozen=True)
class PendingKey:
    """A pending key, to be sent; its text stays out of every repr."""

    credential_id: str
    text: str = field(repr=False)


@dataclass(frozen=True)
class Connection:
    """The socket over which a key is sent: what its charger named, and whether others can read along."""

    generation: int
    serials: tuple[str, ...] = ()
    open_line: bool = False
    address: str = ""
    sim: Mapping[str, str] = field(default_factory=dict)
    """`iccid` and `imsi` of its modem, where it named them."""


class Restarting(Exception):
    """The charger has accepted to restart for its pending key, and has not been seen to."""


async def record_sent(
    rows: AsyncSession,
    vault: Vault,
    charge_point_id: ChargePointId,
    connection: Connection,
    now: datetime,
    *,
    order_id: str | None = None,
    restart_patience: timedelta = timedelta(),
) -> PendingKey | None:
    """Record that the pending key is being sent, and give it: commit before a single byte of it leaves.

    None where there is none to send: proven, withdrawn or dropped, not that of `order_id`, or one that somebody is to
    type. Nor is one sent over a connection that has lost its place, or that a former owner may have opened. Always the
    same key. The time of the first sending stays: the grace period counts from it.

    Raises Restarting where the charger has been restarting for the key for no longer than `restart_patience`.
    """
    keys = await lock_keys(rows, charge_point_id)
    pending = keys.pending
    if _restarts(pending, now - restart_patience):
        raise Restarting
    if pending is None or pending.withdrawn_at is not None or pending.sealed_key is None:
        return None
    if order_id is not None and pending.order_id != order_id:
        return None
    if not await _may_be_sent(rows, charge_point_id, keys, pending, connection):
        return None
    first = pending.sent_over in {None, connection.generation}
    await turn(
        rows,
        pending,
        sent_at=pending.sent_at or now,
        last_sent_at=now,
        sent_over=pending.sent_over or connection.generation,
        sent_elsewhere=pending.sent_elsewhere or not first,
        open_line=pending.open_line or connection.open_line,
        serials=sorted({*pending.serials, *connection.serials}),
        maybe_taken=may_be_taken(pending),
        starts_with_old=0,
        sendings=pending.sendings + 1,
        restarted_at=None,
        answer=None if pending.answer in REFUSALS else pending.answer,
        answer_counts=False,
    )
    detail = {
        "purpose": pending.purpose,
        "serials": list(connection.serials),
        "open_line": connection.open_line,
        "connection": connection.generation,
        "address": connection.address,
        **connection.sim,
    }
    await note(rows, charge_point_id, TrailAction.KEY_SENT, detail)
    return PendingKey(pending.id, vault.unseal(pending.sealed_key).decode())


async def _may_be_sent(
    rows: AsyncSession, charge_point_id: ChargePointId, keys: Keys, pending: Credential, connection: Connection
) -> bool:
    """Whether nobody but the charger of the present owner, or of a key that no person knows, is at the other end.

    While somebody else has come with the key that people know, it is not certain which of both that is.
    """
    link = await rows.get(PresentConnection, charge_point_id, populate_existing=True)
    if link is None or link.node is None or link.generation != connection.generation:
        return False
    opener = next((key for key in keys.living if key.id == link.credential_id), None)
    if opener is None:
        return False
    if pending.purpose == KeyPurpose.ENROLMENT:
        at_work = await transfers.at_charger(rows, charge_point_id)
        return at_work is None and keys.is_owners(opener) and not link.quarantined and link.contender is None
    return opener.known_to == KnownTo.CHARGER


async def record_answer(
    rows: AsyncSession,
    charge_point_id: ChargePointId,
    credential_id: str,
    answer: KeyAnswer,
    *,
    counts: bool,
    address: str = "",
) -> None:
    """Record what the charger answered; nothing where the key was proven, or lost its place, in the meantime.

    `accepted` stays, whatever comes later: it ended the old key's life at the charger. `unknown` overwrites nothing.
    `counts`: it came over a released connection.
    """
    row = (await lock_keys(rows, charge_point_id)).pending
    if row is None or row.id != credential_id:
        return
    stays = row.answer == KeyAnswer.ACCEPTED or (answer is KeyAnswer.UNKNOWN and row.answer is not None)
    await turn(
        rows,
        row,
        answer=row.answer if stays else answer.value,
        answer_counts=row.answer_counts if stays else counts,
        maybe_taken=row.maybe_taken or answer.value not in REFUSALS,
    )
    if answer.value in REFUSALS and not stays:
        said = {"purpose": row.purpose, "answer": answer.value}
        await note(rows, charge_point_id, TrailAction.KEY_REFUSED, said)
        if not counts and row.purpose not in OWN:
            proves_nothing = {"answer": answer.value, "address": address}
            await note(rows, charge_point_id, TrailAction.REFUSAL_NOT_COUNTED, proves_nothing)


async def is_restarting(rows: AsyncSession, charge_point_id: ChargePointId, since: datetime) -> bool:
    """Whether the charger has accepted `since` then to restart for its pending key, and has not been seen to. Reads."""
    return _restarts((await read_keys(rows, charge_point_id)).pending, since)


def _restarts(pending: Credential | None, since: datetime) -> bool:
    return pending is not None and pending.restarted_at is not None and pending.restarted_at > since


async def record_restart(rows: AsyncSession, charge_point_id: ChargePointId, now: datetime) -> None:
    """Record that the charger has accepted to restart for its pending key; nothing where it has none."""
    pending = (await lock_keys(rows, charge_point_id)).pending
    if pending is not None:
        await turn(rows, pending, restarted_at=now)


async def start_shows(rows: AsyncSession, charge_point_id: ChargePointId, opened_with: str) -> bool:
    """Whether a start, on a connection opened with `opened_with`, may show anything of a key. Only reads."""
    return all(_not_taken(await read_keys(rows, charge_point_id), opened_with))


def _not_taken(keys: Keys, opened_with: str) -> tuple[Credential | None, Credential | None]:
    """Give the pending key that was sent, and the living one that was used instead; None where there is none."""
    pending = keys.pending
    if pending is None or pending.id == opened_with or pending.last_sent_at is None:
        return None, None
    return pending, next((key for key in keys.living if key.id == opened_with), None)


async def record_start(
    rows: AsyncSession, charge_point_id: ChargePointId, opened_with: str, opened_at: datetime, now: datetime
) -> KeyPurpose | None:
    """Count that the charger has started anew with its old key, on a released connection opened with `opened_with`.

    One that has accepted to restart for its key, before this connection was `opened_at`, has done so.

    The purpose of the pending key where that shows that it was not taken, and it ended: twice after the last sending,
    of a key that replaces the present owner's own or was withdrawn. One that somebody is to type stays, and so does one
    that waits for its proof. What a connection says that people may have opened shows it for enrolment only.
    """
    keys = await lock_keys(rows, charge_point_id)
    pending, opener = _not_taken(keys, opened_with)
    if pending is None or opener is None:
        return None
    if pending.restarted_at is not None and pending.restarted_at < opened_at:
        await turn(rows, pending, restarted_at=None)
    own = pending.purpose in OWN and pending.answer in TAKEN
    withdrawn = pending.withdrawn_at is not None and opener.known_to == KnownTo.CHARGER
    if not own and not withdrawn:
        return None
    starts = pending.starts_with_old + 1
    if starts < STARTS:
        await turn(rows, pending, starts_with_old=starts)
        return None
    await revoke(rows, pending, now)
    if own:
        await note_rotates(rows, charge_point_id, rotates=False)
    return KeyPurpose(pending.purpose)


async def refuse_own(rows: AsyncSession, charge_point_id: ChargePointId, now: datetime) -> bool:
    """End a key that was to replace the present owner's own and was refused; whether one was.

    One that an earlier sending may have given to the charger stays good beside the old key.
    """
    keys = await lock_keys(rows, charge_point_id)
    pending = keys.pending
    if pending is None or pending.purpose not in OWN or pending.answer not in REFUSALS:
        return False
    await set_aside(rows, keys, pending, now)
    await note_rotates(rows, charge_point_id, rotates=False)
    return True


async def note_rotates(rows: AsyncSession, charge_point_id: ChargePointId, *, rotates: bool) -> None:
    """Keep whether the charger takes a key that it is sent."""
    await rows.execute(
        update(ChargePoint).where(ChargePoint.id == charge_point_id).values(rotates=rotates),
        execution_options={"synchronize_session": False},
    )
    if not rotates:
        firmware = select(ChargePoint.firmware).where(ChargePoint.id == charge_point_id)
        detail = {"firmware": (await rows.execute(firmware)).scalar_one()}
        await note(rows, charge_point_id, TrailAction.ROTATES_NO, detail)
