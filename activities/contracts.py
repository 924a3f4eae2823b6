"""What a workflow may ask of the world: abstract steps with their wire names. No I/O here.

Implementations and the tests' fakes subclass these, so a drifted signature is a type error; `implementations`
registers them under the names written here. Arguments and results hold ids and states only: no name, address or key.
Refusals (domain.errors.Refusal) cross as non-retryable ApplicationErrors whose `type` is the error code.
"""

import functools
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict
from temporalio import activity

from domain.approval import Decision
from domain.charger_orders import ChargerOrder, RestartAnswer
from domain.errors import ErrorCode
from domain.ids import ChargePointId, LinkId, NodeId, OrderId, TransferId
from domain.keys import KeyAnswer
from domain.news import OwnerNews
from domain.policy import Policy
from domain.reconciliation import Finding
from domain.trail import TrailAction
from domain.transfer import (
    Attention,
    Connection,
    IfOffline,
    OperatorAction,
    Reason,
    RunningSession,
    StepName,
    StepState,
    TransferKind,
    TransferState,
    TransferWarning,
    UntilNewKey,
)


class Message(BaseModel):
    """Root of what crosses Temporal: frozen; later fields are optional ones."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Done(Message):
    """A step that has nothing to tell."""


class TransferRef(Message):
    """The transfer that a step is for; (transfer id, step) is what makes a step idempotent."""

    transfer_id: TransferId


class TransferRun(TransferRef):
    """A run of a workflow that says it is this transfer's. The request row is the proof, and the workflow's id."""

    workflow_id: str
    run_id: str


class Validated(Message):
    """The request is allowed."""

    kind: TransferKind
    charge_point_id: ChargePointId
    policy: Policy = Policy()
    """How long the transfer waits for what, as it was set when it was asked for."""


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
    remind_at: tuple[datetime, ...] = ()
    tell_present_owner: bool
    running_session: RunningSession
    if_offline: IfOffline
    until_new_key: UntilNewKey = UntilNewKey.SERVE
    connection: Connection
    quiet: bool
    lists: bool
    rotate: bool


class DecisionRecord(TransferRef):
    """A decision on a transfer; whose, and what they chose, is read from their order. The clock gives none."""

    decision: Decision
    order_id: OrderId | None = None


class ResendRecord(TransferRef):
    """An order that whoever must decide is asked anew."""

    order_id: OrderId | None


class Resent(Message):
    """Which links are valid from now on."""

    generation: int


class Decided(Message):
    """The state that the decision led to."""

    state: TransferState
    order_id: OrderId | None = None
    """The order that was found to ask for it; None where nobody's was needed."""
    quiet: bool = False
    lists: bool = False
    rotate: bool = False
    until_new_key: UntilNewKey = UntilNewKey.SERVE


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
    generation: int = 1
    """Of the links that are valid."""
    resent: tuple[OrderId, ...] = ()
    """Every order to resend so far."""


class Changed(Message):
    """The ownership changed."""

    version: int
    new_key: bool = False
    """People may know the key in use: it is replaced by one that the new owner types."""
    rotates: bool | None = None
    """Whether the charger takes keys that it is sent; None where that was not seen yet."""


class Finish(TransferRef):
    """The end of a transfer: its charge point is released."""

    state: TransferState
    reason: Reason | None = None
    warnings: tuple[TransferWarning, ...] = ()


class RefusedRecord(TransferRun):
    """A refusal, to be readable by its sender."""

    code: ErrorCode
    message: str


class Whereabouts(Message):
    """Where a charger is: `node` is None while it is offline."""

    node: NodeId | None
    generation: int
    quarantined: bool = False
    session_running: bool = False
    enrolment_sent_at: datetime | None = None
    """A key that only the charger is to know was sent to it then, and it is not back with that yet."""


class RotateAnswer(StrEnum):
    """What a charger answered to its new credentials; `unknown`: nothing was heard, it may have taken them."""

    ACCEPTED = "accepted"
    REBOOT_REQUIRED = "reboot_required"
    REJECTED = "rejected"
    NOT_SUPPORTED = "not_supported"
    UNKNOWN = "unknown"


