"""Performs the stories one after the other, then compares what was promised with what is found."""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import httpx
from rich.console import Console
from rich.table import Table

from persistence.session import Database
from tools.demo.findings import Registered, Remembered, in_charger, in_database
from tools.demo.person import Mails, Person, WentWrong, mails_at
from tools.demo.play import Play
from tools.demo.stories import STORIES, Cast, Story


@dataclass(frozen=True)
class Outcome:
    """What came of one story."""

    story: Story
    registered: Registered
    remembered: Remembered
    wrong: list[str]
    seconds: float
    """How long it took."""

    @property
    def as_promised(self) -> bool:
        """Whether nothing is wrong, in the database or in the charger."""
        found = (self.registered, self.remembered)
        return not self.wrong and found == (self.story.registered, self.story.remembered)


@dataclass(frozen=True)
class House:
    """Where the stories are performed, and where their ends are looked at."""

    api: str
    mails: Mails
    keys: Mapping[str, str]
    """An API key for each user."""
    people: Mapping[str, tuple[str, str]]
    """Each user's name and e-mail address."""
    db: Database
    memory: Callable[[str], Awaitable[Remembered]]
    """What the charger of a charge point has written down, by its id."""


async def perform(play: Play, console: Console) -> bool:
    """Perform every story in the demo's own house, show the table, and say whether all is as promised."""
    points = {point["id"]: point for point in play.seeded.charge_points}

    async def memory(charge_point: str) -> Remembered:
        point = points[charge_point]
        return in_charger(play.stage.state_file(point["identity"]), point["password"])

    house = House(play.stage.api, mails_at(play.stage.mailbox), play.seeded.keys, play.seeded.people, play.db, memory)
    return await perform_in(house, console)


async def perform_in(house: House, console: Console) -> bool:
    """Perform every story, show the table, and say whether all is as promised."""
    people = {
        user: Person(name, house.keys[user], email, api=house.api, mails=house.mails)
        for user, (name, email) in house.people.items()
    }
    cast = Cast(people, lambda line: console.print(f"    {line}", markup=False))
    outcomes = []
    try:
        for story in STORIES:
            console.print(f"\n[bold]{story.title}[/bold]  ({story.charge_point})")
            outcomes.append(await _perform_one(house, cast, story))
    finally:
        for person in people.values():
            await person.close()
    console.print(_table(outcomes))
    return all(outcome.as_promised for outcome in outcomes)


async def _perform_one(house: House, cast: Cast, story: Story) -> Outcome:
    wrong, begun = [], time.monotonic()
    try:
        await story.tell(cast)
    except (WentWrong, httpx.HTTPError) as error:
        wrong.append(f"{error or type(error).__name__}")
        cast.say(wrong[0])
    took = time.monotonic() - begun
    registered, contradictions = await in_database(house.db, story.charge_point)
    return Outcome(story, registered, await house.memory(story.charge_point), wrong + contradictions, took)


def _table(outcomes: list[Outcome]) -> Table:
    table = Table(
        "story", "expected", "found in the database", "found in the charger", "seconds", "ok", show_lines=True
    )
    for outcome in outcomes:
        expected = f"{outcome.story.registered}\n{outcome.story.remembered}"
        database = "\n".join([str(outcome.registered), *outcome.wrong])
        verdict = "[green]yes[/green]" if outcome.as_promised else "[red]NO[/red]"
        table.add_row(
            outcome.story.title, expected, database, str(outcome.remembered), f"{outcome.seconds:.1f}", verdict
        )
    return table
