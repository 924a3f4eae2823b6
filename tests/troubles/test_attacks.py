"""A former owner who knows the first password, at every moment of a transfer; this makes docs/attacks.md."""

import asyncio
import shutil
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, get_args

import pytest

from domain.keys import KnownTo
from domain.transfer import UntilNewKey
from tests.conftest import ROOT
from tests.journeys.system import System, running, two_users
from tests.troubles.attacker import Temper
from tests.troubles.attacks import PRESENT, Attack, Company, Life, Moment, Story
from tests.troubles.pairwise import every, pairwise
from tests.troubles.test_two_gateways import another_gateway
from tools.simulator.control import Control
from tools.simulator.simulation import Version
from tools.stage.ports import HOST, free_port

TABLE = ROOT / "docs" / "attacks.md"
SETTINGS = {
    "HANDOVER_START_TIMEOUT": "PT60S",
    "HANDOVER_POLICY__OFFLINE_DEADLINE": "PT55S",
    "HANDOVER_POLICY__RETRIES_USED_UP": "PT2M",
    "HANDOVER_ENROLMENT": "handover demo",
}
FACTORS: Final[dict[str, Sequence[Any]]] = {
    "ocpp": get_args(Version),
    "online": (True, False),
    "enrolled": (False, True),
    "moment": tuple(Moment),
    "temper": tuple(Temper),
    "company": tuple(Company),
    "other_node": (False, True),
    "until_new_key": tuple(UntilNewKey),
}
#: So many rows have one system, and so many of them are brought to the change of owner at once.
BATCH = 40
AT_ONCE = 8
HEAD = """# What a former owner can do who knows a charge point's first password

Made by `make test-attacks ARGS=--write-tables`, and compared with what every run finds. Each row is one transfer from
Ada to Bob, `connection: keep`, of a charge point that was imported with a password. Ada, or whoever has that password
from her, comes with a client of her own from the moment that the row names, again and again until its end, with every
key that she was ever sent, and tries to charge; from the change of owner on she names a model that is sent keys. The
columns: the version of OCPP; whether the charger was connected
during the transfer, or only before it; whether it had been enrolled, so that nobody else knew its key, or not;
from when on she comes; what she answers to what the platform tells her; whether the charger is away while she is there
(`alone`) or comes, too (`racing`); at which of two gateway nodes she is; what Bob chose as `until_new_key`. Then what
was found: what she was from the change of owner on, how the transfer stood before Bob typed a new key into the charger
(in brackets what it waited for, and its warnings about the key), and how it stood afterwards.

These rows were chosen so that each value of a column meets each value of every other one; `make test-attacks
ARGS=--every-attack` tries all {all} combinations. In every one of them holds:

- From the change of owner on no key goes over a connection that was opened with a key that people knew before it, and
  none to her.
- Nothing that she says turns the transfer back or ends it, and Bob stays the owner.
- The charger has a connection within a minute of trying, if only one that waits or is in quarantine.
- No charging session starts with a tag of the group that had the charge point before.
- Where two held the key, or one that is over was tried, Bob finds it in the charge point's trail and his letters, and
  operators find it among the findings.
- Bob types a new key, without an operator: then the charger is connected, the transfer is over, no key is due or known,
  and no key of hers opens anything (401).

Two kinds of rows go otherwise than one might wish, and can't go differently. Where Bob chose `serve` for a charger that
was never enrolled, whoever knows its old key is *served* like the charger until he types a new one. And where Ada's
client was enrolled while the charge point was hers, it *is* the charger: the transfer completes over it, the charger
itself is shut out, which is seen as an ended key that is tried, and the key that Bob types ends it.

| OCPP | charger | key | she comes at | answers | charger | at | until_new_key | is | before Bob's key | after |
|---|---|---|---|---|---|---|---|---|---|---|
"""


