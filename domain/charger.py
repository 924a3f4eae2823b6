"""What a charger answers, in whichever version of OCPP."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class OcppVersion(StrEnum):
    """The versions that are spoken, as the WebSocket's subprotocol names them after `ocpp`."""

    V16 = "1.6"
    V201 = "2.0.1"


class CommandOutcome(StrEnum):
    """How a command ended that the charger answered."""

    DONE = "done"
    SCHEDULED = "scheduled"
    """It will, once its running session has ended."""
    REJECTED = "rejected"
    NOT_SUPPORTED = "not_supported"
    STALE = "stale"
    """It has a newer list already: a higher version is wanted. Never leaves the gateway."""


#: Answers to a list after which none is sent again: the charger takes none, or none now.
NO_LIST: Final = frozenset({CommandOutcome.NOT_SUPPORTED, CommandOutcome.REJECTED})


class Shortfall(StrEnum):
    """What could not be done at a charger about the tags of the group that had it last: each is a warning, too."""

    FORMER_TAGS_MAY_CHARGE_OFFLINE = "former_tags_may_charge_offline"
    CACHE_NOT_CLEARED = "cache_not_cleared"
    CUSTOMER_DATA_LEFT = "customer_data_left"


@dataclass(frozen=True)
class SettingChanged:
    """A setting of a charger, by OCPP's name; `was` is None where the charger did not tell it."""

    name: str
    was: str | None
    now: str


class RestartAnswer(StrEnum):
    """What a charger answered to a restart; `unknown`: nothing was heard, it may be restarting."""

    ACCEPTED = "accepted"
    SCHEDULED = "scheduled"
    """It will, once it is idle."""
    REJECTED = "rejected"
    NOT_SUPPORTED = "not_supported"
    UNKNOWN = "unknown"


class KeyAnswer(StrEnum):
    """What a charger answered to its pending key; `unknown`: nothing was heard, it may have taken it."""

    ACCEPTED = "accepted"
    REBOOT_REQUIRED = "reboot_required"
    REJECTED = "rejected"
    NOT_SUPPORTED = "not_supported"
    UNKNOWN = "unknown"


#: The answers after which a charger still has its old key, if it can't have taken the new one earlier.
REFUSALS: Final = frozenset({KeyAnswer.REJECTED.value, KeyAnswer.NOT_SUPPORTED.value})
#: The answers after which nothing is sent again: it is to come back with the key by itself, or after a restart.
TAKEN: Final = frozenset({KeyAnswer.ACCEPTED.value, KeyAnswer.REBOOT_REQUIRED.value})


class Rotates(StrEnum):
    """Whether a charger takes a key that it is sent."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"
    """It was not seen yet, or not since its firmware changed."""

    @classmethod
    def of(cls, *, seen: bool | None) -> "Rotates":
        """Say it of what was seen; None: nothing."""
        return cls.UNKNOWN if seen is None else cls.YES if seen else cls.NO
