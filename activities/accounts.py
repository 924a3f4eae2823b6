"""Opens the account of somebody who is asked at an address that has none."""

from datetime import UTC, datetime
from typing import Final

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from activities.contracts.accounts import Accounts, OpenAccount
from activities.contracts.messages import Done
from activities.rows import progress_of
from domain import trail
from domain.actors import SYSTEM
from domain.errors import NotAllowed, NotPossible, Refusal
from domain.ids import LinkId, TransferId
from domain.kinds import FoundBy, TransferKind, rules_of
from domain.recipient import Standing
from domain.trail import TrailAction
from domain.transitions import Action, check
from persistence.links import signups
from persistence.links.link_accounts import recipient_of
from persistence.links.signups import Typed
from persistence.people import accounts
from persistence.session import Database
from persistence.tables import ApprovalLink, Transfer
from persistence.transfers import audit, transfers
from persistence.vault import Vault
from telemetry.subject import learn

_SUPPORT: Final = "No account can be opened with this address; ask our support."


class DatabaseAccounts(Accounts):
    """Accounts on SQLite or PostgreSQL."""

    def __init__(self, database: Database, vault: Vault) -> None:
        """Take what they are written to, and the vault that unseals what was typed."""
        self._db = database
        self._vault = vault

    async def open(self, order: OpenAccount) -> Done:
        """Open it once: the entry of the audit trail says so to a repeat. What was typed is gone after any answer."""
        try:
            refusal = await self._open(order)
        except IntegrityError:  # two links to one address: the other one was first, and its account is found now
            refusal = await self._open(order)
        if refusal is not None:
            raise refusal
        return Done()

    async def _open(self, order: OpenAccount) -> Refusal | None:
        """Give the refusal, rather than raise it: what was typed is removed all the same."""
        async with self._db.writing() as rows:
            typed = await signups.take(rows, self._vault, order.link_id)
            try:
                await self._open_in(rows, order, typed)
            except Refusal as refusal:
                return refusal
        return None

    async def _open_in(self, rows: AsyncSession, order: OpenAccount, typed: Typed | None) -> None:
        """Open the account where one is needed; raises a Refusal, having changed nothing."""
        row, link = await _find_transfer(rows, order.link_id)
        transfer_id, once = TransferId(row.id), trail.account_opened(order.link_id)
        learn(transfer_id=transfer_id)
        by_address = rules_of(TransferKind(row.kind)).found_by is FoundBy.RECIPIENT
        if not by_address or await audit.action_of(rows, transfer_id, once) is not None:
            return
        check(Action.ACCEPT, progress_of(row, datetime.now(UTC)))
        request = (await transfers.requested(rows, self._vault, transfer_id)).request
        standing = (await recipient_of(rows, link, row, request)).standing
        if standing in {Standing.ACCOUNT, Standing.OWNER}:
            return
        if standing is Standing.UNUSABLE or request.address is None:
            raise NotPossible(_SUPPORT)
        if typed is None:
            raise NotPossible("Your name was not kept; type it again.")
        opened = await accounts.open_account(
            rows, self._vault, request.address, name=typed.name, locale=typed.locale, now=datetime.now(UTC)
        )
        if opened is None:  # by another link to this address, a moment ago
            return
        detail = {"link_id": order.link_id}
        opened_it = TrailAction.ACCOUNT_OPENED
        await audit.append(rows, transfer_id, actor=SYSTEM, action=opened_it, detail=detail, once=once)


async def _find_transfer(rows: AsyncSession, link_id: LinkId) -> tuple[Transfer, ApprovalLink]:
    """Lock the transfer that a link belongs to, and give the link too; raises NotAllowed for a dead one."""
    link = await rows.get(ApprovalLink, link_id)
    row = await transfers.find(rows, TransferId(link.transfer_id)) if link else None
    if link is None or row is None or link.generation < row.link_generation:
        raise NotAllowed("This link is not valid any more; use the newest one.")
    return row, link
