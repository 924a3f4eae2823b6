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
    """How long a running charging session is waited for."""
    offline_deadline: timedelta = timedelta(days=7)
    """How long an offline charger is waited for."""
    proof_deadline: timedelta = timedelta(hours=1)
    """How long a charger that is online may take to come back with its new credentials."""
    reconnect_after: timedelta = timedelta(seconds=15)
    """How long after `Accepted` a charger that keeps its socket open is left in peace before it is closed."""
    enrolment_patience: timedelta = timedelta(minutes=2)
    """How long before the change of ownership a charger may take to come back with a key that replaces a known one."""
    retries_used_up: timedelta = timedelta(hours=1)
    """How long a step is retried before an operator is asked."""
    operator_retries_every: timedelta = timedelta(hours=6)
    """How often a step that waits for an operator tries again by itself."""
    look_again: timedelta = timedelta(minutes=1)
    """How often a fact is looked up where its signal may have been lost."""


#: Where the settings say nothing else.
DEFAULT_POLICY: Final = Policy()