class CredentialsStatus(Message):
    """Where the rotation is, as the database knows it."""

    answer: RotateAnswer | None
    """None: not sent yet."""
    answer_counts: bool = True
    """It came over a released connection that only the charger can have opened."""
    proven: bool
    handed_out: bool = False
    """The new owner was given a key to type: it is what is to be proven, and there is no way back."""
    old_key_returns: int
    """How often the charger came back with the old key after it had accepted the new one."""


class Proof(Message):
    """Whether the charger has proven its new credentials: they stay, whatever was to become of them."""

    proven: bool = False
    handed_out: bool = False
    """The new owner was given a key to type, which is still to be proven: it stays, too."""


class Registry(ABC):
    """The register: each step one database transaction, local first unless it must be on record (`registry.*`)."""

    @activity.defn(name="registry.validate")
    @abstractmethod
    async def validate(self, run: TransferRun) -> Validated:
        """Check the sender's rights and the request; refuses NotAllowed, NotFound, CoolingDown, NotPossible.

        NotAllowed, too, where nobody has asked for this transfer, or another workflow is it.
        """

    @activity.defn(name="registry.look_up")
    @abstractmethod
    async def look_up(self, ref: TransferRef) -> Done:
        """Look up the target; refuses NotPossible for oneself, the present owner, the same group."""

    @activity.defn(name="registry.reserve")
    @abstractmethod
    async def reserve(self, run: TransferRun) -> Plan:
        """Reserve the charge point and write the transfer; refuses TransferInProgress."""

    @activity.defn(name="registry.refuse")
    @abstractmethod
    async def refuse(self, refusal: RefusedRecord) -> Done:
        """Write a refused transfer that its sender can read; nothing of a run that is none of its."""

    @activity.defn(name="registry.decide")
    @abstractmethod
    async def decide(self, record: DecisionRecord) -> Decided:
        """Take a decision into the register; refuses NotAllowed, NotPossible, AlreadyDecided, TooLate."""

    @activity.defn(name="registry.resend")
    @abstractmethod
    async def resend(self, record: ResendRecord) -> Resent:
        """Let every link sent so far die, for new ones; refuses NotAllowed, AlreadyDecided, TooLate."""

    @activity.defn(name="registry.take_up")
    @abstractmethod
    async def take_up(self, run: TransferRun) -> TakenUp:
        """Say where an earlier run of the transfer, which was terminated, left it."""

    @activity.defn(name="registry.block_sessions")
    @abstractmethod
    async def block_sessions(self, ref: TransferRef) -> Done:
        """Let no new charging session start on the charge point."""

    @activity.defn(name="registry.allow_sessions")
    @abstractmethod
    async def allow_sessions(self, ref: TransferRef) -> Done:
        """Let charging sessions start again; undoes `block_sessions`."""

    @activity.defn(name="registry.change_ownership")
    @abstractmethod
    async def change_ownership(self, ref: TransferRef) -> Changed:
        """Check the rights again, then change owner, group, ledger and version in one transaction.

        Where only the charger knows its key, the new one is made here; where the connection is deleted, all are revoked
        here.
        Refuses NotAllowed (rights lost) and NotPossible (recipient unusable).
        """

    @activity.defn(name="registry.restore_ownership")
    @abstractmethod
    async def restore_ownership(self, ref: TransferRef) -> Changed:
        """Give the charge point back, as a new ledger period; nothing where it never changed."""

    @activity.defn(name="registry.withdraw_credentials")
    @abstractmethod
    async def withdraw_credentials(self, ref: TransferRef) -> Proof:
        """Undo a rotation before its proof: whichever key the charger comes back with is its key."""

    @activity.defn(name="registry.leave_credentials_due")
    @abstractmethod
    async def leave_credentials_due(self, ref: TransferRef) -> Proof:
        """Leave an unproven rotation to the gateway: until the charger has its new key the old one opens quarantine."""

    @activity.defn(name="registry.await_new_key")
    @abstractmethod
    async def await_new_key(self, ref: TransferRef) -> Proof:
        """Let the old key open what was chosen, until the new owner's is in use: the charger refused the one sent."""

    @activity.defn(name="registry.finish")
    @abstractmethod
    async def finish(self, end: Finish) -> Done:
        """Write the outcome and release the charge point."""

    @activity.defn(name="registry.locate")
    @abstractmethod
    async def locate(self, ref: TransferRef) -> Whereabouts:
        """Say which gateway node holds the charger's socket, and whether a session runs. Only reads."""

    @activity.defn(name="registry.credentials")
    @abstractmethod
    async def credentials(self, ref: TransferRef) -> CredentialsStatus:
        """Say how far the rotation is. Only reads."""


