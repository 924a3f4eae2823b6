"""One-time codes of an approval link, as the pages ask for them and uses them up."""

from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain import actors
from domain.approval import Decision
from domain.codes import TRIES, CodeExpired, CodesUsedUp, CodeUsed, NoCodeSent, TriesUsedUp, WrongCode
from domain.errors import Refusal
from domain.ids import LinkId, OrderId, TransferId
from domain.orders import OrderAct
from domain.transfer import UntilNewKey
from persistence.intake import orders
from persistence.intake.orders import NewOrder
from persistence.session import Database
from persistence.tables import ApprovalLink, Code
from persistence.vault import Vault

CODES_A_LINK: Final = 5
#: How long after a used code has expired it still repeats its answer: then its mailbox may be somebody else's.
REPEATS_FOR: Final = timedelta(hours=1)


class LinkCodes:
    """Counts codes and tries where nobody can race: in the statement that changes them."""

    def __init__(self, db: Database, vault: Vault) -> None:
        """Take the database, and the vault whose MACs the codes are kept as."""
        self._db = db
        self._vault = vault

    async def ask(self, link_id: LinkId) -> int:
        """Count one more code for the link, and give its number (from 1); raises CodesUsedUp after the fifth.

        While the latest one is not sent yet, it is that one's number: what the mail server can't take uses up nothing.
        """
        async with self._db.writing() as rows:
            link = await rows.get_one(ApprovalLink, link_id, with_for_update=True)
            if link.codes_asked and await _is_to_be_sent(rows, link_id, link.codes_asked):
                return link.codes_asked
            sent = select(func.count()).where(Code.link_id == link_id, Code.sent_at.is_not(None))
            if (await rows.scalar(sent) or 0) >= CODES_A_LINK:
                raise CodesUsedUp(CODES_A_LINK)
            link.codes_asked += 1
            return link.codes_asked

    async def use(
        self, link_id: LinkId, code: str, decision: Decision, until_new_key: UntilNewKey | None = None
    ) -> OrderId:
        """Use up the link's latest code for `decision`, and write that order; for an hour it may be used again for it.

        Raises WrongCode, TriesUsedUp after five of those, CodeExpired, NoCodeSent, and CodeUsed for one that was used
        for another decision. A wrong try stays counted.
        """
        async with self._db.writing() as rows:
            refusal = await self._try(rows, link_id, code, decision)
            if refusal is None:
                link = await rows.get_one(ApprovalLink, link_id)
                order = NewOrder(
                    TransferId(link.transfer_id),
                    OrderAct(decision.value),
                    actors.link(link_id),
                    link_id=link_id,
                    choice=until_new_key.value if until_new_key else None,
                )
                return await orders.give(rows, order, datetime.now(UTC))
        raise refusal

    async def _try(self, rows: AsyncSession, link_id: LinkId, code: str, decision: Decision) -> Refusal | None:
        """Count a try first, so that any number of guesses at once is counted; take it back for the right code."""
        latest = select(func.max(Code.number)).where(Code.link_id == link_id).scalar_subquery()
        this = (Code.link_id == link_id, Code.number == latest)
        counted = (
            update(Code)
            .where(*this, Code.wrong_tries < TRIES)
            .values(wrong_tries=Code.wrong_tries + 1)
            .returning(Code.number, Code.mac, Code.expires_at, Code.used_for, Code.wrong_tries)
            .execution_options(synchronize_session=False)
        )
        row = (await rows.execute(counted)).one_or_none()
        if row is None:
            return await _no_try_left(rows, link_id)
        if not self._vault.matches("code", f"{link_id}:{row.number}:{code}".encode(), row.mac):
            left = TRIES - row.wrong_tries
            return WrongCode(left) if left else TriesUsedUp(TRIES)
        tried = update(Code).where(Code.link_id == link_id, Code.number == row.number)
        await rows.execute(tried.values(wrong_tries=row.wrong_tries - 1))
        if row.expires_at + (REPEATS_FOR if row.used_for else timedelta()) <= datetime.now(UTC):
            return CodeExpired()
        used = await rows.execute(
            tried.where(or_(Code.used_for.is_(None), Code.used_for == decision.value))
            .values(used_for=decision.value)
            .returning(Code.number)
        )
        if used.one_or_none() is None:
            return CodeUsed()
        return None


async def _is_to_be_sent(rows: AsyncSession, link_id: LinkId, number: int) -> bool:
    """Whether a code that was asked for has not reached the mail server, and is still of use."""
    code = await rows.get(Code, (link_id, number))
    return code is None or (code.sent_at is None and code.expires_at > datetime.now(UTC))


async def _no_try_left(rows: AsyncSession, link_id: LinkId) -> Refusal:
    sent = select(Code.number).where(Code.link_id == link_id).limit(1)
    if (await rows.execute(sent)).first() is None:
        return NoCodeSent()
    return TriesUsedUp(TRIES)
