"""All that is kept about a person, for them alone: in words and JSON, without what is others' or only ours."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Select, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain import actors
from domain.errors import NotFound
from domain.ids import TransferId, UserId
from domain.request import TransferRequest
from domain.trail import of_person
from persistence.people.erasure import Person, requests_to, took_part
from persistence.session import Database
from persistence.tables import (
    ApiKey,
    AuditEvent,
    ChargePoint,
    ChargingSession,
    Group,
    IdempotencyKey,
    Membership,
    Order,
    OwnershipPeriod,
    Passkey,
    Request,
    SignIn,
    SignInCode,
    Tag,
    Transfer,
    User,
)
from persistence.vault import SecretsUnreadable, Vault

#: What of each is told; secrets and their hashes are nobody's to read.
_ACCOUNT: Final = ("id", "name", "email", "phone", "locale", "status", "created_at", "erased_at")
_OF_TRANSFER: Final = ("id", "kind", "state", "reason", "charge_point_id", "requested_at", "finished_at")


class PersonalData:
    """Reads; raises Unavailable where the database is away. Whoever asks sees to it that they may be told."""

    def __init__(self, db: Database, vault: Vault) -> None:
        """Take the database, and the vault that unseals what was asked for."""
        self._db = db
        self._vault = vault

    async def of(self, user_id: UserId) -> dict[str, Any]:
        """Give all that is kept about somebody; raises NotFound."""
        async with self._db.reading() as rows:
            user = await rows.get(User, user_id)
            if user is None:
                raise NotFound("There is no such user; look at the spelling of the id.")
            by_them = [actors.user(user_id), actors.operator(user_id)]
            memberships = select(Group.id, Group.name, Group.personal_of, Membership.role).join(Membership)
            tags = (
                select(Tag.id_tag, Tag.type).join(Group, Group.id == Tag.group_id).where(Group.personal_of == user_id)
            )
            orders = select(Order).where(or_(Order.actor.in_(by_them), Order.user_id == user_id))
            events = select(AuditEvent).where(
                or_(AuditEvent.actor.in_(by_them), AuditEvent.subject == of_person(user_id))
            )
            return {
                "account": _told(user, _ACCOUNT),
                "groups": [
                    {"id": row.id, "name": row.name, "personal": row.personal_of == user_id, "role": row.role}
                    for row in await rows.execute(memberships.where(Membership.user_id == user_id).order_by(Group.id))
                ],
                "tags": [dict(row._mapping) for row in await rows.execute(tags.order_by(Tag.id_tag, Tag.type))],  # noqa: SLF001 - SQLAlchemy's
                "charge_points": await _list(
                    rows,
                    select(ChargePoint).where(ChargePoint.owner_id == user_id).order_by(ChargePoint.id),
                    ("id", "identity", "name", "location", "group_id", "ocpp", "vendor", "model", "firmware"),
                ),
                "ownership": await _list(
                    rows,
                    select(OwnershipPeriod)
                    .where(OwnershipPeriod.owner_id == user_id)
                    .order_by(OwnershipPeriod.started_at),
                    ("charge_point_id", "group_id", "started_at", "ended_at", "transfer_id", "change"),
                ),
                "charging_sessions": await _list(
                    rows,
                    select(ChargingSession).where(ChargingSession.owner_id == user_id).order_by(ChargingSession.id),
                    ("id", "charge_point_id", "connector", "id_tag", "started_at", "stopped_at", "energy"),
                ),
                "transfers": await self._transfers(rows, Person.of(user)),
                "orders": await _list(
                    rows, orders.order_by(Order.at), ("subject", "act", "actor", "reason", "choice", "at")
                ),
                "audit_trail": await _list(
                    rows, events.order_by(AuditEvent.at), ("subject", "sequence", "at", "actor", "action")
                ),
                "api_keys": await _list(
                    rows,
                    select(ApiKey).where(ApiKey.user_id == user_id).order_by(ApiKey.created_at),
                    ("id", "scopes", "created_at", "revoked_at"),
                ),
                "sign_ins": await _list(
                    rows,
                    select(SignIn).where(SignIn.user_id == user_id).order_by(SignIn.began_at),
                    ("browser", "began_at", "seen_at", "proven_at", "ended_at"),
                ),
                "sign_in_codes": await _list(
                    rows,
                    select(SignInCode).where(SignInCode.user_id == user_id).order_by(SignInCode.asked_at),
                    ("asked_at", "expires_at", "used_at"),
                ),
                "passkeys": await _list(
                    rows,
                    select(Passkey).where(Passkey.user_id == user_id).order_by(Passkey.added_at),
                    ("name", "added_at", "used_at"),
                ),
                "idempotency_keys": await _list(
                    rows,
                    select(IdempotencyKey).where(IdempotencyKey.user_id == user_id).order_by(IdempotencyKey.created_at),
                    ("key", "created_at"),
                ),
            }

    async def _transfers(self, rows: AsyncSession, person: Person) -> list[dict[str, Any]]:
        """Tell what they asked for, and what was asked of them, with what was written; the other side stays unnamed."""
        addressed = await requests_to(rows, self._vault, person)
        theirs = or_(took_part(person), Transfer.id.in_(addressed))
        wanted = select(Transfer, Request).outerjoin(Request, Request.transfer_id == Transfer.id).where(theirs)
        found = (await rows.execute(wanted.order_by(Transfer.requested_at, Transfer.id))).all()
        return [self._transfer(person, transfer, request, addressed) for transfer, request in found]

    def _transfer(
        self, person: Person, row: Transfer, request: Request | None, addressed: set[TransferId]
    ) -> dict[str, Any]:
        told = {
            "sender": row.requested_by == person.id,
            "owner_before": row.from_owner_id == person.id,
            "recipient": person.id in {row.to_owner_id, row.accepted_by} or row.id in addressed,
        }
        typed = self._typed(request) if request and (told["sender"] or told["recipient"]) else None
        return {
            **_told(row, _OF_TRANSFER),
            "as": [name for name, holds in told.items() if holds],
            "addressed_to": typed.recipient if typed else None,
            "message": typed.message if typed else None,
        }

    def _typed(self, request: Request) -> TransferRequest | None:
        try:
            return TransferRequest.model_validate_json(self._vault.unseal(request.sealed_body))
        except SecretsUnreadable:
            return None


async def _list(rows: AsyncSession, wanted: Select[Any], names: Sequence[str]) -> list[dict[str, Any]]:
    return [_told(row, names) for row in await rows.scalars(wanted)]


def _told(row: object, names: Sequence[str]) -> dict[str, Any]:
    """Give these of a row's columns as JSON has them."""
    found: Mapping[str, Any] = {name: getattr(row, name) for name in names}
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in found.items()}
