"""Letters that a workflow has sent: the question, the news, the one-time code."""

from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from sqlalchemy.ext.asyncio import AsyncSession

from activities.contracts import notices as contracts
from activities.contracts.messages import Done
from activities.contracts.notices import Ask, SendCode, Subject, Tell, TellOwner
from activities.drafts import Drafts
from activities.letterbox import Letterbox, Outgoing
from activities.parties import (
    Told,
    find_asked,
    find_owner,
    find_told_of_acceptance,
    find_told_of_end,
    find_told_of_new_key,
    find_told_of_request,
    find_users,
)
from activities.point_drafts import PointDrafts
from domain import trail
from domain.actors import SYSTEM
from domain.errors import Unavailable
from domain.ids import TransferId, UserId
from domain.news import OwnerNews
from domain.orders import OrderAct, unproven
from domain.policy import Policy
from domain.trail import TrailAction
from domain.transfer import FINAL, TransferState, TransferWarning
from notices.letters import AnyLetter, EndedLetter, SettledLetter
from notices.mail import Sender
from persistence.chargers import charging_review
from persistence.intake import orders
from persistence.links.approvals import code_sent, make_code, make_link, note_code_sent, valid_link
from persistence.session import Database
from persistence.tables import ApprovalLink, ChargePoint
from persistence.transfers import audit, transfers
from persistence.transfers.parties import TransferFacts, read_facts
from persistence.vault import Vault, fingerprint
from persistence.views.visibility import hides_recipient
from telemetry.subject import learn

_OFFLINE_DEADLINE: Final = Policy().offline_deadline


