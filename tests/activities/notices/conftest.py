"""A mail server, a world and the letters about it."""

from collections.abc import Iterator

import pytest

from activities.notices import Notices
from activities.transfer_letters import TransferLetters
from persistence.session import Database
from persistence.vault import Vault
from tests.activities.notices.letters import ORIGIN
from tests.activities.notices.world import World
from tests.notices.mailbox import Mailbox, open_mailbox


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with open_mailbox() as opened:
        yield opened


@pytest.fixture
async def world(database: Database, vault: Vault) -> World:
    made = World(database, vault)
    await made.fill()
    return made


@pytest.fixture
def notices(world: World, mailbox: Mailbox) -> Notices:
    return Notices(world.database, world.vault, mailbox.sender(), ORIGIN)


@pytest.fixture
def letters(world: World, mailbox: Mailbox) -> TransferLetters:
    return TransferLetters(world.database, world.vault, mailbox.sender(), ORIGIN)
