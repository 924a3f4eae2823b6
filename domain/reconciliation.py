"""What may disagree between the register, the engine's runs and the chargers' keys, and what is certain about it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from domain.transfer import FINAL, TransferState


class Finding(StrEnum):
    """What is found."""

    NOT_STARTED = "not_started"
    """A request whose workflow has never answered."""
    WORK_DUE = "work_due"
    """An ended transfer has left something to do at a charger, which is there."""
    RUN_LOST = "run_lost"
    """A transfer is under way, or its end not told, and it has no run: it was terminated, or the engine has lost it."""
    RUN_ENDED = "run_ended"
    """A transfer is under way, and its run ended as if it were not: one of both was put back."""
    RUN_UNKNOWN = "run_unknown"
    """There is a run of a transfer that the register has never heard of: the database was put back."""
    STATES_DISAGREE = "states_disagree"
    """The run says another state than the register, and goes on saying so."""
    SESSIONS_BLOCKED = "sessions_blocked"
    """An ended transfer still keeps charging sessions from starting."""
    KEY_LEFT_PENDING = "key_left_pending"
    """An ended transfer has left new credentials to which nobody attends."""
    FORMER_OWNERS_KEY = "former_owners_key"
    """The charger still has the credentials that it had with its former owner."""
    LEDGER_DISAGREES = "ledger_disagrees"
    """The charge point has another owner, group or version than its ledger's open period."""
    TWO_HOLDERS = "two_holders"
    """Two were connected with the same key of a charge point, and both were there."""
    ENDED_KEY_TRIED = "ended_key_tried"
    """Somebody came with a key that was the charge point's once."""
    SESSIONS_IN_DOUBT = "sessions_in_doubt"
    """Charging sessions of a charge point may be somebody else's than those that they are booked to, or their energy
    be another; or a stop fits none of them."""
    FORMER_OWNER_UNTOLD = "former_owner_untold"
    """Charging sessions of a charge point were booked to a former owner, who was not told."""
    SESSION_LEFT_OPEN = "session_left_open"
    """A charging session runs longer than it should: its stop may be lost."""


#: What happens in ordinary life, and is done at once; anything else is looked at twice, as it may be on its way.
ROUTINE: Final = frozenset({Finding.NOT_STARTED, Finding.WORK_DUE, Finding.FORMER_OWNER_UNTOLD})
#: What can't be mended without knowing more than the records say.
UNCERTAIN: Final = frozenset(
    {
        *(Finding.RUN_ENDED, Finding.RUN_UNKNOWN, Finding.STATES_DISAGREE),
        *(Finding.FORMER_OWNERS_KEY, Finding.LEDGER_DISAGREES, Finding.SESSION_LEFT_OPEN),
    }
)
#: What was seen at the sockets: no disagreement, so nothing is mended, and no look closes it.
NEWS: Final = frozenset({Finding.TWO_HOLDERS, Finding.ENDED_KEY_TRIED, Finding.SESSIONS_IN_DOUBT})
#: How often a lost run is taken up before it is left to an operator.
TAKE_UPS: Final = 3


class RunStatus(StrEnum):
    """How the engine's latest run of a transfer stands."""

    RUNNING = "running"
    COMPLETED = "completed"
    LOST = "lost"
    """Terminated, failed, or unknown to the engine."""


@dataclass(frozen=True)
class Run:
    """The engine's latest run of a transfer; `state` is the last one that it showed."""

    status: RunStatus
    state: TransferState | None = None
    busy: bool = False
    """It has something under way that may bring it to another state."""


def judge(state: TransferState, run: Run) -> Finding | None:
    """Compare the register's state of a transfer with its run; None where they agree, as any run does with an end."""
    if run.status is RunStatus.RUNNING:
        return Finding.STATES_DISAGREE if run.state not in {None, state} and not run.busy else None
    if state in FINAL:
        return None
    return Finding.RUN_LOST if run.status is RunStatus.LOST else Finding.RUN_ENDED
