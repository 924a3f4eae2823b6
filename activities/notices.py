"""Letters that have a workflow of their own: the one-time code, and what an owner is told of a charge point."""

from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from activities.contracts import notices as contracts
from activities.contracts.messages import Done
from activities.contracts.notices import SendCode, SendSignInCode, TellOwner
from activities.drafts import Drafts
from activities.letterbox import Letterbox, MessageIds, Outgoing, mark
from activities.parties import find_asked, find_owner, find_users
from activities.point_drafts import PointDrafts
from activities.transfer_letters import waiting
from domain import trail
from domain.actors import SYSTEM
from domain.errors import Unavailable
from domain.ids import GroupId, TransferId, UserId
from domain.news import OwnerNews
from domain.orders import OrderAct, unproven
from domain.policy import Policy
from domain.rights import Role
from domain.trail import TrailAction
from notices.letters import SignInLetter
from notices.mail import Sender
from persistence.chargers import charging_review
from persistence.intake import orders, sign_in_codes
from persistence.links.approvals import code_sent, make_code, note_code_sent, valid_link
from persistence.people import accounts
from persistence.session import Database
from persistence.tables import ApprovalLink, ChargePoint
from persistence.transfers import audit, transfers
from persistence.vault import Vault
from telemetry.subject import learn

_OFFLINE_DEADLINE: Final = Policy().offline_deadline


