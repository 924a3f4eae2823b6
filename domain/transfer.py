"""A transfer: its states, steps, and which state may follow which."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class TransferState(StrEnum):
    """Where a transfer is in its life."""

    REQUESTED = "requested"
    REFUSED = "refused"
    AWAITING_ACCEPTANCE = "awaiting_acceptance"
    DECLINED = "declined"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    TRANSFERRING = "transferring"
    RECONFIGURING = "reconfiguring"
    COMPLETED = "completed"
    COMPLETED_WITH_WARNINGS = "completed_with_warnings"
    ROLLING_BACK = "rolling_back"
    ROLLED_BACK = "rolled_back"


class Attention(StrEnum):
    """What a transfer waits for; empty where it runs."""

    NONE = ""
    RECIPIENT = "recipient"
    SESSION_RUNNING = "session_running"
    CHARGER_OFFLINE = "charger_offline"
    RETRYING = "retrying"
    NEW_KEY = "new_key"
    """The new owner is to type a new key into the charger: people know the one in use."""
    OPERATOR = "operator"


def known_attention(word: str) -> Attention:
    """Read what a transfer waits for; what only a newer release knows is nothing that this one can say of it."""
    return Attention(word) if word in set(Attention) else Attention.NONE


class Acceptance(StrEnum):
    """Whether the recipient is asked."""

    REQUIRED = "required"
    NOT_REQUIRED = "not_required"


class Connection(StrEnum):
    """What becomes of the charger's connection to this platform."""

    KEEP = "keep"
    DELETE = "delete"


class RunningSession(StrEnum):
    """What is done about a charging session that runs."""

    WAIT = "wait"
    STOP = "stop"


class IfOffline(StrEnum):
    """How a transfer ends whose charger stays offline until the deadline."""

    COMPLETE = "complete"
    ROLL_BACK = "roll_back"


class UntilNewKey(StrEnum):
    """What a key that the former owner may know opens until the charger has a new one."""

    SERVE = "serve"
    """An ordinary connection: the charger goes on working, and so does whoever else has its key."""
    QUARANTINE = "quarantine"
    """A connection over which nothing is authorised and nothing taken over."""


class StepName(StrEnum):
    """The steps, in the order in which they run."""

    VALIDATE_RIGHTS = "validate_rights"
    LOOK_UP_TARGET = "look_up_target"
    RESERVE = "reserve"
    ASK_RECIPIENT = "ask_recipient"
    QUIET_CHARGER = "quiet_charger"
    CHANGE_OWNERSHIP = "change_ownership"
    REPLACE_LISTS = "replace_lists"
    ROTATE_CREDENTIALS = "rotate_credentials"
    RELEASE_CHARGER = "release_charger"
    TELL_PARTIES = "tell_parties"


#: The steps that an operator's `complete` may leave undone: never the ownership change.
DEVICE_STEPS: Final = frozenset(
    {StepName.QUIET_CHARGER, StepName.REPLACE_LISTS, StepName.ROTATE_CREDENTIALS, StepName.RELEASE_CHARGER}
)


class StepState(StrEnum):
    """Where one step is."""

    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    SKIPPED = "skipped"
    FAILED = "failed"
    COMPENSATED = "compensated"


class TransferWarning(StrEnum):
    """Why a completed transfer is `completed_with_warnings`."""

    CHARGER_OFFLINE = "charger_offline"
    LISTS_DUE = "lists_due"
    LISTS_NOT_SUPPORTED = "lists_not_supported"
    FORMER_TAGS_MAY_CHARGE_OFFLINE = "former_tags_may_charge_offline"
    """Of the group that had the charge point last; how many stands with what was changed at the charger."""
    CACHE_NOT_CLEARED = "cache_not_cleared"
    """The charger goes on remembering tags by itself."""
    CUSTOMER_DATA_LEFT = "customer_data_left"
    """The charger goes on knowing who has charged."""
    CREDENTIALS_DUE = "credentials_due"
    OLD_KEY_KNOWN = "old_key_known"
    """The key in use is known to people, the former owner among them; it ends once the new owner's is in use."""
    CREDENTIALS_CANNOT_BE_ROTATED = "credentials_cannot_be_rotated"
    RELEASE_DUE = "release_due"
    LEFT_UNDONE_BY_OPERATOR = "left_undone_by_operator"


