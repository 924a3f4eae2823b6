"""What callers are shown, field by field."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from api.actions import actions, resolutions
from api.key_notes import text_of
from domain.charge_point import Holding
from domain.charger import KeyAnswer, RestartAnswer, Rotates
from domain.charging import Doubt
from domain.consequences import Consequence
from domain.ids import ChargePointId, GroupId, TransferId, UserId
from domain.keys import KnownTo
from domain.kinds import TransferKind
from domain.rights import Role, Scope
from domain.transfer import (
    Acceptance,
    Attention,
    Connection,
    IfOffline,
    OperatorAction,
    RunningSession,
    StepName,
    StepState,
    TransferState,
    UntilNewKey,
)
from domain.transitions import Action
from engine.transfers import StepAttempts
from persistence.chargers.catalogue import Support
from persistence.people.callers import Caller
from persistence.views import dry_run
from persistence.views.transfer_views import StepView, TransferView

Item = TypeVar("Item")

_LONGEST_ERROR = 300


class _Shown(BaseModel):
    model_config = ConfigDict(from_attributes=True, frozen=True, use_attribute_docstrings=True)


class Page(_Shown, Generic[Item]):
    """A page of a list; `next` is the `cursor` of the following one, null on the last."""

    items: list[Item]
    next: str | None
    """The `cursor` of the following page; null on the last."""

    @classmethod
    def model_parametrized_name(cls, params: tuple[Any, ...]) -> str:
        """Name it as the OpenAPI document has it."""
        return f"{params[0].__name__}Page"


class Side(_Shown):
    """Who has the charge point on one side of a transfer."""

    group_id: GroupId
    owner_id: UserId

    @classmethod
    def of(cls, holding: Holding) -> "Side":
        """Show a holding."""
        return cls(group_id=holding.group_id, owner_id=holding.owner_id)


class Step(_Shown):
    """How one step stands."""

    name: StepName
    state: StepState
    attempts: int
    """How often it was tried; while it is being tried, as of now."""
    paused: bool
    """An operator holds it: no further try begins."""
    started_at: datetime | None
    finished_at: datetime | None
    last_error: str | None
    """What the last try failed with, or what there is to say about how it ended."""

    @classmethod
    def of(cls, view: StepView, live: StepAttempts | None) -> "Step":
        """Show a step; while it is being retried, with what the engine says of it at this moment."""
        attempts = max(view.attempts, live.attempts) if live else view.attempts
        error = (live.last_error if live else None) or view.last_error
        return cls(
            name=view.name,
            state=view.state,
            attempts=attempts,
            paused=live.paused if live else False,
            started_at=view.started_at,
            finished_at=view.finished_at,
            last_error=error.strip().partition("\n")[0][:_LONGEST_ERROR] if error else None,
        )


class SettingChanged(_Shown):
    """A setting that was set at the charger, and stays set for the new owner; a roll-back sets it back."""

    name: str
    """As its version of OCPP names it: `AllowOfflineTxForUnknownId`, `AuthCtrlr.OfflineTxForUnknownIdEnabled`."""
    was: str | None
    """Null where the charger did not tell it."""
    now: str


class Limit(_Shown):
    """A charging profile that stays at the charger: a limit of the installation, not of who has it."""

    id: int
    purpose: str
    source: str | None
    evse: int | None


class Resolution(_Shown):
    """What one of an operator's actions would do now."""

    action: OperatorAction
    effect: str


class Transfer(_Shown):
    """A transfer of one charge point, from its request to its outcome."""

    id: TransferId
    kind: TransferKind
    state: TransferState
    attention: Attention
    """What it waits for; empty while it runs, and once it has ended and its parties were told."""
    waiting_until: datetime | None
    """Until when it waits at most."""
    reason: str | None
    """Why it did not come about: docs/api.md lists the words."""
    warnings: list[str]
    """What is left of one that was completed, or rolled back: docs/api.md lists the words."""
    settings_changed: list[SettingChanged]
    """What was set at the charger so that no tag of the former group charges."""
    former_tags: int
    """How many tags of the former group may go on charging while the charger is offline."""
    charging_limits: list[Limit]
    """The charging profiles that stay at the charger."""
    actions: list[Action]
    """What you may do now."""
    resolutions: list[Resolution]
    """Of an operator's `actions` what each would do; empty to anybody else."""
    charge_point_id: ChargePointId
    connection: Connection
    acceptance: Acceptance
    running_session: RunningSession
    if_offline: IfOffline
    until_new_key: UntilNewKey
    """What a key that people know opens from the change of owner on until the charger has the new owner's."""
    from_: Side = Field(serialization_alias="from")
    to: Side | None
    """Null while you may not know it: of `transfer_to_user`, to the sender, until it is accepted."""
    requested_by: UserId
    requested_at: datetime
    expires_at: datetime | None
    finished_at: datetime | None
    steps: list[Step]

    @classmethod
    def of(cls, view: TransferView, caller: Caller, live: Mapping[StepName, StepAttempts] | None = None) -> "Transfer":
        """Show a transfer to `caller`; `live` is what the engine says of steps that are being retried."""
        return cls(
            **{name: getattr(view, name) for name in cls.model_fields if hasattr(view, name) and name != "steps"},
            actions=actions(view, caller, live or ()),
            resolutions=[Resolution(action=act, effect=text) for act, text in resolutions(view, caller, live or ())],
            settings_changed=[SettingChanged(**asdict(one)) for one in view.at_charger.settings_changed],
            former_tags=view.at_charger.former_tags,
            charging_limits=[Limit(**one) for one in view.at_charger.charging_limits],
            from_=Side.of(view.origin),
            to=Side.of(view.target) if view.target else None,
            steps=[Step.of(step, (live or {}).get(step.name)) for step in view.steps],
        )


