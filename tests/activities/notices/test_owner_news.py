"""What the owner of a charge point is told of it apart from its transfers, and who else is."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from activities.contracts.notices import TellOwner
from activities.notices import Notices
from domain.errors import Unavailable
from domain.ids import ChargePointId
from domain.news import OwnerNews
from domain.trail import of_charge_point, tells_place
from persistence import tables
from tests.activities.notices.letters import ORIGIN, no_mail_server, recipients
from tests.activities.notices.world import World
from tests.notices.mailbox import Mailbox, text_of

POINT = ChargePointId("cp-1")
DAY = date(2026, 11, 29)
NOON = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)


def no_mail(world: World) -> Notices:
    return Notices(world.database, world.vault, no_mail_server(), ORIGIN)


def news(of: OwnerNews, **changes: Any) -> TellOwner:
    return TellOwner(**{"charge_point_id": POINT, "news": of, "day": DAY, **changes})


async def happens(world: World, action: str, at: datetime = NOON, actor: str = "system", **detail: Any) -> None:
    """Write an entry of the charge point's trail, as the gateway and the API do."""
    number = len(await world.all(tables.AuditEvent)) + 100
    entry = tables.AuditEvent(
        subject=of_charge_point(POINT),
        sequence=number,
        at=at,
        actor=actor,
        action=action,
        detail=detail,
        tells_place=tells_place(detail),
        once=None,
    )
    async with world.database.writing() as rows:
        rows.add(entry)


#: The entry of the charge point's trail that each piece of news is about.
ENTRIES = {
    OwnerNews.RESET: "connected_afresh",
    OwnerNews.TWO_HOLDERS: "two_holders",
    OwnerNews.ENDED_KEY_TRIED: "ended_key_tried",
}


async def told(world: World) -> list[tables.AuditEvent]:
    return [entry for entry in await world.all(tables.AuditEvent) if entry.action == "told"]


def said(mailbox: Mailbox, to: str) -> str:
    (letter,) = mailbox.to(to)
    return f"{letter['Subject']}\n{' '.join(text_of(letter).split())}"


async def test_two_holders_are_told_to_the_owner_with_how_often_and_the_remedy(
    world: World, notices: Notices, mailbox: Mailbox
) -> None:
    await happens(world, "two_holders", NOON - timedelta(days=1), times=40)
    await happens(world, "two_holders", NOON - timedelta(hours=1))
    await happens(world, "two_holders", NOON, times=2)
    await happens(world, "two_holders", NOON + timedelta(hours=12), times=40)
    await notices.tell_owner(news(OwnerNews.TWO_HOLDERS))

    assert recipients(mailbox) == ["bruno@example.org"]
    text = said(mailbox, "bruno@example.org")
    assert "Somebody else is connected as your charge point “Parking Nord 3”" in text
    assert "Last seen: Sunday 29 November 2026, 12:00 UTC Times on that day: 3" in text
    assert "have it restarted, under “Is this my charger?”" in text
    assert "https://handover.example/charge-points/cp-1/settings" in text.split()


async def test_an_ended_key_that_was_tried_is_told_with_where_it_came_from(
    world: World, notices: Notices, mailbox: Mailbox
) -> None:
    for address in ("192.0.2.7", "192.0.2.7", "2001:db8::7"):
        await happens(world, "ended_key_tried", address=address)
    await notices.tell_owner(news(OwnerNews.ENDED_KEY_TRIED))

    text = said(mailbox, "bruno@example.org")
    assert "An old key of your charge point “Parking Nord 3” was tried" in text
    assert "Times on that day: 3" in text
    assert "From: 192.0.2.7, 2001:db8::7 " in text
    assert "a factory reset brings an old key back" in text


@pytest.mark.parametrize("of", ENTRIES)
async def test_a_day_has_one_letter_and_the_next_one_its_own(
    world: World, notices: Notices, mailbox: Mailbox, of: OwnerNews
) -> None:
    for days in (0, 0, 1):
        await happens(world, ENTRIES[of], NOON + timedelta(days=days))
        await notices.tell_owner(news(of, day=DAY + timedelta(days=days)))

    assert recipients(mailbox) == ["bruno@example.org"] * 2
    assert len({letter["Message-ID"] for letter in mailbox.letters}) == 2
    assert [(entry.subject, entry.detail) for entry in await told(world)] == [
        ("charge_point:cp-1", {"subject": of.value, "day": day}) for day in ("2026-11-29", "2026-11-30")
    ]


@pytest.mark.parametrize("of", ENTRIES)
async def test_nobody_is_told_of_what_is_not_on_record(
    world: World, notices: Notices, mailbox: Mailbox, of: OwnerNews
) -> None:
    """Whoever reaches Temporal's port may start such a letter, for any occasion."""
    await happens(world, ENTRIES[of], NOON - timedelta(days=1))
    await notices.tell_owner(news(of, occasion="made up"))
    assert mailbox.letters == []
    await happens(world, ENTRIES[of])
    for occasion in ("real", "made up", "made up, too"):
        await notices.tell_owner(news(of, occasion=occasion))
    assert recipients(mailbox) == ["bruno@example.org"]


