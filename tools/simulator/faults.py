"""What can be wrong with a simulated charge point: each a thing that a real one was seen to do."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final


class Step(StrEnum):
    """What a charge point is told during a transfer, as the place where a fault strikes."""

    QUIET = "quiet"
    LISTS = "lists"
    ENROL = "enrol"
    """Before any transfer: it is sent a key in place of the first one, which people know."""
    ROTATE = "rotate"
    RESET = "reset"
    RELEASE = "release"


class Fault(StrEnum):
    """Something that is wrong with a charge point; most strike where they are told to, the first time only."""

    REJECT = "reject"
    """Refuses, every time."""
    NOT_SUPPORTED = "not-supported"
    """Does not know what it is told, every time."""
    REBOOT_REQUIRED = "reboot-required"
    """Takes its new key at its next restart."""
    DECODE_HEX = "decode-hex"
    """Takes the hex digits of its new key for bytes, and authenticates with those."""
    LIE = "lie"
    """Accepts its new key, and goes on with the old one for ever."""
    LOSE_REPLY = "lose-reply"
    """Does it, never answers, drops the connection, and comes back."""
    NEVER_RETURN = "never-return"
    """Does it, answers, drops the connection, and never comes back, until it is started again."""
    RETURN_LATE = "return-late"
    """Does it, answers, drops the connection, and comes back ten seconds later."""
    TWO_SOCKETS = "two-sockets"
    """Comes back with its new key on a second connection, while the old one stays open."""
    NEVER_CLOSE = "never-close"
    """Stays connected after it took its new key, and never answers a close frame."""
    GARBAGE = "garbage"
    """Sends frames that are no OCPP before it answers."""
    WRONG_IDS = "wrong-ids"
    """Answers calls that nobody made, before its answer."""
    OUT_OF_ORDER = "out-of-order"
    """Makes calls of its own before it answers."""
    NO_IDENTITY = "no-identity"
    """Connects without its identity in the path: the user name tells who it is."""
    NO_SUBPROTOCOL = "no-subprotocol"
    """Offers no version of OCPP as it connects, and speaks its own."""
    ERROR = "error"
    """Answers with an error that may pass, every time."""
    SILENT = "silent"
    """Never answers what a step can do without."""
    SLOPPY = "sloppy"
    """Says what it says otherwise than OCPP has it."""
    SLOW_RESTART = "slow-restart"
    """Takes 25 seconds to restart."""
    HOLDS_PLUG = "holds-plug"
    """Ends a session that is stopped from afar only once the car is unplugged."""
    LIST_OFF = "list-off"
    """Heeds no local list, and says `Failed` to each, until that is set."""
    LIST_OFF_FIXED = "list-off-fixed"
    """The same, and it can't be set."""
    SMALL_LIST = "small-list"
    """Takes two tags in all."""
    UNKNOWN_OFFLINE = "unknown-offline"
    """Lets tags that it does not know charge while it is offline, until that is set."""
    UNKNOWN_OFFLINE_FIXED = "unknown-offline-fixed"
    """The same, and it can't be set."""
    UNKNOWN_OFFLINE_LIE = "unknown-offline-lie"
    """The same, and it says that it was set."""
    CACHE = "cache"
    """Remembers the tags that were accepted, and lets them charge while it is offline."""
    KEEPS_CACHE = "keeps-cache"
    """The same, and it does not forget them when it is told to."""
    BUSY = "busy"
    """Can't forget a customer the first time that it is told to (OCPP 2.0.1)."""
    KEEPS_CUSTOMERS = "keeps-customers"
    """Says that it forgets customers, and does not (OCPP 2.0.1)."""