class Notices(contracts.Notices, contracts.SignInLetters):
    """Sends letters. No transaction is open while the mail server is spoken to.

    A repeat makes the same code, and sends under the same Message-ID; within the retries of one activity a letter that
    was handed over is not sent again.
    """

    def __init__(
        self,
        db: Database,
        vault: Vault,
        sender: Sender,
        origin: str,
        offline_deadline: timedelta = _OFFLINE_DEADLINE,
    ) -> None:
        """Take where links point to, `origin`, and how long a transfer waits for an offline charger."""
        self._db = db
        self._vault = vault
        self._letterbox = Letterbox(sender)
        self._drafts = Drafts(vault, origin, offline_deadline)
        self._point_drafts = PointDrafts(origin)
        self._names = MessageIds(origin)
        self._origin = origin

    async def send_code(self, order: SendCode) -> Done:
        """Make a code and send it to whoever the link is for at this moment, at their address of this moment.

        Idempotent: the digits follow from link and number, and their ten minutes run from the first try. Nothing is
        sent once it was, the transfer is decided, the link was replaced, or the ten minutes are over. Refuses one that
        nobody has asked for at the link's page, on record once: a number ahead would make every genuine code an old
        one.
        """
        async with self._db.writing() as rows:
            link = await rows.get(ApprovalLink, order.link_id)
            asked = link is not None and 1 <= order.number <= link.codes_asked
            if link is not None and not asked:
                await orders.note_unproven(rows, TransferId(link.transfer_id), OrderAct.SEND_CODE)
            sent = await code_sent(rows, order.link_id, order.number) if asked else False
            made = await self._code(rows, order) if asked and not sent else None
        if not asked:
            raise unproven()
        if made is None:
            return Done()
        transfer_id, codes = made
        learn(transfer_id=transfer_id)
        delivered = await self._letterbox.post(codes)
        action = TrailAction.CODE_SENT if delivered else TrailAction.CODE_NOT_DELIVERABLE
        detail = {"link_id": order.link_id, "number": order.number}
        once = trail.code(action, order.link_id, order.number)
        async with self._db.writing() as rows:
            await note_code_sent(rows, order.link_id, order.number, datetime.now(UTC))
            await audit.append(rows, transfer_id, actor=SYSTEM, action=action, detail=detail, once=once)
        return Done()

    async def send_sign_in_code(self, order: SendSignInCode) -> Done:
        """Send it; where nobody has the address, nothing is sent, and it fails as if somebody had.

        Idempotent: the digits follow from the code's id, and are sent under the same Message-ID until the code is used
        or over.
        """
        async with self._db.writing() as rows:
            code = await sign_in_codes.to_send(rows, self._vault, order.code_id, datetime.now(UTC))
        letters = []
        if code is not None:
            draft = SignInLetter(code=code.digits, proves=code.proves, expires_at=code.expires_at, origin=self._origin)
            name = self._names.of("sign-in", mark(order.code_id))
            letters = [Outgoing(draft, code.locale, code.address, name)]
        await self._letterbox.post(letters)
        return Done()

    async def tell_owner(self, order: TellOwner) -> Done:
        """Tell whoever owns the charge point at this moment; of new credentials also who is asked about it.

        Of late sessions those are told to whom they are booked, former owners.

        Of what is not on record nobody is told. Idempotent by (charge point, news, day), or (charge point, news,
        occasion): the Message-ID follows from them, and the charge point's trail has one entry `told`. Who is asked is
        written to after that entry, and on each repeat: whether a letter reaches them is nothing for those who read the
        trail.
        """
        subject = trail.of_charge_point(order.charge_point_id)
        once = trail.told_of_news(order.news, order.occasion or order.day.isoformat())
        if order.news is OwnerNews.LATE_SESSIONS:
            return await self._tell_former_owners(order, once)
        async with self._db.reading() as rows:
            on_record = await audit.action_of(rows, subject, once) is not None
            if not on_record and not await self._point_drafts.is_untold(rows, order):
                return Done()
            to_owner, to_asked = await self._owner_news(rows, order)
        if to_owner and not on_record:
            await self._letterbox.post(to_owner)
            async with self._db.writing() as rows:
                detail = {"subject": order.news.value, "day": order.day.isoformat()}
                await audit.append(rows, subject, actor=SYSTEM, action=TrailAction.TOLD, detail=detail, once=once)
        if to_asked:
            await self._letterbox.post(to_asked)
        return Done()

    async def _tell_former_owners(self, order: TellOwner, once: str) -> Done:
        """Tell former owners of the sessions that were booked to them, each of their own; once a day."""
        subject = trail.of_charge_point(order.charge_point_id)
        async with self._db.reading() as rows:
            if await audit.action_of(rows, subject, once) is not None:
                return Done()
            found = await charging_review.to_be_told(rows, order.charge_point_id)
            point = await rows.get(ChargePoint, order.charge_point_id)
            if point is None or not found:
                return Done()
            name = f"{order.news.value}.{order.charge_point_id}.{mark(order.day.isoformat())}"
            owners = {UserId(row.owner_id): [one for one in found if one.owner_id == row.owner_id] for row in found}
            members = await accounts.members(rows, GroupId(point.group_id), *Role)
            letters = {
                person.user_id: Outgoing(
                    self._point_drafts.late_sessions(
                        point, owners[person.user_id], sees_point=person.user_id in members
                    ),
                    person.locale,
                    person.address,
                    self._names.of(f"{name}.{mark(person.user_id)}"),
                )
                for person in await find_users(rows, owners)
            }
        away = False
        for owner_id, theirs in owners.items():  # each by themselves: nobody gets theirs again as another's is put off
            try:
                if owner_id in letters:
                    await self._letterbox.post([letters[owner_id]])
            except Unavailable:
                away = True
                continue
            async with self._db.writing() as rows:
                await charging_review.note_told(rows, owner_id, [row.id for row in theirs])
        if away:
            raise Unavailable("A letter could not be handed over; try again in a moment.")
        async with self._db.writing() as rows:
            detail = {"subject": order.news.value, "day": order.day.isoformat()}
            await audit.append(rows, subject, actor=SYSTEM, action=TrailAction.TOLD, detail=detail, once=once)
        return Done()

    async def _owner_news(self, rows: AsyncSession, order: TellOwner) -> tuple[list[Outgoing], list[Outgoing]]:
        """Write the letters to the owner, and those to who is asked about the charge point."""
        point = await rows.get(ChargePoint, order.charge_point_id)
        if point is None:
            return [], []
        occasion = mark(order.occasion or order.day.isoformat())
        name = f"{order.news.value}.{order.charge_point_id}.{occasion}"
        letter = await self._point_drafts.to_owner(rows, order, point)
        to_owner = [
            Outgoing(letter, person.locale, person.address, self._names.of(f"{name}.{mark(person.user_id)}"))
            for person in await find_owner(rows, point)
        ]
        active = await transfers.active_on(rows, order.charge_point_id) if order.news is OwnerNews.RESET else None
        facts = await waiting(rows, active) if active else None
        if facts is None:
            return to_owner, []
        draft = await self._point_drafts.to_asked(rows, order, facts)
        to_asked = [
            Outgoing(draft, asked.locale, asked.address, self._names.of(f"{name}.{mark(asked.channel)}"))
            for asked in await find_asked(rows, self._vault, facts)
            if asked.address is not None
        ]
        return to_owner, to_asked

    async def _code(self, rows: AsyncSession, order: SendCode) -> tuple[TransferId, list[Outgoing]] | None:
        """Make the code and its letter; None where it would be of no use, no letter where nobody can be reached."""
        link = await valid_link(rows, order.link_id)
        facts = await waiting(rows, TransferId(link.transfer_id)) if link else None
        if link is None or facts is None:
            return None
        transfer_id, now = TransferId(link.transfer_id), datetime.now(UTC)
        code = await make_code(rows, self._vault, order.link_id, order.number, now=now)
        if code.expires_at <= now:
            return None
        draft = self._drafts.code(facts, code)
        message_id = self._names.of(f"code.{order.link_id}.{order.number}")
        return transfer_id, [
            Outgoing(draft, asked.locale, asked.address, message_id)
            for asked in await find_asked(rows, self._vault, facts)
            if asked.channel == link.channel and asked.address is not None
        ]
