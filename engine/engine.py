"""All that is asked of Temporal, for whoever needs more than one part of it."""

from datetime import timedelta
from typing import Final

from temporalio.client import Client

from engine.account_news import AccountNews, TemporalAccountNews
from engine.chargers import Chargers, TemporalChargers
from engine.links import Links, TemporalLinks
from engine.outbox import TemporalOutbox
from engine.sign_ins import SignInCodes, TemporalSignInCodes
from engine.transfers import TemporalTransfers, Transfers
from persistence.links.signups import Signups

ANSWER_WITHIN: Final = timedelta(seconds=5)


class Engine(Transfers, Links, Chargers, SignInCodes, AccountNews):
    """What runs transfers, whatever it is."""


class TemporalEngine(
    TemporalTransfers,
    TemporalLinks,
    TemporalChargers,
    TemporalSignInCodes,
    TemporalAccountNews,
    TemporalOutbox,
    Engine,
):
    """One Temporal namespace."""

    def __init__(
        self, client: Client, answer_within: timedelta = ANSWER_WITHIN, signups: Signups | None = None
    ) -> None:
        """Take a client with the pydantic data converter; `signups` is needed where accounts are opened."""
        TemporalTransfers.__init__(self, client, answer_within)
        TemporalLinks.__init__(self, client, answer_within, signups)
        TemporalChargers.__init__(self, client, answer_within)
        TemporalSignInCodes.__init__(self, client, answer_within)
        TemporalAccountNews.__init__(self, client, answer_within)
        TemporalOutbox.__init__(self, client, answer_within)
