"""Approval links and their one-time codes, as rows: what was sent to whom, without what was sent."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.codes import DIGITS, VALID_FOR
from domain.ids import LinkId, TransferId, UserId
from persistence.inserts import insert_into
from persistence.tables import ApprovalLink, Code, Transfer
from persistence.vault import Vault, fingerprint

#: The channel of a transfer's one recipient, reached by e-mail.
EMAIL_CHANNEL: Final = "email"


@dataclass(frozen=True)
class SentLink:
    """A link with its token, which is kept nowhere."""

    id: LinkId
    token: str = field(repr=False)


@dataclass(frozen=True)
class SentCode:
    """A one-time code in plain digits, which are kept nowhere."""

    digits: str = field(repr=False)
    expires_at: datetime


def owner_channel(user_id: UserId) -> str:
    """Give the channel of one of several owners who are asked: each has their own link.

    It names the user by a mark of 10 hex digits, so that it fits its column whatever the id's length.
    """
    return f"{EMAIL_CHANNEL}:{fingerprint(user_id)[:10]}"


async def make_link(
    rows: AsyncSession, vault: Vault, transfer_id: TransferId, *, channel: str, generation: int, now: datetime
) -> SentLink:
    """Make the link of (transfer, channel, generation), or give the same one again.

    Id and token follow from the three. Only after the server's first key was replaced is the token another one; the
    row then takes the new one, and the link sent last is the one that opens.
    """
    link_id = LinkId(fingerprint(f"approval-link\x1f{transfer_id}\x1f{channel}\x1f{generation}")[:32])
    token = vault.token("approval-link", transfer_id, channel, generation)
    made = insert_into(rows, ApprovalLink).values(
        id=link_id,
        transfer_id=transfer_id,
        channel=channel,
        generation=generation,
        token_hash=fingerprint(token),
        created_at=now,
        codes_asked=0,
    )
    kept = made.on_conflict_do_update(
        index_elements=["transfer_id", "channel", "generation"], set_={"token_hash": made.excluded.token_hash}
    ).returning(ApprovalLink.id)
    return SentLink(LinkId((await rows.execute(kept)).scalar_one()), token)


async def newest_generation(rows: AsyncSession, transfer_id: TransferId) -> int:
    """Give the generation of a transfer's valid links."""
    wanted = select(Transfer.link_generation).where(Transfer.id == transfer_id)
    return (await rows.execute(wanted)).scalar_one()


async def valid_link(rows: AsyncSession, link_id: LinkId) -> ApprovalLink | None:
    """Read a link, None where it does not exist or a newer generation has replaced it."""
    link = await rows.get(ApprovalLink, link_id)
    if link is None or link.generation < await newest_generation(rows, TransferId(link.transfer_id)):
        return None
    return link


async def make_code(rows: AsyncSession, vault: Vault, link_id: LinkId, number: int, *, now: datetime) -> SentCode:
    """Make the `number`-th code of a link, valid for 10 minutes from `now`, or give the same one again, as it is.

    The digits follow from link and number. Only after the server's first key was replaced are they others; the row
    then takes those: the code sent last is the one that counts.
    """
    digits = vault.digits("code", link_id, number, count=DIGITS)
    proof = f"{link_id}:{number}:{digits}".encode()
    made = insert_into(rows, Code).values(
        link_id=link_id,
        number=number,
        mac=vault.mac("code", proof),
        sent_at=None,
        expires_at=now + VALID_FOR,
        wrong_tries=0,
        used_for=None,
    )
    await rows.execute(made.on_conflict_do_nothing(index_elements=["link_id", "number"]))
    this = (Code.link_id == link_id, Code.number == number)
    mac, expires_at = (await rows.execute(select(Code.mac, Code.expires_at).where(*this))).one()
    if not vault.matches("code", proof, mac):
        await rows.execute(update(Code).where(*this).values(mac=vault.mac("code", proof)))
    return SentCode(digits, expires_at)


async def code_sent(rows: AsyncSession, link_id: LinkId, number: int) -> bool:
    """Whether a code was handed to the mail server. Only reads."""
    code = await rows.get(Code, (link_id, number))
    return code is not None and code.sent_at is not None


async def note_code_sent(rows: AsyncSession, link_id: LinkId, number: int, now: datetime) -> None:
    """Write that the mail server has a code: the next one that is asked for is another."""
    this = (Code.link_id == link_id, Code.number == number, Code.sent_at.is_(None))
    await rows.execute(update(Code).where(*this).values(sent_at=now))