class DeviceOrder(TransferRef):
    """A command to the transfer's charger, sent to the node that holds its socket."""

    charge_point_id: ChargePointId
    stop_session: bool = False
    """With `quiet`: stop a running session instead of letting it end."""
    restore: bool = False
    """With `replace_lists`: put the former list back."""


class DeviceOutcome(StrEnum):
    """How a command ended that the charger answered."""

    DONE = "done"
    SCHEDULED = "scheduled"
    """It will, once its running session has ended."""
    REJECTED = "rejected"
    NOT_SUPPORTED = "not_supported"


class DeviceAnswer(Message):
    """What the charger answered."""

    outcome: DeviceOutcome


class Rotated(Message):
    """What the charger answered to its new credentials."""

    answer: RotateAnswer
    counts: bool = True
    """It came over a released connection that only the charger can have opened."""


#: `type` of the ApplicationError of a command whose charger has no socket on that node: look it up again.
NOT_CONNECTED = "not_connected"


class Charger(ABC):
    """Commands to one charger, on the task queue of its gateway node (`charger.*`); all heartbeat.

    Errors: NOT_CONNECTED (non-retryable: look it up again); anything else is retried.
    A call without an answer within 30 s closes nothing and is retried; `rotate` alone answers `unknown`.
    """

    @activity.defn(name="charger.quiet")
    @abstractmethod
    async def quiet(self, order: DeviceOrder) -> DeviceAnswer:
        """Make it inoperative: no new charging session; stop the running one where asked."""

    @activity.defn(name="charger.release")
    @abstractmethod
    async def release(self, order: DeviceOrder) -> DeviceAnswer:
        """Make it operative again; undoes `quiet`."""

    @activity.defn(name="charger.replace_lists")
    @abstractmethod
    async def replace_lists(self, order: DeviceOrder) -> DeviceAnswer:
        """Send the local list of its present group (former tags blocked) and clear its cache; or restore the former."""

    @activity.defn(name="charger.rotate")
    @abstractmethod
    async def rotate(self, order: DeviceOrder) -> Rotated:
        """Send the pending key, always the same one."""

    @activity.defn(name="charger.reset")
    @abstractmethod
    async def reset(self, order: DeviceOrder) -> DeviceAnswer:
        """Restart it, so that what needs a restart takes effect."""

    @activity.defn(name="charger.disconnect")
    @abstractmethod
    async def disconnect(self, order: DeviceOrder) -> Done:
        """Close its socket: with revoked credentials for good (1008), else so that it comes back (1012)."""


class PointOrder(Message):
    """What a charge point's charger is told outside any transfer."""

    charge_point_id: ChargePointId


class PointAsk(PointOrder):
    """What a charger is to be told; who wants that is read from their order."""

    order: ChargerOrder
    order_id: OrderId
    workflow_id: str = ""
    """The workflow that does it: of the order's own id, so that it is done by one at a time."""


class PointPlace(Message):
    """The gateway node that holds a charger's socket."""

    node: NodeId


class ChargePoints(ABC):
    """What the register knows of a charge point outside any transfer (`charge_points.*`)."""

    @activity.defn(name="charge_points.locate")
    @abstractmethod
    async def find_charger(self, ask: PointAsk) -> PointPlace:
        """Say where its charger is, which may be told that; refuses NotAllowed, TransferInProgress, NotPossible."""

    @activity.defn(name="charge_points.note_order")
    @abstractmethod
    async def note_order(self, ask: PointAsk) -> Done:
        """Write into its trail what was asked for, or done."""


