"""Looking after everything at once."""

from abc import ABC, abstractmethod
from enum import StrEnum

from activities.contracts.declaring import step
from activities.contracts.messages import Message
from domain.reconciliation import Finding


class Place(Message):
    """How far a look at everything has come that takes several: the last ids that were looked at; empty: none."""

    charge_point: str = ""
    request: str = ""
    run: str = ""
    """The engine's own word for it."""


class Look(Message):
    """A look at everything; at what is too much for one look from a place on."""

    place: Place = Place()


class Suspicion(Message):
    """Something that may be wrong with a transfer or a charge point, by its id."""

    kind: Finding
    subject: str


class Suspicions(Message):
    """What was found."""

    items: tuple[Suspicion, ...] = ()
    whole: bool = False
    """It is all there was: what was parked before and is not among it has settled."""
    parked: bool = False
    """Something was parked before and may have settled since."""
    next: Place = Place()
    """Where the next look goes on."""


class Settlement(StrEnum):
    """What became of a suspicion."""

    STARTED = "started"
    MENDED = "mended"
    PARKED = "parked"
    """Only a person can say what is right; parked before or now."""
    UNFOUNDED = "unfounded"
    """It is not so any more."""
    NOT_YET = "not_yet"
    """It could not be settled now: the next look finds it again."""


class Reconciliation(Message):
    """What became of one."""

    kind: Finding
    subject: str
    settlement: Settlement


class Reconciled(Message):
    """What became of each."""

    items: tuple[Reconciliation, ...] = ()
    next: Place = Place()
    """Where the next run's look goes on."""


class Reconciler(ABC):
    """What looks after everything at once (`reconciler.*`)."""

    @step("reconciler.look")
    @abstractmethod
    async def look(self, look: Look) -> Suspicions:
        """Compare the register, the engine's runs and the chargers' credentials; only reads of them.

        By the way it takes out what is not kept for ever.
        """

    @step("reconciler.settle")
    @abstractmethod
    async def settle(self, confirmed: Suspicions) -> Reconciled:
        """Look at each once more, then mend what is certain and park the rest; a repeat finds it mended or parked."""
