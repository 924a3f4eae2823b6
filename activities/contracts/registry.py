"""The register: rights, decisions, the change of owner, where the charger is and how far its rotation."""

from abc import ABC, abstractmethod
from datetime import datetime

from activities.contracts.declaring import step
from activities.contracts.messages import Done, Message, TransferRef, TransferRun
from activities.contracts.records import StepNote
from domain.actors import SYSTEM
from domain.approval import Decision
from domain.charger import KeyAnswer
from domain.errors import ErrorCode
from domain.ids import ChargePointId, NodeId, OrderId
from domain.kinds import TransferKind
from domain.policy import Policy
from domain.transfer import (
    Connection,
    IfOffline,
    Reason,
    RunningSession,
    StepName,
    TransferState,
    TransferWarning,
    UntilNewKey,
)


class Whereabouts(Message):
    """Where a charger is: `node` is None while it is offline."""

    node: NodeId | None
    generation: int
    quarantined: bool = False
    session_running: bool = False
    enrolment_sent_at: datetime | None = None
    """A key that only the charger is to know was sent to it then, and it is not back with that yet."""


class Plan(Message):
    """What a reserved transfer is going to do; fixed from then on."""

    kind: TransferKind
    charge_point_id: ChargePointId
    state: TransferState
    """`awaiting_acceptance` or `transferring`."""
    again: bool = False
    """An earlier run reserved it: this one goes on where the transfer stands."""
    expires_at: datetime | None
    """Until when the recipient may decide; None where nobody is asked."""
    running_session: RunningSession
    if_offline: IfOffline
    until_new_key: UntilNewKey = UntilNewKey.SERVE
    connection: Connection
    quiet: bool
    lists: bool
    rotate: bool
    policy: Policy = Policy()
    """How long the transfer waits for what, as it was set when it was asked for."""
    sessions_blocked: bool = False
    """No charging session begins any more."""
    where: Whereabouts | None = None
    """Where the charger was; None where it does not matter yet."""


class DecisionRecord(TransferRef):
    """A decision on a transfer; whose, and what they chose, is read from their order. The clock gives none."""

    decision: Decision
    order_id: OrderId | None = None


class ResendRecord(TransferRef):
    """An order that whoever must decide is asked anew."""

    order_id: OrderId | None


class Decided(Message):
    """The state that the decision led to."""

    state: TransferState
    order_id: OrderId | None = None
    """The order that was found to ask for it; None where nobody's was needed."""
    quiet: bool = False
    lists: bool = False
    rotate: bool = False
    until_new_key: UntilNewKey = UntilNewKey.SERVE
    sessions_blocked: bool = False
    """No charging session begins any more."""
    where: Whereabouts | None = None
    """Where the charger was; None where it does not matter."""


class Taken(Message):
    """A decision that was taken, and what it led to."""

    decision: Decision
    order_id: OrderId | None
    state: TransferState


class TakenUp(Message):
    """How far a transfer is, as the register knows it."""

    state: TransferState
    reason: Reason | None = None
    decisions: tuple[Taken, ...] = ()
    resent: tuple[OrderId, ...] = ()
    """Every order to resend so far."""


class WhileAbsent(TransferRef):
    """A step that may rest on the charger's absence."""

    absent_after: int | None = None
    """The generation of its last connection then; None: no matter.

    A try whose workflow task may be lost does nothing where it is not away any more, or was there since: another worker
    may have that task by now, and have told the charger something.
    """


class Changed(Message):
    """The ownership changed."""

    version: int
    at: datetime | None = None
    """When it changed; None where nothing counts from it, or an older release wrote this."""
    new_key: bool = False
    """People may know the key in use: it is replaced by one that the new owner types."""
    rotates: bool | None = None
    """Whether the charger takes keys that it is sent; None where that was not seen yet."""
    where: Whereabouts | None = None
    """Where the charger was then."""


class TurnBack(TransferRun):
    """A roll-back, why, and who is behind it."""

    reason: Reason
    actor: str = SYSTEM


class Finish(WhileAbsent):
    """The end of a transfer: its charge point is released."""

    state: TransferState
    reason: Reason | None = None
    warnings: tuple[TransferWarning, ...] = ()
    steps: tuple[StepNote, ...] = ()
    """How its steps stand, where that is not written yet."""


class Finished(Message):
    """How the transfer has ended: a repeat is told what was written first."""

    state: TransferState


class RefusedRecord(TransferRun):
    """A refusal, to be readable by its sender."""

    code: ErrorCode
    message: str


class CredentialsStatus(Message):
    """Where the rotation is, as the database knows it."""

    answer: KeyAnswer | None
    """None: not sent yet."""
    answer_counts: bool = True
    """It came over a released connection that only the charger can have opened."""
    proven: bool
    handed_out: bool = False
    """The new owner was given a key to type: it is what is to be proven, and there is no way back."""
    old_key_returns: int
    """How often the charger came back with the old key after it had accepted the new one."""
    where: Whereabouts | None = None
    """Where the charger was then."""