async def test_what_happened_a_moment_before_midnight_is_told_as_the_next_days(
    world: World, notices: Notices, mailbox: Mailbox
) -> None:
    await happens(world, "two_holders", NOON + timedelta(hours=11, minutes=59, seconds=59))
    await notices.tell_owner(news(OwnerNews.TWO_HOLDERS, day=DAY + timedelta(days=1)))
    assert recipients(mailbox) == ["bruno@example.org"]


async def test_each_reset_is_told_and_a_repeat_of_one_is_none(world: World, notices: Notices, mailbox: Mailbox) -> None:
    for _ in range(2):
        await happens(world, "connected_afresh")
    for occasion, day in (("a", DAY), ("b", DAY), ("a", DAY), ("a", DAY + timedelta(days=1))):
        await notices.tell_owner(news(OwnerNews.RESET, occasion=occasion, day=day))
    assert recipients(mailbox) == ["bruno@example.org"] * 2
    assert len({letter["Message-ID"] for letter in mailbox.letters}) == 2


@pytest.mark.parametrize(
    ("actor", "words"),
    [
        ("operator:grace", "Our staff have made new credentials"),
        ("user:bruno", "You have made new credentials"),
        ("user:amelie", "New credentials were made for your charge point. "),
    ],
)
async def test_a_reset_is_told_to_the_owner_with_who_made_it(
    world: World, notices: Notices, mailbox: Mailbox, actor: str, words: str
) -> None:
    await happens(world, "connected_afresh", actor=actor)
    await notices.tell_owner(news(OwnerNews.RESET, occasion="a"))

    assert recipients(mailbox) == ["bruno@example.org"], "nobody is asked about it"
    text = said(mailbox, "bruno@example.org")
    assert words in text
    assert "When: Sunday 29 November 2026, 12:00 UTC" in text
    assert "give your charger a key that nobody else has seen, which ends these" in text


async def test_between_question_and_answer_a_reset_is_told_to_the_recipient_too(
    world: World, notices: Notices, mailbox: Mailbox
) -> None:
    await world.to_user()
    await happens(world, "connected_afresh")
    await notices.tell_owner(news(OwnerNews.RESET, occasion="a"))

    assert recipients(mailbox) == ["bruno@example.org", "zoe@example.org"]
    text = said(mailbox, "zoe@example.org")
    assert "De nouveaux identifiants ont été créés pour la borne" in text
    assert "Amélie Durand" in text
    assert "une autre dans la borne" in text
    assert "Zoé" not in said(mailbox, "bruno@example.org")
    assert len(await told(world)) == 1


async def test_an_address_without_an_account_is_told_of_a_reset_in_the_senders_language(
    world: World, notices: Notices, mailbox: Mailbox
) -> None:
    await world.to_user("nobody@example.net", to=None, connection="delete")
    await happens(world, "connected_afresh")
    await notices.tell_owner(news(OwnerNews.RESET, occasion="a"))
    assert "une autre dans la borne" not in said(mailbox, "nobody@example.net"), "the key ends with the change"


@pytest.mark.parametrize("state", ["transferring", "reconfiguring", "completed", "declined"])
async def test_nobody_is_told_of_a_reset_as_one_who_is_asked_once_it_is_decided(
    world: World, notices: Notices, mailbox: Mailbox, state: str
) -> None:
    await world.to_user(state=state, active=state in {"transferring", "reconfiguring"})
    await happens(world, "connected_afresh")
    await notices.tell_owner(news(OwnerNews.RESET, occasion="a"))
    assert recipients(mailbox) == ["bruno@example.org"]


@pytest.mark.parametrize("of", [OwnerNews.TWO_HOLDERS, OwnerNews.ENDED_KEY_TRIED])
async def test_what_is_the_owners_alone_is_not_told_to_who_is_asked(
    world: World, notices: Notices, mailbox: Mailbox, of: OwnerNews
) -> None:
    await world.to_user()
    await happens(world, ENTRIES[of])
    await notices.tell_owner(news(of))
    assert recipients(mailbox) == ["bruno@example.org"]


async def test_a_letter_to_the_recipient_that_is_put_off_is_tried_again_and_not_in_the_trail(
    world: World, notices: Notices, mailbox: Mailbox
) -> None:
    await world.to_user()
    await happens(world, "connected_afresh")
    mailbox.answers["zoe@example.org"] = "450 4.2.1 later"
    with pytest.raises(Unavailable):
        await notices.tell_owner(news(OwnerNews.RESET, occasion="a"))
    assert len(await told(world)) == 1
    mailbox.answers.clear()
    await notices.tell_owner(news(OwnerNews.RESET, occasion="a"))
    assert recipients(mailbox) == ["bruno@example.org", "zoe@example.org"]
    assert len(await told(world)) == 1


