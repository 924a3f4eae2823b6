"""What the holder of an approval link may see of its transfer; it is read-only."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Row, Select, func, select
from sqlalchemy.orm import aliased

from domain.ids import LinkId, TransferId, UserId
from domain.keys import KeyInUse
from domain.kinds import FoundBy, TransferKind, rules_of
from domain.recipient import Standing
from domain.request import TransferRequest
from domain.transfer import FINAL, Connection, IfOffline, TransferState
from persistence.chargers import keys_in_use
from persistence.links.link_accounts import recipient_of
from persistence.session import Database
from persistence.tables import ApprovalLink, ChargePoint, Code, Credential, Group, Request, Transfer, User
from persistence.transfers.parties import changes_owner
from persistence.vault import Vault, fingerprint


class LinkState(StrEnum):
    """What a link is good for."""

    OPEN = "open"
    REPLACED = "replaced"
    """A later link was sent."""
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    DECLINED = "declined"
    ACCEPTED = "accepted"
    """Also while, and after, the transfer that was accepted goes on."""


@dataclass(frozen=True, kw_only=True)
class Offer:
    """What a recipient is asked."""

    transfer_id: TransferId
    kind: TransferKind
    connection: Connection
    expires_at: datetime | None
    charge_point: str
    location: str | None
    sender: str
    group: str | None
    """The group that the charge point is moved to or stays in; None where it goes to a personal one."""
    owner_changes: bool
    """Of a move it is the sender who becomes the owner; of the other kinds whoever accepts."""
    if_offline: IfOffline
    key: KeyInUse | None
    """The one that the charger uses now."""
    message: str | None
    address: str | None
    """As the sender typed it: for nobody else."""

    @property
    def replaces_key(self) -> bool:
        """Whether the charger stays connected under another owner, and so needs another key."""
        return self.owner_changes and self.connection is Connection.KEEP


@dataclass(frozen=True, kw_only=True)
class LinkView(Offer):
    """A link and what it asks; `code_sent` once a code may be typed."""

    id: LinkId
    state: LinkState
    code_sent: bool
    locale: str | None
    """Of the account that the link is for; None where there is none."""
    sender_locale: str
    standing: Standing
    """Whether the recipient can accept by it now."""
    account_id: UserId | None
    """The account that the link is for; None where there is none."""

    @property
    def opens_account(self) -> bool:
        """Whether accepting opens an account."""
        return self.standing is Standing.NO_ACCOUNT

    @property
    def can_accept(self) -> bool:
        """Whether it can be accepted, as things stand."""
        return self.standing in {Standing.ACCOUNT, Standing.NO_ACCOUNT}


class LinkReads:
    """Finds links, and what they offer. Raises Unavailable where the database is away."""

    def __init__(self, db: Database, vault: Vault) -> None:
        """Take the database, and the vault that unseals the sender's message."""
        self._db = db
        self._vault = vault

    async def by_token(self, token: str) -> LinkView | None:
        """Find the link that a token opens; None for an unknown one."""
        sent = select(Code.number).where(Code.link_id == ApprovalLink.id).exists()
        of_link = _offers().add_columns(ApprovalLink, sent.label("sent"))
        of_link = of_link.join(ApprovalLink, ApprovalLink.transfer_id == Transfer.id)
        async with self._db.reading() as rows:
            found = await rows.execute(of_link.where(ApprovalLink.token_hash == fingerprint(token)))
            row = found.one_or_none()
            if row is None:
                return None
            link, transfer = row.ApprovalLink, row.Transfer
            request = self._unsealed(row.sealed_body)
            recipient = await recipient_of(rows, link, transfer, request)
        return LinkView(
            **vars(_offer(row, request)),
            id=LinkId(link.id),
            state=_state(transfer, replaced=link.generation < transfer.link_generation),
            code_sent=row.sent,
            locale=recipient.account.locale if recipient.account else None,
            sender_locale=row.sender_locale,
            standing=recipient.standing,
            account_id=UserId(recipient.account.id) if recipient.account else None,
        )

    async def offer(self, transfer_id: TransferId) -> Offer:
        """Give what a transfer asks its recipient, to whoever was seen to be the one."""
        async with self._db.reading() as rows:
            row = (await rows.execute(_offers().where(Transfer.id == transfer_id))).one()
        return _offer(row, self._unsealed(row.sealed_body))

    def _unsealed(self, sealed: bytes | None) -> TransferRequest | None:
        return None if sealed is None else TransferRequest.model_validate_json(self._vault.unseal(sealed))


def _offer(row: Row[*tuple[Any, ...]], request: TransferRequest | None) -> Offer:
    transfer, point, kind = row.Transfer, row.ChargePoint, TransferKind(row.Transfer.kind)
    by_address = rules_of(kind).found_by is FoundBy.RECIPIENT
    return Offer(
        transfer_id=TransferId(transfer.id),
        kind=kind,
        connection=Connection(transfer.connection),
        expires_at=transfer.expires_at,
        charge_point=point.name,
        location=point.location,
        sender=row.sender,
        group=None if by_address else row.group,
        owner_changes=changes_owner(transfer),
        if_offline=IfOffline(transfer.if_offline),
        key=keys_in_use.in_use(row.Credential),
        message=request.message if request else None,
        address=request.recipient if request else None,
    )


def _offers() -> Select[*tuple[Any, ...]]:
    """Select transfers with all that is shown of them to whoever is asked."""
    sender = aliased(User)
    group_id = func.coalesce(Transfer.to_group_id, Transfer.from_group_id)
    return (
        select(
            Transfer,
            ChargePoint,
            Credential,
            sender.name.label("sender"),
            sender.locale.label("sender_locale"),
            Group.name.label("group"),
            Request.sealed_body,
        )
        .join(ChargePoint, ChargePoint.id == Transfer.charge_point_id)
        .outerjoin(Credential, keys_in_use.OF_POINT)
        .join(sender, sender.id == Transfer.requested_by)
        .join(Group, Group.id == group_id)
        .outerjoin(Request, Request.transfer_id == Transfer.id)
    )


def _state(transfer: Transfer, *, replaced: bool) -> LinkState:
    """Say what the link is good for: how it ended tells more than that a later one was sent."""
    state = TransferState(transfer.state)
    if transfer.accepted_by is not None:
        return LinkState.ACCEPTED
    if state is TransferState.AWAITING_ACCEPTANCE:
        if replaced:
            return LinkState.REPLACED
        over = transfer.expires_at is not None and transfer.expires_at <= datetime.now(UTC)
        return LinkState.EXPIRED if over else LinkState.OPEN
    ends = {TransferState.DECLINED: LinkState.DECLINED, TransferState.EXPIRED: LinkState.EXPIRED}
    return ends.get(state, LinkState.CANCELLED if state in FINAL else LinkState.ACCEPTED)