class Proof(Message):
    """Whether the charger has proven its new credentials: they stay, whatever was to become of them."""

    proven: bool = False
    handed_out: bool = False
    """The new owner was given a key to type, which is still to be proven: it stays, too."""


class Turned(Proof):
    """Whether the transfer rolls back from now on: no later try of its change is heeded then."""

    back: bool
    """False: there is no way back."""
    changed: bool
    """The ownership had changed."""
    again: bool = False
    """An earlier run reserved the transfer, and may have taken any step."""


class Registry(ABC):
    """The register: each step one database transaction, local first unless it must be on record (`registry.*`).

    A transfer that has ended takes no step any more: ENDED.
    """

    @step("registry.reserve", StepName.RESERVE, may_run_again=True)
    @abstractmethod
    async def reserve(self, run: TransferRun) -> Plan:
        """Check the sender's rights and the request, look the target up, reserve the charge point, write the transfer.

        Refuses NotAllowed, NotFound, CoolingDown, NotPossible, TransferInProgress; NotAllowed, too, where nobody has
        asked for this transfer, or another workflow is it.
        """

    @step("registry.refuse", may_run_again=True)
    @abstractmethod
    async def refuse(self, refusal: RefusedRecord) -> Done:
        """Write a refused transfer that its sender can read; nothing of a run that is none of its."""

    @step("registry.decide", may_run_again=True)
    @abstractmethod
    async def decide(self, record: DecisionRecord) -> Decided:
        """Take a decision into the register; refuses NotAllowed, NotPossible, AlreadyDecided, TooLate.

        Local for an expiry alone, which the clock says again; any other was told once, and must be on record.
        """

    @step("registry.resend", StepName.ASK_RECIPIENT)
    @abstractmethod
    async def resend(self, record: ResendRecord) -> Done:
        """Let every link sent so far die, and have new ones sent; refuses NotAllowed, AlreadyDecided, TooLate."""

    @step("registry.take_up")
    @abstractmethod
    async def take_up(self, run: TransferRun) -> TakenUp:
        """Say where an earlier run of the transfer, which was terminated, left it."""

    @step("registry.block_sessions", StepName.QUIET_CHARGER, may_run_again=True)
    @abstractmethod
    async def block_sessions(self, ref: TransferRef) -> Whereabouts:
        """Let no new charging session start on the charge point, and say where its charger is."""

    @step("registry.allow_sessions", StepName.RELEASE_CHARGER, may_run_again=True)
    @abstractmethod
    async def allow_sessions(self, ref: TransferRef) -> Whereabouts:
        """Let charging sessions start again, and say where the charger is; undoes `block_sessions`."""

    @step("registry.change_ownership", StepName.CHANGE_OWNERSHIP, may_run_again=True)
    @abstractmethod
    async def change_ownership(self, change: WhileAbsent) -> Changed:
        """Check the rights again, then change owner, group, ledger and version in one transaction.

        Where only the charger knows its key, the new one is made here; where the connection is deleted, all are revoked
        here.
        Refuses NotAllowed (rights lost) and NotPossible (recipient unusable).
        """

    @step("registry.turn_back")
    @abstractmethod
    async def turn_back(self, turn: TurnBack) -> Turned:
        """Begin the roll-back, and withdraw the new credentials, where there is a way back."""

    @step("registry.restore_ownership", StepName.CHANGE_OWNERSHIP, may_run_again=True)
    @abstractmethod
    async def restore_ownership(self, ref: TransferRef) -> Changed:
        """Give the charge point back, as a new ledger period; nothing where it never changed."""

    @step("registry.withdraw_credentials", StepName.ROTATE_CREDENTIALS, may_run_again=True)
    @abstractmethod
    async def withdraw_credentials(self, ref: TransferRef) -> Proof:
        """Undo a rotation before its proof: whichever key the charger comes back with is its key."""

    @step("registry.leave_credentials_due", StepName.ROTATE_CREDENTIALS)
    @abstractmethod
    async def leave_credentials_due(self, ref: TransferRef) -> Proof:
        """Leave an unproven rotation to the gateway: until the charger has its new key the old one opens quarantine."""

    @step("registry.await_new_key", StepName.ROTATE_CREDENTIALS)
    @abstractmethod
    async def await_new_key(self, ref: TransferRef) -> Proof:
        """Let the old key open what was chosen, until the new owner's is in use: the charger refused the one sent."""

    @step("registry.finish", may_run_again=True)
    @abstractmethod
    async def finish(self, end: Finish) -> Finished:
        """Write the outcome and release the charge point."""

    @step("registry.locate", may_run_again=True)
    @abstractmethod
    async def locate(self, ref: TransferRef) -> Whereabouts:
        """Say which gateway node holds the charger's socket, and whether a session runs. Only reads."""

    @step("registry.credentials", may_run_again=True)
    @abstractmethod
    async def credentials(self, ref: TransferRef) -> CredentialsStatus:
        """Say how far the rotation is, and where the charger is. Only reads."""