class Event(_Shown):
    """An entry of an audit trail, of a transfer or of a charge point."""

    sequence: int
    """Counts from 1 in each trail; refusals are not kept for ever, and of a charge point's you see those of your
    periods."""
    at: datetime
    actor: str
    """Who did it: `user:<id>`, `operator:<id>`, `link:<id>`, `system`, `recipient` or `temporal-ui`."""
    action: str
    """What was done, in a word or a few."""
    detail: dict[str, Any]
    """Ids and words, never a key; and for a time from where somebody connected."""


class Key(_Shown):
    """What is known of the key with which a charger connects: never the key."""

    known_to: KnownTo
    """`people`: it was imported, shown or typed, and a former owner may know it. `charger`: only what was connected
    when it was made, which is not always what hangs on the wall."""
    open_line: bool
    """It was sent over a line that is not encrypted: whoever sees the network has read it."""
    since: datetime
    """When the charger first came with it; of one that no charger was seen to take, when it was made."""
    rotates: Rotates
    """Whether the charger takes a key that it is sent."""
    serials: list[str]
    """The serial numbers that were named by what the key was sent to."""


class ChargePoint(_Shown):
    """A charge point, as it stands."""

    id: ChargePointId
    identity: str
    """Its name at the OCPP gateway: the last part of the address that it connects to."""
    name: str
    group_id: GroupId
    owner_id: UserId
    connected: bool
    """Its charger is there, and may charge: not while it is quarantined."""
    held: bool
    """Somebody else has come with the key of the one that is there, and waits for its place."""
    quarantined: bool
    """Its charger is there, with a key that opens nothing that charges."""
    key: Key | None
    """The key in use; null where it has none."""
    ocpp: str
    """`1.6` or `2.0.1`."""
    vendor: str | None
    model: str | None
    firmware: str | None
    serials: list[str]
    """The serial numbers that it named when it last started."""
    version: int
    """How often its ownership has changed."""
    active_transfer_id: TransferId | None
    """The transfer that is under way."""


class Part(_Shown):
    """Something that goes with the charge point, or does not."""

    what: str
    text: str


class DeviceStep(_Shown):
    """A step at the charger; `supported`: what is known of chargers of its vendor and model."""

    name: str
    supported: Support


class Blocker(_Shown):
    """Why a start would be refused now."""

    code: str
    detail: str


class Rehearsal(_Shown):
    """What a transfer would do. Empty `blockers`: it can be started."""

    moves: list[Part]
    stays: list[Part]
    blockers: list[Blocker]
    device_steps: list[DeviceStep]
    notes: list[Part]
    """What is better known before: who can know the key in use, and when `delete` is the better choice."""

    @classmethod
    def of(cls, rehearsal: dry_run.Rehearsal) -> "Rehearsal":
        """Show a rehearsal."""
        planned = rehearsal.planned
        return cls(
            moves=[_PARTS[one] for one in planned.moves],
            stays=[_PARTS[one] for one in planned.stays],
            blockers=[Blocker(code=one.code.value, detail=one.message) for one in rehearsal.blockers],
            device_steps=[
                DeviceStep(name=step.value, supported=rehearsal.supported[step]) for step in rehearsal.steps.names
            ],
            notes=[Part(what=note.value, text=text_of(note, planned)) for note in planned.key_notes],
        )


