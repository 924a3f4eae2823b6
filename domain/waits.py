"""What a transfer waits for, in words: for whoever looks at it at the command line or in the Temporal UI."""

from dataclasses import dataclass
from typing import assert_never

from domain.transfer import Attention, TransferState


@dataclass(frozen=True)
class Wait:
    """One thing that is waited for."""

    awaits: str
    """It waits for …"""
    to_do: str
    """What there is to do about it."""
    then: str
    """What follows once its time is over: then …"""
    retry: str
    """What a retry does; empty: it tries the step again."""


def wait_of(attention: Attention, state: TransferState) -> Wait:
    """Say what a transfer in a state waits for; all of it is empty where it waits for nothing."""
    match attention:
        case Attention.NONE:
            wait = Wait("", "", "", "")
        case Attention.RECIPIENT:
            wait = Wait(
                awaits="the recipient, to accept or decline",
                to_do=(
                    "Nothing to do: the sender may have the letter sent again, or cancel; an operator's `roll_back` "
                    "cancels too."
                ),
                then="it expires",
                retry="Changes nothing: the recipient is asked, and the decision is theirs.",
            )
        case Attention.SESSION_RUNNING:
            wait = Wait(
                awaits="the charging session at the charger to end",
                to_do=(
                    "Where the driver has long gone: end it at the charger; `complete` does not wait for it. A charger "
                    "that was told to stop it may end it only once the cable is unplugged."
                ),
                then="it is rolled back",
                retry="Looks now whether the charging session has ended, and goes on waiting where it has not.",
            )
        case Attention.CHARGER_OFFLINE:
            back = state is TransferState.ROLLING_BACK
            wait = Wait(
                awaits="the charger to connect",
                to_do=(
                    "See to its power and network; `complete` does not wait for it, `roll_back` gives the charge point "
                    "back."
                ),
                then=f"it goes on without it{'' if back else ', or is rolled back, as its sender chose'}",
                retry="Looks now whether the charger is connected, and goes on waiting where it is not.",
            )
        case Attention.RETRYING:
            wait = Wait(
                awaits="the step, which failed or takes long, and is being retried",
                to_do="Nothing to do yet: an operator is asked once its retries are used up.",
                then="it tries again",
                retry="",
            )
        case Attention.NEW_KEY:
            wait = Wait(
                awaits="the new owner to type a new key into the charger",
                to_do=(
                    "Nothing to do: people know the one in use, and the new owner was told how. `complete` ends the "
                    "transfer with the old key in use."
                ),
                then="it ends with the old key in use",
                retry="Looks now whether the charger uses the new owner's key, and goes on waiting where it does not.",
            )
        case Attention.OPERATOR:
            asks = state is TransferState.AWAITING_ACCEPTANCE
            wait = Wait(
                awaits="an operator; meanwhile it tries again by itself",
                to_do="",
                then="it expires" if asks else "it tries again",
                retry="",
            )
        case _:
            assert_never(attention)
    return wait
