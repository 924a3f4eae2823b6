"""Whom each letter goes to: the table of docs/notices.md, compared with what is sent."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

import pytest
from sqlalchemy import delete

from activities.contracts.notices import SendCode
from activities.notices import Notices
from activities.transfer_letters import TransferLetters
from domain.ids import LinkId
from domain.kinds import TransferKind
from domain.letters import Subject
from domain.transfer import TransferState
from notices.letters import ENDS
from persistence import tables
from tests.activities.notices.letters import asked, news, recipients
from tests.activities.notices.world import World
from tests.conftest import ROOT
from tests.notices.mailbox import Mailbox
from tests.persistence.unguarded import unguarded

TABLE: Final = ROOT / "docs" / "notices.md"
HEAD: Final = """# Who is written to, and when

Each letter has a plain text and an HTML part with the same words, in its reader's language: English, French
or German (`notices/templates/`). It is delivered at least once, a repeat under the same Message-ID. Nobody is
written to twice about the same thing: whoever has two parts in a transfer gets the letter of the first of them, from
the left.

Made by `make test ARGS='tests/activities/notices/test_table.py --write-tables'`, and compared with what is sent.
*Admins* are the owners and admins of the group that the charge point is in, *target* the group that it is moved to.

| letter | transfer to a user | transfer of the ownership | move to a group |
|---|---|---|---|
"""
TAIL: Final = """
- *asked* and *reminder* go out where acceptance is required; where it is not, nobody on the target's side is written to
  before the end, and then only if the charge point changed hands.
- *reminder*: half-way, and 24 hours before the end. A *resend* sends *asked* again with a new link; older ones are dead
  at once.
- *code*: to whoever the link was sent to, each time that they ask for one on its page.
- *requested*: to a present owner who did not ask for it; they may cancel. *accepted*: not to whoever accepted.
  Neither is sent once the transfer has ended: the letter about its end says all.
- *new key*: to whoever owns the charge point since the change, where people can know the charger's key: how to type a
  new one in, until when, and what the old one opens meanwhile. Reminders are letters of their own, after the end too.
- *asked* and the end say who can know the charger's key: people, the former owner among them, or only what was
  connected when it was made; and whether it went over a line that is not encrypted. *completed with warnings* says
  plainly where a former owner may still know it, and how that is ended.
- *settled*: what an ended transfer had left to do at its charger is done, or as much of it as can be.
- A letter about a transfer leads to the transfer's page where its reader may see it (`persistence/views/visibility.py`)
  and to the charge point's where the reader owns it at that moment; no letter tells anybody to call the API. The end
  says who asked for it to whoever did not.
- Before acceptance no letter names the recipient of a transfer to a user: an address must not tell whose it is.
- An account is written to at its e-mail address as it is at that moment; one that is blocked, or has none, is left out,
  and so are members who are neither owner nor admin.
- *asked* says how its reader stands: they open an account as they accept; or nobody can accept with this address as it
  stands (its account is blocked or deleted, or it has two); or the charge point is theirs already.
- *cancelled* says so where nobody wanted it: whoever asked for it may not give the charge point any more, which was
  found as the recipient accepted.
