"""What befalls parts and links: two decks of mishaps, one card from each in turn, carried out and undone."""

import asyncio
import signal
from collections import Counter
from collections.abc import Iterator, Sequence
from random import Random
from typing import Final, TypeVar

from tools.chaos.journal import Journal
from tools.chaos.links import Link
from tools.chaos.site import Site

#: Seconds between two mishaps, and how long one of a link lasts.
_BETWEEN: Final = (2.0, 6.0)
_LASTS: Final = (2.0, 6.0)
_Card = TypeVar("_Card")
_POSTGRES: Final = "postgres"
_PARTS: Final = (
    *("worker-1", "worker-2", "gateway-1", "gateway-2") * 2,
    *("api-1", "api-2", "temporal", "temporal", "stations", _POSTGRES, _POSTGRES),
)
_TROUBLES: Final = ("reset", "slow", "hold")
#: The chargers' link breaks more often than any other: whoever waits for a charger's place gets it then.
_CHARGERS: Final = "charger-gateway"
_BREAKS_MORE: Final = 5


class Mishaps:
    """The mishaps of one run, and how many there were of each kind."""

    def __init__(self, site: Site, chance: Random, journal: Journal) -> None:
        """Draw by `chance`."""
        self._site, self._chance, self._journal = site, chance, journal
        self.counts: Counter[str] = Counter()

    async def run(self) -> None:
        """Let one mishap follow another until cancelled; all links are well again then."""
        cards = [(link, trouble) for link in self._site.links.values() for trouble in _TROUBLES]
        links = self._deck(cards + [(self._site.links[_CHARGERS], "reset")] * _BREAKS_MORE)
        try:
            for part, (link, trouble) in zip(self._deck(_PARTS), links, strict=False):
                await self._pause(_BETWEEN)
                await self.kill(part)
                await self._pause(_BETWEEN)
                await self._trouble(link, trouble)
        finally:
            for link in self._site.links.values():
                link.heal()

    def _deck(self, cards: Sequence[_Card]) -> Iterator[_Card]:
        """Give every card once before any comes again, in an order of chance."""
        while True:
            yield from self._chance.sample(cards, len(cards))

    async def kill(self, part: str) -> None:
        """Let a part die as in a crash; whoever keeps it up starts it again."""
        if part == _POSTGRES:
            await self._site.server.crash()
            self._count("PostgreSQL crashed")
        elif self._site.supervisor.signal(part, signal.SIGKILL):
            self._count(f"{part} killed")

    async def _trouble(self, link: Link, trouble: str) -> None:
        self._count(f"link {link.name} {trouble}")
        if trouble == "slow":
            link.latency = self._chance.uniform(0.02, 0.3)
        elif trouble == "hold":
            link.hold()
        if trouble != "reset":
            await self._pause(_LASTS)
            link.heal()
        if trouble != "slow":
            link.reset()

    async def _pause(self, between: tuple[float, float]) -> None:
        await asyncio.sleep(self._chance.uniform(*between))  # pacing: mishaps come now and then

    def _count(self, mishap: str) -> None:
        self.counts[mishap] += 1
        self._journal.note(mishap=mishap)