class KeyTold(Message):
    """What a charger answered to a fresh key."""

    answer: KeyAnswer


class RestartTold(Message):
    """What a charger answered to a restart."""

    answer: RestartAnswer


class ChargerOnDemand(ABC):
    """Commands to one charger that no transfer gives, on the task queue of its gateway node (`charger.*`).

    Over a released connection only; all heartbeat. NOT_CONNECTED: it was told nothing, look it up again.
    """

    @activity.defn(name="charger.take_own_key")
    @abstractmethod
    async def take_own_key(self, order: PointOrder) -> KeyTold:
        """Send a fresh key in place of its owner's own; refuses NotPossible where none may be made any more."""

    @activity.defn(name="charger.identify")
    @abstractmethod
    async def identify(self, order: PointOrder) -> RestartTold:
        """Restart it, so that whoever stands before it sees which one it is."""


class Ask(TransferRef):
    """The question to the recipient. `reminder` 0 asks, by the link of `generation`; 1 and on remind, by the newest."""

    generation: int = 1
    reminder: int = 0


class Subject(StrEnum):
    """What the parties are told of."""

    REQUESTED = "requested"
    """To a present owner who did not ask."""
    ACCEPTED = "accepted"
    """To the sender and the present owner: the recipient has."""
    ENDED = "ended"
    SETTLED = "settled"
    """What it had left to do at the charger is done."""
    NEW_KEY = "new_key"
    """To the new owner, who is to type a key into the charger."""


class Tell(TransferRef):
    """A piece of news for the parties; who gets it and what it says follows from the transfer's state."""

    subject: Subject
    reminder: int = 0
    """Of `new_key`: 0 tells, 1 and on remind; each is a letter of its own."""


class SendCode(Message):
    """The `number`-th one-time code of a link."""

    link_id: LinkId
    number: int


class TellOwner(Message):
    """A piece of news of one day about a charge point, for its owner."""

    charge_point_id: ChargePointId
    news: OwnerNews
    day: date
    """In UTC."""
    occasion: str = ""
    """Of news that is told each time: which time. Empty: a day has one letter."""


class Notices(ABC):
    """Letters (`notices.*`): delivered at least once, each with a Message-ID that stays the same."""

    @activity.defn(name="notices.ask")
    @abstractmethod
    async def ask(self, ask: Ask) -> Done:
        """Send the recipient the approval link; an address without a usable account is asked to open one."""

    @activity.defn(name="notices.tell")
    @abstractmethod
    async def tell(self, tell: Tell) -> Done:
        """Tell the parties."""

    @activity.defn(name="notices.send_code")
    @abstractmethod
    async def send_code(self, order: SendCode) -> Done:
        """Make a one-time code, keep its MAC, send it to the recipient; the same code on every try."""

    @activity.defn(name="notices.tell_owner")
    @abstractmethod
    async def tell_owner(self, order: TellOwner) -> Done:
        """Tell the owner of a charge point; of new credentials a recipient who is asked about it, too."""


class OpenAccount(Message):
    """The link whose recipient has no account yet; what they typed waits in the database."""

    link_id: LinkId


class Accounts(ABC):
    """Accounts that recipients open by their link (`accounts.*`)."""

    @activity.defn(name="accounts.open")
    @abstractmethod
    async def open(self, order: OpenAccount) -> Done:
        """Open an account with the address that the link was sent to; nothing where that has a usable one.

        Refuses NotAllowed for a replaced link, AlreadyDecided, TooLate, and NotPossible where the address has an
        account that is not usable.
        """


class StepNote(Message):
    """How one step stands."""

    name: StepName
    state: StepState | None = None
    """None: as before."""
    last_error: str | None = None
    attempts: int = 0
    """How often it was tried so far; 0: not known."""


