"""How long a transfer waits for what: one value that stands with each request."""

from datetime import timedelta
from typing import Final

from pydantic import BaseModel, ConfigDict


class Policy(BaseModel):
    """The durations of one transfer; the defaults are docs/rules.md's.

    Set once, when the transfer is asked for: changing a setting does not change transfers under way.
    """

    model_config = ConfigDict(frozen=True)

    session_deadline: timedelta = timedelta(hours=24)
    """How long a running charging session is waited for; then it is rolled back."""
    offline_deadline: timedelta = timedelta(days=7)
    """How long an offline charger is waited for; then by `if_offline`."""
    proof_deadline: timedelta = timedelta(hours=1)
    """How long a charger that is online may take to come back with its new credentials before an operator is asked."""
    reconnect_after: timedelta = timedelta(seconds=15)
    """How long a charger that has taken its new credentials may keep its connection before that is closed."""
    restart_patience: timedelta = timedelta(minutes=5)
    """How long a charger that has accepted to restart for its new credentials is left alone: no connection of its is
    closed, and neither the credentials nor the restart is sent again. 30 seconds at least: some take that long."""
    enrolment_patience: timedelta = timedelta(minutes=2)
    """How long before the change of ownership a charger is waited for that was just sent a key in place of one that
    people know."""
    retries_used_up: timedelta = timedelta(hours=1)
    """How long a step is retried before an operator is asked."""
    operator_retries_every: timedelta = timedelta(hours=6)
    """How often a step that waits for an operator is tried again by itself."""
    look_again: timedelta = timedelta(minutes=1)
    """How soon a charger is looked for again where its signal may have been lost."""


#: Where the settings say nothing else.
DEFAULT_POLICY: Final = Policy()
