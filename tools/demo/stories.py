"""The stories of the demo: what people do, and what is to be found afterwards."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from tools.demo.findings import Registered, Remembered
from tools.demo.person import Person, Say, WentWrong

#: The addresses of data.jsonl that senders type.
FARID_BY_PHONE: Final = "06 12 34 56 06"
EMMA: Final = "emma@example.com"
HUGO: Final = "hugo@example.com"
CHLOE: Final = "chloe@example.com"

_UNTOUCHED: Final = Remembered(new_password=False)


@dataclass(frozen=True)
class Cast:
    """Who plays, by their id in data.jsonl."""

    people: Mapping[str, Person]
    say: Say

    async def give(self, charge_point: str, body: dict[str, str]) -> str:
        """Let Amélie ask for a transfer; gives its id."""
        return await self.people["amelie"].start(charge_point, body)

    async def see_it_end(self, transfer: str) -> None:
        """Let Amélie watch a transfer to its end."""
        await self.people["amelie"].follow(transfer, self.say)

    async def offer(self, charge_point: str, to: str, *, connection: str = "keep") -> str:
        """Let Amélie offer a charge point to a user, who is asked."""
        body = {"kind": "transfer_to_user", "recipient": to, "connection": connection, "message": "It is yours now."}
        return await self.give(charge_point, body)


@dataclass(frozen=True)
class Story:
    """One story, and its end as the database and the charger should have it."""

    title: str
    charge_point: str
    tell: Callable[[Cast], Awaitable[None]]
    registered: Registered
    remembered: Remembered


async def _move(cast: Cast) -> None:
    await cast.see_it_end(await cast.give("lilas-1", {"kind": "move_to_group", "group_id": "harbour"}))


async def _hand_over(cast: Cast) -> None:
    await cast.see_it_end(await cast.give("lilas-2", {"kind": "transfer_ownership", "user_id": "ben"}))


async def _answered(cast: Cast, transfer: str, who: str, decision: str) -> None:
    """Let the recipient answer while Amélie watches."""
    watching = asyncio.create_task(cast.see_it_end(transfer))
    try:
        await cast.people[who].answer(decision, cast.say)
        await watching
    finally:
        watching.cancel()


async def _by_phone(cast: Cast) -> None:
    await _answered(cast, await cast.offer("lilas-3", FARID_BY_PHONE), "farid", "accept")


async def _deleted(cast: Cast) -> None:
    await _answered(cast, await cast.offer("lilas-4", EMMA, connection="delete"), "emma", "accept")


async def _declined(cast: Cast) -> None:
    await _answered(cast, await cast.offer("lilas-5", HUGO), "hugo", "decline")


async def _without_right(cast: Cast) -> None:
    answer = await cast.people["david"].ask("lilas-6", {"kind": "transfer_ownership", "user_id": "ben"})
    problem = answer.json()
    cast.say(f"David is answered {answer.status_code} {problem.get('code')}: {problem.get('detail')}")
    if (answer.status_code, problem.get("code")) != (403, "not_allowed"):
        raise WentWrong("David, who has no right to, was not refused.")


async def _rejected(cast: Cast) -> None:
    await cast.see_it_end(await cast.give("lilas-7", {"kind": "transfer_ownership", "user_id": "ben"}))


async def _lost_reply(cast: Cast) -> None:
    await _answered(cast, await cast.offer("lilas-8", CHLOE), "chloe", "accept")


STORIES: Final = (
    Story(
        "1 move to another group",
        "lilas-1",
        _move,
        Registered("completed", "amelie", "harbour", 1),
        Remembered(new_password=False, accepts=frozenset({"HARBOUR1"})),
    ),
    Story(
        "2 ownership to another admin",
        "lilas-2",
        _hand_over,
        Registered("completed", "ben", "lilas", 1),
        Remembered(new_password=True),
    ),
    Story(
        "3 to a user by phone, accepted by link and code",
        "lilas-3",
        _by_phone,
        Registered("completed", "farid", "personal-farid", 1),
        Remembered(new_password=True, accepts=frozenset({"FARID1"})),
    ),
    Story(
        "4 to a user by e-mail, connection deleted",
        "lilas-4",
        _deleted,
        Registered("completed", "emma", "personal-emma", 1, keys=0),
        Remembered(new_password=False, accepts=frozenset({"EMMA1"})),
    ),
    Story(
        "5 declined by the recipient",
        "lilas-5",
        _declined,
        Registered("declined", "amelie", "lilas", 0),
        _UNTOUCHED,
    ),
    Story(
        "6 asked for without the right",
        "lilas-6",
        _without_right,
        Registered("refused", "amelie", "lilas", 0),
        _UNTOUCHED,
    ),
    Story(
        "7 the charger rejects its new password",
        "lilas-7",
        _rejected,
        Registered("rolled_back", "amelie", "lilas", 2),
        _UNTOUCHED,
    ),
    Story(
        "8 the charger's reply is lost",
        "lilas-8",
        _lost_reply,
        Registered("completed", "chloe", "personal-chloe", 1),
        Remembered(new_password=True, accepts=frozenset({"CHLOE1"})),
    ),
)