async def test_it_goes_to_who_owns_it_at_that_moment(world: World, notices: Notices, mailbox: Mailbox) -> None:
    await world.change(tables.ChargePoint, "cp-1", owner_id="adam")
    await happens(world, "two_holders")
    await notices.tell_owner(news(OwnerNews.TWO_HOLDERS))
    assert recipients(mailbox) == ["adam@example.org"]


async def test_with_the_mail_server_away_it_is_to_be_tried_again(world: World) -> None:
    await happens(world, "two_holders")
    with pytest.raises(Unavailable):
        await no_mail(world).tell_owner(news(OwnerNews.TWO_HOLDERS))
    assert await told(world) == []


async def test_a_charge_point_that_is_not_there_is_no_news(world: World, notices: Notices, mailbox: Mailbox) -> None:
    await notices.tell_owner(news(OwnerNews.TWO_HOLDERS, charge_point_id=ChargePointId("cp-9")))
    assert mailbox.letters == []


async def add_sessions(world: World, *owners: str, first: int = 0, told: bool = False) -> None:
    """Write late sessions, an hour apart, of 1 kWh and then 1 more each."""
    async with world.database.writing() as rows:
        for number, owner in enumerate(owners, first):
            at = NOON + timedelta(hours=number)
            rows.add(
                tables.ChargingSession(
                    charge_point_id=POINT,
                    connector=1,
                    id_tag="TAG",
                    owner_id=owner,
                    group_id="north",
                    started_at=at,
                    reported_at=at - timedelta(days=9),
                    arrived_at=at + timedelta(days=9),
                    earliest_at=at,
                    late=True,
                    to_be_told=not told,
                    meter_start=0,
                    meter_stop=1000 * (number + 1),
                    stopped_at=at,
                )
            )


LATE = OwnerNews.LATE_SESSIONS


async def test_former_owners_are_told_of_each_late_session_with_both_times(
    world: World, notices: Notices, mailbox: Mailbox
) -> None:
    await add_sessions(world, "adam", "zoe", "adam")
    await add_sessions(world, "adam", first=7, told=True)
    for _ in range(2):
        await notices.tell_owner(news(LATE))
    assert recipients(mailbox) == ["adam@example.org", "zoe@example.org"]
    letter = said(mailbox, "adam@example.org")
    assert "Sunday 29 November 2026, 12:00 UTC, 1.000 kWh" in letter
    assert "began on Friday 20 November 2026, 12:00 UTC, and told us on Tuesday 8 December 2026, 12:00 UTC" in letter
    assert "14:00 UTC, 3.000 kWh" in letter
    assert "2.000 kWh" not in letter, "it is somebody else's"
    assert "8.000 kWh" not in letter, "they were told of it before"
    assert "https://handover.example/charge-points/cp-1 " in letter
    assert "/charge-points/" not in said(mailbox, "zoe@example.org"), "she is not in its group"
    assert [entry.detail for entry in await told(world)] == [{"subject": "late_sessions", "day": "2026-11-29"}]


async def test_a_day_has_one_letter_and_what_comes_later_is_told_the_next_day(
    world: World, notices: Notices, mailbox: Mailbox
) -> None:
    await add_sessions(world, *["adam"] * 22)
    await notices.tell_owner(news(LATE))
    assert "And 2 more" in said(mailbox, "adam@example.org")
    await add_sessions(world, "adam", first=30)
    await notices.tell_owner(news(LATE))
    assert len(mailbox.to("adam@example.org")) == 1
    await notices.tell_owner(news(LATE, day=DAY + timedelta(days=1)))
    _, second = mailbox.to("adam@example.org")
    assert "31.000 kWh" in text_of(second)
    assert text_of(second).count("kWh") == 1


async def test_where_the_mail_server_is_away_the_former_owner_is_told_later(
    world: World, notices: Notices, mailbox: Mailbox
) -> None:
    await add_sessions(world, "adam")
    with pytest.raises(Unavailable):
        await no_mail(world).tell_owner(news(LATE))
    assert await told(world) == []
    await notices.tell_owner(news(LATE))
    assert recipients(mailbox) == ["adam@example.org"]


async def test_one_whose_letter_is_put_off_has_nobody_else_told_twice(
    world: World, notices: Notices, mailbox: Mailbox
) -> None:
    await add_sessions(world, "adam", "zoe")
    mailbox.answers["zoe@example.org"] = "452 try again later"
    for days in range(3):
        with pytest.raises(Unavailable):
            await notices.tell_owner(news(LATE, day=DAY + timedelta(days=days)))
    assert recipients(mailbox) == ["adam@example.org"]
    mailbox.answers.clear()
    await notices.tell_owner(news(LATE, day=DAY + timedelta(days=3)))
    assert recipients(mailbox) == ["adam@example.org", "zoe@example.org"]


async def test_a_former_owner_without_a_usable_account_is_told_nothing(
    world: World, notices: Notices, mailbox: Mailbox
) -> None:
    await add_sessions(world, "gone", "mute")
    await notices.tell_owner(news(LATE))
    assert recipients(mailbox) == []
    assert not any(row.to_be_told for row in await world.all(tables.ChargingSession))