#: How a step went at the charger, in the words of its row: what the catalogue of models is learned from.
UNSUPPORTED: Final = "The charger does not support it."
UNROTATABLE: Final = "The charger can't change its credentials."
REFUSED_BY_CHARGER: Final = "The charger rejected it."
KEY_REFUSED: Final = "The charger rejected its new credentials."
#: What is done by itself once the charger is back, or has its new owner's key.
DUE: Final = frozenset(
    {
        TransferWarning.LISTS_DUE,
        TransferWarning.CREDENTIALS_DUE,
        TransferWarning.OLD_KEY_KNOWN,
        TransferWarning.RELEASE_DUE,
    }
)


class Reason(StrEnum):
    """Why a transfer did not come about."""

    DECLINED = "declined"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    RIGHTS_LOST = "rights_lost"
    RECIPIENT_UNUSABLE = "recipient_unusable"
    SESSION_DEADLINE = "session_deadline"
    CHARGER_REJECTED = "charger_rejected"
    CHARGER_OFFLINE = "charger_offline"
    OPERATOR = "operator"


_NEXT: Final[dict[TransferState, frozenset[TransferState]]] = {
    TransferState.REQUESTED: frozenset(
        {TransferState.REFUSED, TransferState.AWAITING_ACCEPTANCE, TransferState.TRANSFERRING}
    ),
    TransferState.AWAITING_ACCEPTANCE: frozenset(
        {TransferState.DECLINED, TransferState.CANCELLED, TransferState.EXPIRED, TransferState.TRANSFERRING}
    ),
    TransferState.TRANSFERRING: frozenset({TransferState.RECONFIGURING, TransferState.ROLLING_BACK}),
    TransferState.RECONFIGURING: frozenset(
        {TransferState.COMPLETED, TransferState.COMPLETED_WITH_WARNINGS, TransferState.ROLLING_BACK}
    ),
    TransferState.ROLLING_BACK: frozenset({TransferState.ROLLED_BACK}),
}

FINAL: Final = frozenset(state for state in TransferState if state not in _NEXT)
#: The states in which a charge point is reserved: one transfer at most is in one of them.
ACTIVE: Final = frozenset(TransferState) - FINAL - {TransferState.REQUESTED}
#: Those in which nothing of what is moved has changed yet: neither keys nor anything at the charger.
BEFORE_CHANGE: Final = frozenset(
    {TransferState.REQUESTED, TransferState.AWAITING_ACCEPTANCE, TransferState.TRANSFERRING}
)


def may_follow(before: TransferState, after: TransferState) -> bool:
    """Whether a transfer in state `before` may become `after`."""
    return after in _NEXT.get(before, frozenset())


@dataclass(frozen=True)
class DeviceSteps:
    """Which steps at the charger a transfer takes (docs/rules.md, `device steps`)."""

    quiet: bool
    lists: bool
    rotate: bool
    revoke: bool

    @property
    def names(self) -> tuple[StepName, ...]:
        """List the steps in their order."""
        taken = {
            StepName.QUIET_CHARGER: self.quiet,
            StepName.REPLACE_LISTS: self.lists,
            StepName.ROTATE_CREDENTIALS: self.rotate,
            StepName.RELEASE_CHARGER: self.quiet,
        }
        return tuple(step for step, wanted in taken.items() if wanted)


def device_steps(*, owner_changes: bool, group_changes: bool, connection: Connection) -> DeviceSteps:
    """Say what the charger must be told.

    `delete` revokes the credentials in the ownership transaction instead of rotating them.
    """
    delete = connection is Connection.DELETE
    return DeviceSteps(
        quiet=owner_changes and group_changes,
        lists=group_changes,
        rotate=owner_changes and not delete,
        revoke=delete,
    )


class OperatorAction(StrEnum):
    """What an operator may do about a transfer."""

    RETRY = "retry"
    ROLL_BACK = "roll_back"
    COMPLETE = "complete"