_ROTATION: Final = frozenset({Step.ENROL, Step.ROTATE})
_EVERYWHERE: Final = frozenset(Step)
_LISTS: Final = frozenset({Step.LISTS})
#: Where a fault can strike, `rotate` where nothing else is said. One of how it is set, or how it speaks, is there all
#: the time.
STRIKES: Final[Mapping[Fault, frozenset[Step]]] = {
    Fault.REJECT: _EVERYWHERE - {Step.RESET},
    Fault.NOT_SUPPORTED: _EVERYWHERE - {Step.RESET},
    Fault.REBOOT_REQUIRED: _ROTATION,
    Fault.DECODE_HEX: _ROTATION,
    Fault.LIE: _ROTATION,
    Fault.LOSE_REPLY: _EVERYWHERE,
    Fault.NEVER_RETURN: _EVERYWHERE,
    Fault.RETURN_LATE: _EVERYWHERE,
    Fault.TWO_SOCKETS: _ROTATION,
    Fault.NEVER_CLOSE: _ROTATION,
    Fault.GARBAGE: _EVERYWHERE,
    Fault.WRONG_IDS: _EVERYWHERE,
    Fault.OUT_OF_ORDER: _EVERYWHERE,
    Fault.NO_IDENTITY: frozenset({Step.ROTATE}),
    Fault.NO_SUBPROTOCOL: frozenset({Step.ROTATE}),
    Fault.ERROR: frozenset({Step.QUIET, Step.LISTS, Step.RELEASE}),
    Fault.SILENT: _LISTS,
    Fault.SLOPPY: _LISTS,
    Fault.SLOW_RESTART: frozenset({Step.RESET}),
    Fault.HOLDS_PLUG: frozenset({Step.QUIET}),
    Fault.LIST_OFF: _LISTS,
    Fault.LIST_OFF_FIXED: _LISTS,
    Fault.SMALL_LIST: _LISTS,
    Fault.UNKNOWN_OFFLINE: _LISTS,
    Fault.UNKNOWN_OFFLINE_FIXED: _LISTS,
    Fault.UNKNOWN_OFFLINE_LIE: _LISTS,
    Fault.CACHE: _LISTS,
    Fault.KEEPS_CACHE: _LISTS,
    Fault.BUSY: _LISTS,
    Fault.KEEPS_CUSTOMERS: _LISTS,
}


@dataclass(frozen=True)
class Trouble:
    """A fault, and where it strikes. As text: `lose-reply@lists`; without a step, at `rotate`."""

    fault: Fault
    at: Step = Step.ROTATE

    def __post_init__(self) -> None:
        """Refuse a fault that can't strike there."""
        if self.at not in STRIKES[self.fault]:
            raise ValueError(f"{self.fault} can strike at {', '.join(sorted(STRIKES[self.fault]))}; not at {self.at}")

    def __str__(self) -> str:
        """Write it as it is read."""
        return f"{self.fault}@{self.at}"

    @classmethod
    def read(cls, text: str) -> "Trouble":
        """Read `<fault>` or `<fault>@<step>`; raises ValueError, saying what there is."""
        fault, _, at = text.partition("@")
        try:
            return cls(Fault(fault), Step(at or Step.ROTATE))
        except ValueError as error:
            known = fault in set(Fault) and (not at or at in set(Step))
            what = str(error) if known else f"no fault {text!r}; a fault is one of {', '.join(Fault)}"
            raise ValueError(f"{what}; where it strikes is written after an @: one of {', '.join(Step)}") from None


def needed_with(trouble: Trouble) -> list[Trouble]:
    """Give what has to be wrong, too, for a trouble to strike: only what needs a restart for its key is restarted."""
    return [trouble, *([Trouble(Fault.REBOOT_REQUIRED)] if trouble.at is Step.RESET else [])]


def troubles(faults: Iterable[Fault | Trouble]) -> frozenset[Trouble]:
    """Give each fault its place."""
    return frozenset(fault if isinstance(fault, Trouble) else Trouble(fault) for fault in faults)


def step_of(action: str, payload: Mapping[str, Any]) -> Step | None:
    """Say which step a call from the platform belongs to, in either version of OCPP; None for other calls.

    Whether a key that is sent is to enrol the charge point only that itself knows: this says `rotate`.
    """
    if action == "ChangeAvailability":
        status = payload.get("type") or payload.get("operationalStatus")
        return Step.QUIET if status == "Inoperative" else Step.RELEASE
    if action == "ChangeConfiguration":
        return Step.ROTATE if payload.get("key") == "AuthorizationKey" else None
    if action == "SetVariables":
        named = [wanted.get("variable", {}).get("name") for wanted in payload.get("setVariableData", [])]
        return Step.ROTATE if "BasicAuthPassword" in named else None
    return {"SendLocalList": Step.LISTS, "Reset": Step.RESET}.get(action)


class Struck:
    """The faults of one charge point, and which of those that strike once have struck."""

    def __init__(self, faults: Collection[Fault | Trouble]) -> None:
        """Begin with none having struck."""
        self._faults = troubles(faults)
        self._over: set[Trouble] = set()

    def has(self, fault: Fault, at: Step | None = Step.ROTATE) -> bool:
        """Whether it has this fault there; it goes on having it."""
        return any(trouble.fault is fault and trouble.at is at for trouble in self._faults)

    def strikes(self, fault: Fault, at: Step | None) -> bool:
        """Whether this fault strikes there now: the first time that it is asked."""
        if at is None or not self.has(fault, at) or (trouble := Trouble(fault, at)) in self._over:
            return False
        self._over.add(trouble)
        return True