class Notices(contracts.Notices):
    """Sends letters. No transaction is open while the mail server is spoken to.

    A repeat makes the same link and the same code, and sends under the same Message-ID; within the retries of one
    activity a letter that was handed over is not sent again. The audit trail has one entry. It waits for no letter to a
    recipient whom the sender may not know: that such a letter is put off would tell that the address has an account.
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
        self._domain = _domain_of(origin)

    async def ask(self, ask: Ask) -> Done:
        """Ask, or remind, whoever must decide; nothing once the transfer is decided.

        A question whose link has been replaced meanwhile is not sent any more; a reminder carries the newest link.
        Idempotent: link and Message-ID follow from (transfer, channel, generation, reminder). The entry is written with
        the links, before the letters. An address that no letter reaches is an entry `ask_not_deliverable`, no error:
        the transfer waits on.
        """
        async with self._db.writing() as rows:
            facts = await _waiting(rows, ask.transfer_id)
            questions = await self._questions(rows, ask, facts) if facts else None
            if facts is None or questions is None:
                return Done()
            reached = any(self._letterbox.reaches(question) for question in questions)
            action = TrailAction.REMINDED if ask.reminder else TrailAction.ASKED
            action = action if reached else TrailAction.ASK_NOT_DELIVERABLE
            await _note_asked(rows, ask, action, trail.asked(ask.generation, ask.reminder))
        delivered = await self._letterbox.post(questions)
        if reached and not delivered and not hides_recipient(facts.transfer):
            async with self._db.writing() as rows:
                once = trail.not_delivered(ask.generation, ask.reminder)
                await _note_asked(rows, ask, TrailAction.ASK_NOT_DELIVERABLE, once)
        return Done()

    async def _questions(self, rows: AsyncSession, ask: Ask, facts: TransferFacts) -> list[Outgoing] | None:
        """Make the links and the letters that carry them; None where the question is out of date."""
        newest = facts.transfer.link_generation
        if newest > ask.generation and not ask.reminder:
            return None
        questions = []
        for asked in await find_asked(rows, self._vault, facts):
            if asked.address is None:
                continue
            link = await make_link(
                rows,
                self._vault,
                ask.transfer_id,
                channel=asked.channel,
                generation=newest,
                now=datetime.now(UTC),
            )
            letter = await self._drafts.question(rows, facts, asked, link.token, reminder=ask.reminder > 0)
            name = f"ask.{ask.transfer_id}.{_mark(asked.channel)}.{newest}.{ask.reminder}"
            questions.append(Outgoing(letter, asked.locale, asked.address, self._message_id(name)))
        return questions

    async def tell(self, tell: Tell) -> Done:
        """Tell the parties, each once, each what they may know; nothing where that is on record already.

        Idempotent: the Message-ID follows from (transfer, subject, reminder, user), the letter from the transfer as it
        stands. A recipient whom the sender may not know is told after the entry is written, and on each repeat.
        """
        once = trail.told(_name_of(tell, ":"))
        async with self._db.reading() as rows:
            on_record = await audit.action_of(rows, tell.transfer_id, once) is not None
            news, hidden = await self._news(rows, tell)
        if news and not on_record:
            await self._letterbox.post(news)
            detail: dict[str, str | int] = {"subject": tell.subject.value}
            detail |= {"reminder": tell.reminder} if tell.reminder else {}
            async with self._db.writing() as rows:
                told = TrailAction.TOLD
                await audit.append(rows, tell.transfer_id, actor=SYSTEM, action=told, detail=detail, once=once)
        if hidden:
            await self._letterbox.post(hidden)
        return Done()

    async def _news(self, rows: AsyncSession, tell: Tell) -> tuple[list[Outgoing], list[Outgoing]]:
        """Write the letters, those to a hidden recipient apart; none where there is no end that is written about.

        That it was asked for, or accepted, is no news any more once it has ended.
        """
        facts = await read_facts(rows, tell.transfer_id)
        if facts is None:
            return [], []
        if tell.subject in {Subject.ENDED, Subject.SETTLED}:
            return await self._news_of_end(rows, tell, facts)
        over = facts.transfer.state in FINAL
        letters: list[Outgoing] = []
        if tell.subject is Subject.REQUESTED and not over:
            requested = await self._drafts.requested(rows, facts)
            told = await find_told_of_request(rows, facts.transfer)
            letters = [self._outgoing(tell, person, requested) for person in told]
        elif tell.subject is Subject.ACCEPTED and not over and facts.transfer.accepted_by is not None:
            told = await find_told_of_acceptance(rows, facts.transfer)
            accepted = [await self._drafts.accepted(rows, facts, person) for person in told]
            letters = [self._outgoing(tell, *news) for news in zip(told, accepted, strict=True)]
        elif tell.subject is Subject.NEW_KEY and _needs_key(facts):
            letter = self._drafts.new_key(facts, reminder=tell.reminder > 0)
            told = await find_told_of_new_key(rows, facts.transfer)
            letters = [self._outgoing(tell, person, letter) for person in told]
        return letters, []

    async def _news_of_end(
        self, rows: AsyncSession, tell: Tell, facts: TransferFacts
    ) -> tuple[list[Outgoing], list[Outgoing]]:
        kind = SettledLetter if tell.subject is Subject.SETTLED else EndedLetter
        letters: tuple[list[Outgoing], list[Outgoing]] = [], []
        for person in await find_told_of_end(rows, facts.transfer):
            draft = await self._drafts.ended(rows, facts, person, kind)
            letters[person.hidden].append(self._outgoing(tell, person, draft))
        return letters

    def _outgoing(self, tell: Tell, person: Told, letter: AnyLetter) -> Outgoing:
        name = f"{_name_of(tell, '.')}.{tell.transfer_id}.{_mark(person.user_id)}"
        return Outgoing(letter, person.locale, person.address, self._message_id(name))

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
            name = f"{order.news.value}.{order.charge_point_id}.{_mark(order.day.isoformat())}"
            owners = {UserId(row.owner_id): [one for one in found if one.owner_id == row.owner_id] for row in found}
            letters = {
                person.user_id: Outgoing(
                    self._point_drafts.late_sessions(point, owners[person.user_id]),
                    person.locale,
                    person.address,
                    self._message_id(f"{name}.{_mark(person.user_id)}"),
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
        mark = _mark(order.occasion or order.day.isoformat())
        name = f"{order.news.value}.{order.charge_point_id}.{mark}"
        letter = await self._point_drafts.to_owner(rows, order, point)
        to_owner = [
            Outgoing(letter, person.locale, person.address, self._message_id(f"{name}.{_mark(person.user_id)}"))
            for person in await find_owner(rows, point)
        ]
        active = await transfers.active_on(rows, order.charge_point_id) if order.news is OwnerNews.RESET else None
        facts = await _waiting(rows, active) if active else None
        if facts is None:
            return to_owner, []
        draft = await self._point_drafts.to_asked(rows, order, facts)
        to_asked = [
            Outgoing(draft, asked.locale, asked.address, self._message_id(f"{name}.{_mark(asked.channel)}"))
            for asked in await find_asked(rows, self._vault, facts)
            if asked.address is not None
        ]
        return to_owner, to_asked

    async def _code(self, rows: AsyncSession, order: SendCode) -> tuple[TransferId, list[Outgoing]] | None:
        """Make the code and its letter; None where it would be of no use, no letter where nobody can be reached."""
        link = await valid_link(rows, order.link_id)
        facts = await _waiting(rows, TransferId(link.transfer_id)) if link else None
        if link is None or facts is None:
            return None
        transfer_id, now = TransferId(link.transfer_id), datetime.now(UTC)
        code = await make_code(rows, self._vault, order.link_id, order.number, now=now)
        if code.expires_at <= now:
            return None
        draft = self._drafts.code(facts, code)
        message_id = self._message_id(f"code.{order.link_id}.{order.number}")
        return transfer_id, [
            Outgoing(draft, asked.locale, asked.address, message_id)
            for asked in await find_asked(rows, self._vault, facts)
            if asked.channel == link.channel and asked.address is not None
        ]

    def _message_id(self, name: str) -> str:
        return f"<{name}@{self._domain}>"


async def _note_asked(rows: AsyncSession, ask: Ask, action: TrailAction, once: str) -> None:
    """Write the entry of the audit trail: no address, and nothing that tells whose one is."""
    detail = {"generation": ask.generation, "reminder": ask.reminder}
    await audit.append(rows, ask.transfer_id, actor=SYSTEM, action=action, detail=detail, once=once)


async def _waiting(rows: AsyncSession, transfer_id: TransferId) -> TransferFacts | None:
    """Read a transfer that waits for its recipient; None for any other."""
    facts = await read_facts(rows, transfer_id)
    return facts if facts and facts.transfer.state == TransferState.AWAITING_ACCEPTANCE else None


def _needs_key(facts: TransferFacts) -> bool:
    """Whether the new owner is to type a key: while the transfer waits for it, and after its end where it is due."""
    if facts.charge_point.owner_id != facts.transfer.to_owner_id:
        return False
    due = facts.transfer.state in FINAL and TransferWarning.OLD_KEY_KNOWN in facts.transfer.warnings
    return facts.transfer.state == TransferState.RECONFIGURING or due


def _name_of(tell: Tell, mark: str) -> str:
    """Name a piece of news, each reminder apart."""
    return f"{tell.subject.value}{mark}{tell.reminder}" if tell.reminder else tell.subject.value


def _mark(text: str) -> str:
    """Tell people apart in a Message-ID without naming them."""
    return fingerprint(text)[:10]


def _domain_of(origin: str) -> str:
    """Give the host of the origin as the right side of a Message-ID."""
    host = urlsplit(origin).hostname or "localhost"
    return f"[{host}]" if ":" in host else host
