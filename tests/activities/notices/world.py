"""A small world to write letters about: two teams, their people, a charge point, and transfers of it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select

from domain.contact import Channel
from domain.ids import TransferId
from domain.kinds import TransferKind
from domain.request import TransferRequest
from domain.transfer import Acceptance
from persistence import tables
from persistence.session import Database
from persistence.vault import Vault

NOW = datetime.now(UTC).replace(microsecond=0)
TRANSFER = TransferId("tr-1")

#: id, name, e-mail, locale, status; `p-…` is the personal group of each.
PEOPLE = [
    ("amelie", "Amélie Durand", "amelie@example.org", "fr-FR", "active"),
    ("bruno", "Bruno Keller", "bruno@example.org", "it-CH", "active"),
    ("zoe", "Zoé Martin", "zoe@example.org", "fr-CA", "active"),
    ("yann", "Yann Petit", "yann@example.org", "fr-FR", "active"),
    ("adam", "Adam Admin", "adam@example.org", "en-GB", "active"),
    ("mia", "Mia Member", "mia@example.org", "en-GB", "active"),
    ("gone", "Gone Away", "gone@example.org", "en-GB", "blocked"),
    ("mute", "No Mail", None, "en-GB", "active"),
]
MEMBERSHIPS = [
    ("north", "amelie", "owner"),
    ("north", "bruno", "admin"),
    ("north", "adam", "admin"),
    ("north", "mia", "member"),
    ("north", "gone", "owner"),
    ("south", "zoe", "owner"),
    ("south", "yann", "owner"),
    ("south", "amelie", "admin"),
    ("south", "gone", "owner"),
    ("south", "mute", "owner"),
]


@dataclass(frozen=True)
class World:
    """The database, and how transfers get into it."""

    database: Database
    vault: Vault

    async def fill(self) -> None:
        people = [
            tables.User(id=i, name=n, email=e, phone=None, locale=loc, status=status, created_at=NOW)
            for i, n, e, loc, status in PEOPLE
        ]
        groups = [tables.Group(id=group, name=f"Team {group}", personal_of=None) for group in ("north", "south")]
        personal = [tables.Group(id=f"p-{i}", name=f"Personal of {n}", personal_of=i) for i, n, *_ in PEOPLE]
        held = [tables.Membership(group_id=g, user_id=u, role=r) for g, u, r in MEMBERSHIPS]
        held += [tables.Membership(group_id=f"p-{i}", user_id=i, role="owner") for i, *_ in PEOPLE]
        point = tables.ChargePoint(
            id="cp-1",
            identity="CP1",
            name="Parking Nord 3",
            location="Lyon",
            owner_id="bruno",
            group_id="north",
            version=0,
            owner_changed_at=None,
            sessions_blocked_by=None,
            ocpp="1.6",
            vendor=None,
            model=None,
            firmware=None,
            booted_at=None,
        )
        for added in (people, [*groups, *personal], [*held, point]):  # each refers to those before
            async with self.database.writing() as rows:
                rows.add_all(added)

    async def to_user(self, recipient: str = "zoe@example.org", to: str | None = "zoe", **changes: Any) -> None:
        """A transfer to a user, by an owner of the group who is not the charge point's owner."""
        channel = Channel.EMAIL if "@" in recipient else Channel.PHONE
        request = self.request(
            TransferKind.TRANSFER_TO_USER, recipient=recipient, recipient_channel=channel, message="Hi\nthere"
        )
        await self.add(request, to_owner_id=to, to_group_id=f"p-{to}" if to else None, **changes)

    async def move(self, **changes: Any) -> None:
        """A move to the other team, which makes its sender the owner."""
        request = self.request(TransferKind.MOVE_TO_GROUP, group_id="south")
        await self.add(request, **{"to_owner_id": "amelie", "to_group_id": "south", **changes})

    async def ownership(self, **changes: Any) -> None:
        request = self.request(TransferKind.TRANSFER_OWNERSHIP, user_id="adam")
        await self.add(request, **{"to_owner_id": "adam", "to_group_id": "north", **changes})

    def request(self, kind: TransferKind, **given: Any) -> TransferRequest:
        return TransferRequest(kind=kind, acceptance=Acceptance.REQUIRED, expires_in=timedelta(days=7), **given)

    async def add(self, request: TransferRequest, **changes: Any) -> None:
        requested = tables.Request(
            transfer_id=changes.get("id", TRANSFER),
            user_id="amelie",
            scopes=[],
            charge_point_id="cp-1",
            kind=request.kind.value,
            idempotency_key=None,
            body_hash="",
            started_at=NOW,
            sealed_body=self.vault.seal(request.model_dump_json().encode()),
            requested_at=NOW,
        )
        given: dict[str, Any] = {
            "id": TRANSFER,
            "kind": request.kind.value,
            "state": "awaiting_acceptance",
            "attention": "",
            "waiting_until": None,
            "reason": None,
            "refusal": None,
            "warnings": [],
            "charge_point_id": "cp-1",
            "active": True,
            "connection": "keep",
            "acceptance": "required",
            "running_session": "wait",
            "if_offline": "complete",
            "from_group_id": "north",
            "from_owner_id": "bruno",
            "accepted_by": None,
            "asked_over_owner": True,
            "requested_by": "amelie",
            "requested_at": NOW,
            "finished_at": None,
            "expires_at": NOW + timedelta(days=7),
            "from_version": 0,
        }
        async with self.database.writing() as rows:
            rows.add(requested)
            rows.add(tables.Transfer(**{**given, **changes}))

    async def change(self, row: type[tables.Table], key: object, **values: Any) -> None:
        async with self.database.writing() as rows:
            found = await rows.get(row, key)
            for name, value in values.items():
                setattr(found, name, value)

    async def drop(self, row: type[tables.Table], key: object) -> None:
        async with self.database.writing() as rows:
            await rows.delete(await rows.get(row, key))

    async def all(self, row: type[Any]) -> list[Any]:
        async with self.database.reading() as rows:
            return list(await rows.scalars(select(row)))

    async def trail(self) -> list[tuple[str, str, dict[str, Any]]]:
        events = sorted(await self.all(tables.AuditEvent), key=lambda event: event.sequence)
        return [(event.actor, event.action, event.detail) for event in events]
