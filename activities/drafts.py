"""What each letter about a transfer says, taken from the rows: to its reader no more than they may know."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TypedDict

from sqlalchemy.ext.asyncio import AsyncSession

from activities.parties import Asked, Told, find_new_owner
from domain.ids import ChargePointId, TransferId
from domain.keys import KeyInUse
from domain.kinds import FoundBy, TransferKind, rules_of
from domain.transfer import Attention, Connection, IfOffline, Reason, TransferState, TransferWarning, UntilNewKey
from notices.letters import AcceptedLetter, Addressee, AskLetter, CodeLetter, EndedLetter, NewKeyLetter, RequestedLetter
from persistence.chargers import charger_changes, keys_in_use
from persistence.links.approvals import SentCode
from persistence.tables import User
from persistence.transfers import transfers
from persistence.transfers.parties import TransferFacts, changes_owner
from persistence.vault import Vault


class _About(TypedDict):
    """The fields of notices.letters.About."""

    charge_point: str
    location: str | None
    kind: TransferKind
    connection: Connection
    sender: str
    group: str | None
    owner_changes: bool
    origin: str


class _Followed(_About):
    """The fields of notices.letters.Followed."""

    transfer_id: str | None
    charge_point_id: str
    owns: bool


class Drafts:
    """Fills in letters."""

    def __init__(self, vault: Vault, origin: str, offline_deadline: timedelta) -> None:
        """Take the vault that unseals the sender's message, where links point to, how long a charger may be offline."""
        self._vault = vault
        self._origin = origin.rstrip("/")
        self._offline_deadline = offline_deadline

    async def question(
        self, rows: AsyncSession, facts: TransferFacts, asked: Asked, token: str, *, reminder: bool
    ) -> AskLetter:
        """Draft the question to somebody who must decide; the transfer waits for it, so it has an end."""
        transfer = facts.transfer
        request = (await transfers.requested(rows, self._vault, TransferId(transfer.id))).request
        about = self._about(facts)
        waits = about["owner_changes"] and about["connection"] is Connection.KEEP
        return AskLetter(
            **about,
            message=request.message,
            expires_at=transfer.expires_at or transfer.requested_at + request.expires_in,
            link=f"{self._origin}/t/{token}",
            standing=asked.standing,
            reminder=reminder,
            key=await _key(rows, facts),
            goes_back_after=self._offline_deadline if waits and transfer.if_offline == IfOffline.ROLL_BACK else None,
        )

    def code(self, facts: TransferFacts, code: SentCode) -> CodeLetter:
        """Draft the letter with a one-time code."""
        return CodeLetter(**self._about(facts), code=code.digits, expires_at=code.expires_at)

    async def requested(self, rows: AsyncSession, facts: TransferFacts, person: Told) -> RequestedLetter:
        """Draft what a present owner is told who did not ask."""
        return RequestedLetter(
            **self._followed(facts, person),
            recipient=await find_new_owner(rows, facts.transfer),
        )

    async def accepted(self, rows: AsyncSession, facts: TransferFacts, person: Told) -> AcceptedLetter:
        """Draft what somebody is told of an acceptance: from then on it is no secret who accepted."""
        accepted_by = await rows.get_one(User, facts.transfer.accepted_by)
        return AcceptedLetter(
            **self._followed(facts, person),
            addressee=person.addressee,
            accepted_by=accepted_by.name,
        )

    async def ended(
        self, rows: AsyncSession, facts: TransferFacts, told: Sequence[Told], kind: type[EndedLetter]
    ) -> list[EndedLetter]:
        """Draft what each of these people is told of the end, or of what was settled after it."""
        transfer, about = facts.transfer, self._about(facts)
        changes = await charger_changes.of_one(rows, transfer.id)
        letter = kind(
            **about,
            transfer_id=None,
            charge_point_id=transfer.charge_point_id,
            owns=False,
            addressee=Addressee.OWNER,
            by_reader=False,
            state=TransferState(transfer.state),
            reason=Reason(transfer.reason) if transfer.reason else None,
            warnings=tuple(TransferWarning(word) for word in transfer.warnings if word in set(TransferWarning)),
            settings_changed=changes.settings_changed,
            former_tags=changes.former_tags,
            new_owner=await find_new_owner(rows, transfer),
            former_owner=False,
            key=await _key(rows, facts),
            until_new_key=UntilNewKey(transfer.until_new_key),
        )
        former = transfer.from_owner_id if about["owner_changes"] else None
        return [
            replace(
                letter,
                transfer_id=transfer.id if person.sees else None,
                owns=person.user_id == facts.charge_point.owner_id,
                addressee=person.addressee,
                by_reader=person.user_id == transfer.requested_by,
                former_owner=person.user_id == former,
            )
            for person in told
        ]

    def new_key(self, facts: TransferFacts, person: Told, *, reminder: bool) -> NewKeyLetter:
        """Draft what the new owner is told who is to type a key into the charger."""
        transfer = facts.transfer
        return NewKeyLetter(
            **self._followed(facts, person),
            until=transfer.waiting_until if transfer.attention == Attention.NEW_KEY else None,
            until_new_key=UntilNewKey(transfer.until_new_key),
            reminder=reminder,
        )

    def _followed(self, facts: TransferFacts, person: Told) -> _Followed:
        """Give what a letter says that leads to pages, to those that its reader may see."""
        transfer = facts.transfer
        return _Followed(
            **self._about(facts),
            transfer_id=transfer.id if person.sees else None,
            charge_point_id=transfer.charge_point_id,
            owns=person.user_id == facts.charge_point.owner_id,
        )

    def _about(self, facts: TransferFacts) -> _About:
        """Give what every letter says; the name of a personal group is nobody else's business."""
        transfer = facts.transfer
        kind = TransferKind(transfer.kind)
        shown = facts.target_group if rules_of(kind).found_by is FoundBy.GROUP_ID else None
        return _About(
            charge_point=facts.charge_point.name,
            location=facts.charge_point.location,
            kind=kind,
            connection=Connection(transfer.connection),
            sender=facts.sender.name,
            group=shown.name if shown else None,
            owner_changes=changes_owner(transfer),
            origin=self._origin,
        )


async def _key(rows: AsyncSession, facts: TransferFacts) -> KeyInUse | None:
    return await keys_in_use.read(rows, ChargePointId(facts.charge_point.id))