class Note(TransferRef):
    """What a reader of the transfer should see: only given fields change, but `attention` always."""

    attention: Attention = Attention.NONE
    waiting_until: datetime | None = None
    ended: bool = False
    """Noted after the end, when its letters may still wait; what was noted before it and comes late counts no more."""
    state: TransferState | None = None
    reason: Reason | None = None
    steps: tuple[StepNote, ...] = ()
    action: TrailAction | None = None
    """An entry for the audit trail, with `actor` and `detail`."""
    actor: str = "system"
    detail: dict[str, str] = {}
    resolution: OperatorAction | None = None
    """What an operator has had done, as an entry: theirs whose `order_id` it is, else the Temporal UI's."""
    order_id: OrderId | None = None


class Noted(Message):
    """It is on record."""

    order_id: OrderId | None = None
    """The order that was found to ask for it."""


class Records(ABC):
    """Audit trail and read model (`records.*`)."""

    @activity.defn(name="records.note")
    @abstractmethod
    async def note(self, note: Note) -> Noted:
        """Write how the transfer stands; a repeat writes the same."""


class Rescue(Message):
    """What an ended transfer has left to do at its charger, which is there to take it."""

    ready: bool
    """False where it can't be done now: not connected, in quarantine, another transfer under way, nothing left."""
    charge_point_id: ChargePointId
    lists: bool = False
    release: bool = False
    policy: Policy = Policy()


class Rescued(TransferRef):
    """What was done of it."""

    lists: bool
    release: bool
    lists_not_supported: bool = False
    """There is nothing to replace: the charger takes no list."""


class Settled(Message):
    """What is left."""

    done: bool
    """Nothing is."""


class Rescues(ABC):
    """What ended transfers have left to do at chargers that come back (`rescue.*`)."""

    @activity.defn(name="rescue.begin")
    @abstractmethod
    async def begin(self, ref: TransferRef) -> Rescue:
        """Say what is left to do, and whether it can be done now."""

    @activity.defn(name="rescue.settle")
    @abstractmethod
    async def settle(self, rescued: Rescued) -> Settled:
        """Write what was done: the warnings that said so are cleared."""


class Look(Message):
    """A look at everything."""


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


class Reconciler(ABC):
    """What looks after everything at once (`reconciler.*`)."""

    @activity.defn(name="reconciler.look")
    @abstractmethod
    async def look(self, look: Look) -> Suspicions:
        """Compare the register, the engine's runs and the chargers' credentials; only reads of them.

        By the way it takes out of audit trails what is not kept for ever.
        """

    @activity.defn(name="reconciler.settle")
    @abstractmethod
    async def settle(self, confirmed: Suspicions) -> Reconciled:
        """Look at each once more, then mend what is certain and park the rest; a repeat finds it mended or parked."""


#: What transfers do, and what is done about them.
OF_TRANSFERS: tuple[type[ABC], ...] = (Registry, Charger, Notices, Accounts, Records, Rescues, Reconciler)
CONTRACTS: tuple[type[ABC], ...] = (*OF_TRANSFERS, ChargePoints, ChargerOnDemand)


def wire_names(contract: type[ABC]) -> dict[str, str]:
    """Map each step's method to its wire name."""
    steps = {name: getattr(contract, name) for name in sorted(contract.__abstractmethods__)}
    return {name: vars(step)["__temporal_activity_definition"].name for name, step in steps.items()}


def implementations(steps: object) -> list[Callable[..., Any]]:
    """Give the activities that `steps` implements, under their contracts' wire names, ready for a Worker.

    An override does not inherit `@activity.defn`; here it gets it from the contract.
    """
    return [
        _named(getattr(steps, method), wire_name)
        for contract in CONTRACTS
        if isinstance(steps, contract)
        for method, wire_name in wire_names(contract).items()
    ]


def _named(method: Callable[..., Awaitable[Any]], wire_name: str) -> Callable[..., Any]:
    @functools.wraps(method)
    async def step(ask: Any) -> Any:
        return await method(ask)

    return activity.defn(name=wire_name)(step)