def rows(*, all_of_them: bool) -> list[Attack]:
    """Give the rows, and the ones that tell another story, in both versions of OCPP."""
    combinations = every(FACTORS) if all_of_them else pairwise(FACTORS)
    usual = {"online": True, "temper": Temper.ACCEPT, "company": Company.RACING, "other_node": True}
    for ocpp in get_args(Version):
        for choice in UntilNewKey:
            combinations.append(
                {
                    **usual,
                    "ocpp": ocpp,
                    "enrolled": False,
                    "moment": Moment.CHANGE,
                    "until_new_key": choice,
                    "story": Story.TYPED_IN_TIME,
                }
            )
        combinations.append(
            {
                **usual,
                "ocpp": ocpp,
                "enrolled": True,
                "moment": Moment.REQUEST,
                "until_new_key": UntilNewKey.SERVE,
                "story": Story.CLONE,
            }
        )
    return [Attack(number, **row) for number, row in enumerate(combinations, start=1)]


@pytest.mark.timeout(0)
async def test_a_former_owner_gets_no_key_and_no_say(
    tmp_path: Path, sqlite_template: Path, request: pytest.FixtureRequest
) -> None:
    all_of_them = request.config.getoption("--every-attack")
    attacks, cells = rows(all_of_them=all_of_them), dict[int, str]()
    for number, some in enumerate(_batches(attacks)):
        folder = tmp_path / str(number)
        folder.mkdir()
        cells |= await live_through(folder, sqlite_template, some)
    if request.config.getoption("--write-tables"):
        TABLE.write_text(HEAD.format(all=len(every(FACTORS))) + "".join(map(line, attacks, cells.values())))
    said = TABLE.read_text().splitlines(keepends=True)
    listed = {one.rsplit(" | ", 3)[0] for one in said}
    for attack in attacks:
        found = line(attack, cells[attack.number])
        if found.rsplit(" | ", 3)[0] in listed:
            assert found in said, found


def _batches(attacks: list[Attack]) -> Iterator[list[Attack]]:
    for first in range(0, len(attacks), BATCH):
        yield attacks[first : first + BATCH]


def line(attack: Attack, cell: str) -> str:
    """Give a line of the table."""
    story = f" ({attack.story})" if attack.story else ""
    return f"| {' | '.join(attack.cells)}{story} | {cell} |\n"


async def live_through(folder: Path, database: Path, attacks: list[Attack]) -> dict[int, str]:
    """Live some rows at once, in one system; gives their cells."""
    await asyncio.to_thread(shutil.copy, database, folder / "handover.db")
    async with running(
        folder / "system",
        f"sqlite+aiosqlite:///{folder / 'handover.db'}",
        [*accounts(attacks)],
        away=None,
        settings=SETTINGS,
        known_to=KnownTo.PEOPLE,
    ) as system:
        other, starts = await another_node(system), asyncio.Semaphore(AT_ONCE)
        lives = [Life(system, attack, other, starts) for attack in attacks]
        async with Control(life.station for life in lives).listening(system.stage.ports.stations):
            found = await asyncio.gather(*(life() for life in lives), return_exceptions=True)
    pairs = list(zip(attacks, found, strict=True))
    broken = [
        f"{attack}: {''.join(traceback.format_exception(one))}"
        for attack, one in pairs
        if isinstance(one, BaseException)
    ]
    assert not broken, "\n".join(broken)
    return {attack.number: str(one) for attack, one in pairs}


def accounts(attacks: list[Attack]) -> Iterator[dict[str, Any]]:
    """Give the import: only the charge points of these rows; Bob is a stranger to their group, and has a tag."""
    by_id = {attack.charge_point: attack for attack in attacks}
    for one in two_users(max(attack.number for attack in attacks)):
        if one["type"] == "membership" and (one["group_id"], one["user_id"]) == ("north", "bob"):
            continue
        if one["type"] != "charge_point":
            yield one
        elif one["id"] in by_id:
            yield {**one, "ocpp": by_id[one["id"]].ocpp}
    yield {"type": "tag", "group_id": "personal-bob", "id_tag": PRESENT}


async def another_node(system: System) -> str:
    """Start a second gateway; gives where chargers connect there."""
    port = free_port()
    await system.supervisor.start(another_gateway(system, port))
    return f"ws://{HOST}:{port}/ocpp"
