"""What a transfer writes to people: the question with its links, and the news, as its letters in the outbox say."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from activities.drafts import Drafts
from activities.letterbox import Letterbox, MessageIds, Outgoing, mark
from activities.parties import (
    Told,
    find_asked,
    find_told_of_acceptance,
    find_told_of_end,
    find_told_of_new_key,
    find_told_of_request,
)
from domain import trail
from domain.actors import SYSTEM
from domain.ids import TransferId
from domain.letters import Subject
from domain.policy import Policy
from domain.trail import TrailAction
from domain.transfer import FINAL, TransferState, TransferWarning
from notices.letters import AnyLetter, EndedLetter, SettledLetter
from notices.mail import Sender
from persistence.links.approvals import make_link
from persistence.session import Database
from persistence.tables import OutboxLetter
from persistence.transfers import audit, outbox
from persistence.transfers.parties import TransferFacts, read_facts
from persistence.vault import Vault
from persistence.views.visibility import hides_recipient

_OFFLINE_DEADLINE: Final = Policy().offline_deadline


class TransferLetters:
    """Sends letters of the outbox. No transaction is open while the mail server is spoken to.

    A repeat makes the same link, and sends under the same Message-ID; what was handed over by an earlier try, as the
    letter's row says, is not sent again. The audit trail has one entry. It waits for no letter to a recipient whom the
    sender may not know: that such a letter is put off would tell that the address has an account.
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
        self._names = MessageIds(origin)

    async def send(self, letter: OutboxLetter) -> None:
        """Send a letter to everybody whom it is for at this moment, as the transfer stands now, and close it.

        Nobody is left of a question once it is decided or its link was replaced, and of news that is none any more.
        Raises Unavailable where it could not be handed over to all of them; who has it is in its `taken` then.
        """
        await (self._ask(letter) if letter.subject == Subject.ASKED else self._tell(letter))

    # --- the question ---------------------------------------------------------------------------------------------

    async def _ask(self, letter: OutboxLetter) -> None:
        """Ask, or remind, whoever must decide.

        The entry is written with the links, before the letters. An address that no letter reaches is an entry
        `ask_not_deliverable`, no error: the transfer waits on.
        """
        async with self._db.writing() as rows:
            facts = await waiting(rows, TransferId(letter.transfer_id))
            questions = await self._questions(rows, letter, facts) if facts else None
            if facts is None or questions is None:
                return await outbox.close(rows, letter.id, datetime.now(UTC))
            newest = facts.transfer.link_generation
            reached = any(self._letterbox.reaches(question) for question in questions)
            action = TrailAction.REMINDED if letter.reminder else TrailAction.ASKED
            action = action if reached else TrailAction.ASK_NOT_DELIVERABLE
            await _note_asked(rows, letter, newest, action, trail.asked(newest, letter.reminder))
        delivered = await self._letterbox.hand_over(questions, letter.taken)
        async with self._db.writing() as rows:
            if reached and not delivered and not hides_recipient(facts.transfer):
                once = trail.not_delivered(newest, letter.reminder)
                await _note_asked(rows, letter, newest, TrailAction.ASK_NOT_DELIVERABLE, once)
            await outbox.close(rows, letter.id, datetime.now(UTC))
        return None

    async def _questions(self, rows: AsyncSession, letter: OutboxLetter, facts: TransferFacts) -> list[Outgoing] | None:
        """Make the links and the letters that carry them; None where the question is out of date.

        A reminder carries the newest link.
        """
        newest = facts.transfer.link_generation
        if newest > letter.generation and not letter.reminder:
            return None
        questions = []
        for asked in await find_asked(rows, self._vault, facts):
            if asked.address is None:
                continue
            link = await make_link(
                rows,
                self._vault,
                TransferId(letter.transfer_id),
                channel=asked.channel,
                generation=newest,
                now=datetime.now(UTC),
            )
            question = await self._drafts.question(rows, facts, asked, link.token, reminder=letter.reminder > 0)
            name = self._names.of("ask", letter.transfer_id, mark(asked.channel), f"{newest}.{letter.reminder}")
            questions.append(Outgoing(question, asked.locale, asked.address, name))
        return questions

    # --- the news -------------------------------------------------------------------------------------------------

    async def _tell(self, letter: OutboxLetter) -> None:
        """Tell the parties, each once, each what they may know; nothing where that is on record already.

        A recipient whom the sender may not know is told after the entry is written, and on each repeat.
        """
        subject, transfer_id = Subject(letter.subject), TransferId(letter.transfer_id)
        once = trail.told(subject.value, letter.reminder)
        async with self._db.reading() as rows:
            on_record = await audit.action_of(rows, transfer_id, once) is not None
            news, hidden = await self._news(rows, letter)
        if news and not on_record:
            await self._letterbox.hand_over(news, letter.taken)
            detail: dict[str, str | int] = {"subject": subject.value}
            detail |= {"reminder": letter.reminder} if letter.reminder else {}
            async with self._db.writing() as rows:
                told = TrailAction.TOLD
                await audit.append(rows, transfer_id, actor=SYSTEM, action=told, detail=detail, once=once)
                if not hidden:
                    return await outbox.close(rows, letter.id, datetime.now(UTC))
        await self._letterbox.hand_over(hidden, letter.taken)
        async with self._db.writing() as rows:
            await outbox.close(rows, letter.id, datetime.now(UTC))
        return None

    async def _news(self, rows: AsyncSession, letter: OutboxLetter) -> tuple[list[Outgoing], list[Outgoing]]:
        """Write the letters, those to a hidden recipient apart; none where there is no end that is written about.

        That it was asked for, or accepted, is no news any more once it has ended.
        """
        facts = await read_facts(rows, TransferId(letter.transfer_id))
        if facts is None:
            return [], []
        subject, over = Subject(letter.subject), facts.transfer.state in FINAL
        if subject in {Subject.ENDED, Subject.SETTLED}:
            return await self._news_of_end(rows, letter, facts)
        told: Sequence[Told] = ()
        drafts: Sequence[AnyLetter] = ()
        if subject is Subject.REQUESTED and not over:
            told = await find_told_of_request(rows, facts.transfer)
            drafts = [await self._drafts.requested(rows, facts, person) for person in told]
        elif subject is Subject.ACCEPTED and not over and facts.transfer.accepted_by is not None:
            told = await find_told_of_acceptance(rows, facts.transfer)
            drafts = [await self._drafts.accepted(rows, facts, person) for person in told]
        elif subject is Subject.NEW_KEY and _needs_key(facts):
            told = await find_told_of_new_key(rows, facts.transfer)
            reminder = letter.reminder > 0
            drafts = [self._drafts.new_key(facts, person, reminder=reminder) for person in told]
        return [self._outgoing(letter, *news) for news in zip(told, drafts, strict=True)], []

    async def _news_of_end(
        self, rows: AsyncSession, letter: OutboxLetter, facts: TransferFacts
    ) -> tuple[list[Outgoing], list[Outgoing]]:
        kind = SettledLetter if letter.subject == Subject.SETTLED else EndedLetter
        letters: tuple[list[Outgoing], list[Outgoing]] = [], []
        told = await find_told_of_end(rows, facts.transfer)
        if not told:
            return letters
        for person, draft in zip(told, await self._drafts.ended(rows, facts, told, kind), strict=True):
            letters[person.hidden].append(self._outgoing(letter, person, draft))
        return letters

    def _outgoing(self, letter: OutboxLetter, person: Told, draft: AnyLetter) -> Outgoing:
        reminder = [str(letter.reminder)] if letter.reminder else []
        name = self._names.of(letter.subject, *reminder, letter.transfer_id, mark(person.user_id))
        return Outgoing(draft, person.locale, person.address, name)


async def waiting(rows: AsyncSession, transfer_id: TransferId) -> TransferFacts | None:
    """Read a transfer that waits for its recipient; None for any other."""
    facts = await read_facts(rows, transfer_id)
    return facts if facts and facts.transfer.state == TransferState.AWAITING_ACCEPTANCE else None


async def _note_asked(
    rows: AsyncSession, letter: OutboxLetter, generation: int, action: TrailAction, once: str
) -> None:
    """Write the entry of the audit trail: no address, and nothing that tells whose one is."""
    detail = {"generation": generation, "reminder": letter.reminder}
    await audit.append(rows, TransferId(letter.transfer_id), actor=SYSTEM, action=action, detail=detail, once=once)


def _needs_key(facts: TransferFacts) -> bool:
    """Whether the new owner is to type a key: while the transfer waits for it, and after its end where it is due."""
    if facts.charge_point.owner_id != facts.transfer.to_owner_id:
        return False
    due = facts.transfer.state in FINAL and TransferWarning.OLD_KEY_KNOWN in facts.transfer.warnings
    return facts.transfer.state == TransferState.RECONFIGURING or due