- No texts to phones are sent. A recipient given by phone number is asked at the e-mail address of their account;
  without one nobody is reached, and the transfer waits until it expires ([api.md](api.md#a-recipient-by-phone)).

About a charge point, and no transfer:

| letter | to | when |
|---|---|---|
| reset | owner; a recipient who is asked and has not answered \
| each time that new credentials are made by somebody else than the owner, or during a transfer |
| two holders | owner | two are connected with its key: at most once a day, with how often |
| ended key tried | owner \
| something came with a key that has ended: at most once a day, with how often and from where |
| late sessions | former owners \
| charging sessions were reported late, or settled by an operator, and are booked to them: \
at most once a day, each session once, with its time by our clock, by the charger's, and when it was told |

*Ended key tried* is not sent as long as no charger has come with the key in use: seconds after an owner has a new one
made the charger itself comes with the old one. A former owner may try in that time, too: the trail has it
(`ended_key_tried`, for each key), and after it the next try is told, on the same day as well.

Each says what it means and what to do, and leads to the charge point's page and its settings, where a new key is
made; for operators there is [the runbook](operations.md#somebody-else-is-connected-as-my-charger). The first three go
to whoever owns the charge point then; a former owner is led to its page only where they are still in its group.

About an account:

| letter | to | when |
|---|---|---|
| code to sign in | whoever has the address | each time that it is asked for with the address of an account in use |
| passkey | whose account it is | each time that a passkey is added or removed |
"""
EMAIL: Final = {"amelie": "sender", "bruno": "present owner", "adam": "admins"}
WORDS: Final = {
    TransferKind.TRANSFER_TO_USER: {"zoe": "recipient", **EMAIL},
    TransferKind.TRANSFER_OWNERSHIP: {**EMAIL, "adam": "recipient", "yann": "admins"},
    TransferKind.MOVE_TO_GROUP: {**EMAIL, "zoe": "target", "yann": "target"},
}
ORDER: Final = ("recipient", "target's owners", "sender", "present owner", "admins", "target's owners and admins")
ACCEPTED_BY: Final = {
    TransferKind.TRANSFER_TO_USER: "zoe", TransferKind.TRANSFER_OWNERSHIP: "adam", TransferKind.MOVE_TO_GROUP: "zoe",
}  # fmt: skip
#: Ends that come after an acceptance.
AFTER: Final = {TransferState.COMPLETED, TransferState.COMPLETED_WITH_WARNINGS, TransferState.ROLLED_BACK}
Send = Callable[[TransferLetters, Notices, World], Awaitable[object]]


async def code(letters: TransferLetters, notices: Notices, world: World) -> None:
    await letters.send(asked())
    for link in await world.all(tables.ApprovalLink):
        await world.change(tables.ApprovalLink, link.id, codes_asked=1)
        await notices.send_code(SendCode(link_id=LinkId(link.id), number=1))


async def new_key(letters: TransferLetters, _notices: Notices, world: World) -> None:
    [transfer] = await world.all(tables.Transfer)
    await world.change(tables.ChargePoint, "cp-1", owner_id=transfer.to_owner_id)
    await letters.send(news(Subject.NEW_KEY))
    await world.change(tables.ChargePoint, "cp-1", owner_id="bruno")


def sendings() -> dict[str, tuple[Send, TransferState]]:
    """What is sent, and the state that the transfer is in then."""
    waits, runs = TransferState.AWAITING_ACCEPTANCE, TransferState.TRANSFERRING
    return {
        "asked": (lambda letters, *_: letters.send(asked()), waits),
        "reminder": (lambda letters, *_: letters.send(asked(reminder=1)), waits),
        "code": (code, waits),
        "requested": (lambda letters, *_: letters.send(news(Subject.REQUESTED)), waits),
        "accepted": (lambda letters, *_: letters.send(news(Subject.ACCEPTED)), runs),
        "new_key": (new_key, TransferState.RECONFIGURING),
        **{
            state.value: (lambda letters, *_: letters.send(news(Subject.ENDED)), state)
            for state in TransferState
            if state in ENDS
        },
        "settled": (lambda letters, *_: letters.send(news(Subject.SETTLED)), TransferState.COMPLETED),
    }


async def send(
    world: World, letters: TransferLetters, notices: Notices, mailbox: Mailbox, kind: TransferKind, letter: str
) -> str:
    """Send a letter about a transfer of its own; gives whom it went to, in the table's words."""
    sending, state = sendings()[letter]
    values: dict[str, Any] = {"state": state.value, "active": state not in ENDS}
    if state in AFTER | {TransferState.TRANSFERRING, TransferState.RECONFIGURING}:
        values["accepted_by"] = ACCEPTED_BY[kind]
    adding = {
        TransferKind.TRANSFER_TO_USER: world.to_user,
        TransferKind.TRANSFER_OWNERSHIP: world.ownership,
        TransferKind.MOVE_TO_GROUP: world.move,
    }
    await adding[kind](**values)
    if kind is TransferKind.TRANSFER_OWNERSHIP:  # somebody there who has no other part in it
        async with world.database.writing() as rows:
            rows.add(tables.Membership(group_id="north", user_id="yann", role="admin"))
    await sending(letters, notices, world)
    found = {WORDS[kind][address.partition("@")[0]] for address in recipients(mailbox)}
    if "target" in found:
        found = found - {"target"} | {"target's owners" if state not in ENDS else "target's owners and admins"}
    mailbox.letters.clear()
    mailbox.envelopes.clear()
    async with unguarded(world.database) as rows:
        for table in (tables.Code, tables.ApprovalLink, tables.AuditEvent, tables.Transfer, tables.Request):
            await rows.execute(delete(table))
        others = delete(tables.Membership).where(tables.Membership.user_id == "yann")
        await rows.execute(others.where(tables.Membership.group_id == "north"))
    return ", ".join(sorted(found, key=ORDER.index))


async def test_the_table_says_whom_each_letter_goes_to(
    world: World, letters: TransferLetters, notices: Notices, mailbox: Mailbox, request: pytest.FixtureRequest
) -> None:
    kinds = (TransferKind.TRANSFER_TO_USER, TransferKind.TRANSFER_OWNERSHIP, TransferKind.MOVE_TO_GROUP)
    rows = [
        f"| {letter.replace('_', ' ')} | "
        + " | ".join([await send(world, letters, notices, mailbox, kind, letter) for kind in kinds])
        + " |\n"
        for letter in sendings()
    ]
    page = HEAD + "".join(rows) + TAIL
    if request.config.getoption("--write-tables"):
        TABLE.write_text(page)
    assert TABLE.read_text() == page
