"""A mail server for each test."""

from collections.abc import Iterator

import pytest

from tests.notices.mailbox import Mailbox, open_mailbox


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with open_mailbox() as opened:
        yield opened
