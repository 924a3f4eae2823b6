"""Time-outs and retries, by kind of step: the only place that has any."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from temporalio.common import Priority, RetryPolicy

from domain.policy import Policy

#: What somebody waits for goes first where tasks queue up, what follows up on something last; what is in between says
#: nothing, and has Temporal's own default, 3.
AWAITED: Final = Priority(priority_key=1)
LATER: Final = Priority(priority_key=5)
#: How long a worker that died in the middle of a workflow task holds the workflow up.
TASK_TIMEOUT: Final = timedelta(seconds=5)
#: A short transaction runs as a local activity first: a few tries within about two seconds.
LOCAL_TRY: Final = timedelta(seconds=2)
LOCAL_IN_ALL: Final = timedelta(seconds=2.5)
LOCAL_RETRIES: Final = RetryPolicy(
    initial_interval=timedelta(milliseconds=100), backoff_coefficient=2, maximum_attempts=4
)
#: An ordinary step that takes longer than this is shown as `retrying`.
SHOWN_AS_RETRYING_AFTER: Final = timedelta(seconds=10)
#: How steps stand is written after so long, where nothing else is to be written, which takes it along: for readers.
NOTED_AFTER: Final = timedelta(seconds=2)
#: How often a command is sent to a node that the database names and that does not take it, before the charger
#: counts as offline until something new is heard of it.
LOOK_UPS: Final = 3
#: Pauses between two looks for a fact grow up to this: a wait of days must not fill the history.
LONGEST_PAUSE: Final = timedelta(minutes=15)
#: How many wake-ups by a charger one transfer heeds, for the same reason: one that keeps coming and going is looked for
#: at the pauses alone.
WAKE_UPS: Final = 200
#: How often a charger that accepted a new key may come back with the old one before an operator is asked.
OLD_KEY_RETURNS: Final = 3

#: How long after it was asked for a charger is told something outside any transfer, and not later: who asked stands
#: before it, or has asked again. Between two look-ups of its node there is a pause.
ORDER_HOLDS_FOR: Final = timedelta(minutes=1)
ORDER_PAUSE: Final = timedelta(seconds=1)


@dataclass(frozen=True)
class Options:
    """Of one ordinary activity."""

    start_to_close: timedelta
    schedule_to_close: timedelta | None
    schedule_to_start: timedelta | None
    heartbeat: timedelta | None
    retries: RetryPolicy


def transaction(policy: Policy) -> Options:
    """Give those of a database step that its local tries could not finish."""
    return Options(
        start_to_close=timedelta(seconds=10),
        schedule_to_close=policy.retries_used_up,
        schedule_to_start=None,
        heartbeat=None,
        retries=RetryPolicy(initial_interval=timedelta(milliseconds=500), maximum_interval=timedelta(seconds=30)),
    )


def device(policy: Policy) -> Options:
    """Give those of a command to a charger: a node that is gone is noticed within seconds."""
    return Options(
        start_to_close=timedelta(minutes=5),
        schedule_to_close=policy.retries_used_up,
        schedule_to_start=timedelta(seconds=5),
        heartbeat=timedelta(seconds=10),
        retries=RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(minutes=1)),
    )


def device_once(policy: Policy) -> Options:
    """Give those of a command that is tried once, and left where it fails."""
    at_most = timedelta(seconds=45)
    return replace(
        device(policy), start_to_close=at_most, schedule_to_close=at_most, retries=RetryPolicy(maximum_attempts=1)
    )


def letter(policy: Policy) -> Options:
    """Give those of a message to people."""
    return Options(
        start_to_close=timedelta(seconds=60),
        schedule_to_close=policy.retries_used_up,
        schedule_to_start=None,
        heartbeat=None,
        retries=RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(minutes=1)),
    )


def delivery() -> Options:
    """Give those of the sending of letters, for a quarter of an hour at most: a worker that is gone is noticed soon."""
    return Options(
        start_to_close=timedelta(minutes=15),
        schedule_to_close=None,
        schedule_to_start=None,
        heartbeat=timedelta(seconds=10),
        retries=RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(seconds=10)),
    )


def housekeeping() -> Options:
    """Give those of a look at everything: the next one comes by the schedule, so it gives up soon."""
    return Options(
        start_to_close=timedelta(seconds=30),
        schedule_to_close=timedelta(minutes=5),
        schedule_to_start=None,
        heartbeat=None,
        retries=RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(seconds=30)),
    )


def code(policy: Policy) -> Options:
    """Give those of a one-time code: the recipient waits for it at the page."""
    options = letter(policy)
    return Options(
        start_to_close=timedelta(seconds=15),
        schedule_to_close=timedelta(minutes=2),
        schedule_to_start=None,
        heartbeat=None,
        retries=options.retries,
    )