_PARTS: Final[Mapping[Consequence, Part]] = {
    consequence: Part(what=what, text=text)
    for consequence, what, text in (
        (
            Consequence.POINT_MOVES,
            "charge_point",
            "Its name, model, location and installation limits go with it.",
        ),
        (Consequence.OWNER_CHANGES, "ownership", "The charge point gets another owner."),
        (
            Consequence.GROUP_CHANGES,
            "group",
            "It gets into another group, whose tags, share codes and guests take over.",
        ),
        (
            Consequence.ACCESS_KEPT,
            "access",
            "RFID tags, share codes, guests' access, tariff and schedules stay as they are.",
        ),
        (Consequence.KEY_KEPT, "credentials", "The charger keeps its credentials."),
        (
            Consequence.SESSIONS_STAY,
            "sessions",
            "Charging sessions, open ones too, stay with who owned the charge point when they started.",
        ),
        (
            Consequence.HISTORY_STAYS,
            "history",
            "The new side sees from its own period on; the old side keeps its own.",
        ),
        (
            Consequence.ACCESS_STAYS,
            "access",
            "The present group's RFID tags, share codes and guests' access stay behind.",
        ),
        (
            Consequence.TARIFF_ENDS,
            "tariff",
            "Tariff, schedules and charging profiles end; the target's defaults apply.",
        ),
        (
            Consequence.KEY_DELETED,
            "credentials",
            "The charger's credentials end; the new owner connects it afresh.",
        ),
        (
            Consequence.KEY_TO_BE_TYPED,
            "credentials",
            "The present credentials end once the new owner has typed new ones into the charger.",
        ),
        (Consequence.KEY_REPLACED, "credentials", "The charger gets new credentials; the present ones end."),
    )
}


class Credentials(_Shown):
    """What is typed into a charger: the user name and the password of its HTTP Basic authentication."""

    identity: str
    password: str


class KeyRotation(_Shown):
    """What a charger answered to a fresh key."""

    answer: KeyAnswer
    """`accepted`, `reboot_required`: it is to come back with it. `rejected`, `not_supported`: it goes on with its own.
    `unknown`: nothing was heard, and it may have taken it."""
    key: Key | None
    """The key in use, as of now: the charger has not come back with another one where it is as before."""


class Identification(_Shown):
    """What a charger answered to a restart."""

    answer: RestartAnswer
    """`accepted`: it restarts; `scheduled`: once it is idle. `rejected`, `not_supported`: it does not. `unknown`:
    nothing was heard, and it may be restarting."""


class Period(_Shown):
    """A period of the ledger: who had the charge point from when to when (null: today's)."""

    version: int
    owner_id: UserId
    group_id: GroupId
    started_at: datetime
    ended_at: datetime | None
    transfer_id: TransferId | None
    change: str
    """What it began with: `import`, a `transfer`, or the `roll_back` of one."""


class ChargingSession(_Shown):
    """A charging session, booked to who held the charge point when it started; null: it is not known, or not yet."""

    id: int
    """OCPP 1.6's transactionId."""
    connector: int | None
    id_tag: str
    """The tag that it was started with; empty: it is not known."""
    owner_id: UserId
    group_id: GroupId
    started_at: datetime
    """When it began by our clock, as far as that can be told."""
    reported_at: datetime
    """When it began by the charger's clock."""
    arrived_at: datetime
    """When it was first reported."""
    late: bool
    """It happened while the charger was away, and was reported later."""
    stopped_at: datetime | None
    """Null while it runs."""
    stop_reason: str | None
    """As the charger says; `Lost`: its stop was never reported, `ByHand`: an operator ended it."""
    meter_start: int | None
    """The register in Wh, as `meter_stop`."""
    meter_stop: int | None
    energy: int | None
    """In Wh; while it runs up to the last reading."""
    doubts: list[Doubt]
    """`holder`: its time can't be believed, and the charge point changed hands when it may have happened. `energy`:
    more than a connector can give in that time, or less than nothing."""
    settled: bool
    """An operator has settled its doubts."""


class UnmatchedStop(_Shown):
    """A stop that a charger reported, and that fits no session, or several."""

    id: int
    transaction_id: int
    """As the charger says."""
    meter: int | None
    """The register in Wh."""
    reason: str
    reported_at: datetime
    """When it was by the charger's clock."""
    arrived_at: datetime


class SettledSessions(_Shown):
    """What was settled, by ids."""

    sessions: list[int]
    stops: list[int]


class Group(_Shown):
    """A group; `role` is the caller's, null for an operator who is no member."""

    id: GroupId
    name: str
    personal: bool
    role: Role | None


class PersonalData(_Shown):
    """All that is kept about the caller, in the words of the tables: see docs/privacy.md."""

    account: dict[str, Any]
    groups: list[dict[str, Any]]
    tags: list[dict[str, Any]]
    """What their own group charges with."""
    charge_points: list[dict[str, Any]]
    """Those that they own."""
    ownership: list[dict[str, Any]]
    """What they owned when."""
    charging_sessions: list[dict[str, Any]]
    transfers: list[dict[str, Any]]
    """Those that they took part in, as whom, and what was written."""
    orders: list[dict[str, Any]]
    """What they had done, and why."""
    audit_trail: list[dict[str, Any]]
    """What is on record as theirs."""
    api_keys: list[dict[str, Any]]
    sign_ins: list[dict[str, Any]]
    sign_in_codes: list[dict[str, Any]]
    passkeys: list[dict[str, Any]]
    idempotency_keys: list[dict[str, Any]]


class Erased(_Shown):
    """Somebody of whom nothing personal is kept any more."""

    id: UserId
    erased_at: datetime


class Me(_Shown):
    """Whose API key it is."""

    id: UserId
    name: str
    email: str | None
    phone: str | None
    locale: str
    scopes: list[Scope]
