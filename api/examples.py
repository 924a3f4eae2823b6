"""The examples of the OpenAPI document: made of the models that answers are made of, so that neither can drift."""

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pydantic import BaseModel

from api import schemas
from domain.charger import KeyAnswer, RestartAnswer, Rotates
from domain.charging import Doubt
from domain.consequences import Planned
from domain.errors import Refusal, TransferInProgress
from domain.ids import ChargePointId, GroupId, TransferId, UserId
from domain.keys import KeyInUse, KnownTo
from domain.kinds import TransferKind
from domain.rights import UNDER_WAY, Role
from domain.trail import TrailAction
from domain.transfer import (
    DEVICE_STEPS,
    Acceptance,
    Attention,
    Connection,
    DeviceSteps,
    IfOffline,
    OperatorAction,
    RunningSession,
    StepName,
    StepState,
    TransferState,
    UntilNewKey,
)
from domain.transitions import Action, Change, Progress, effect
from persistence.chargers.catalogue import Support
from persistence.views import dry_run

Examples = Mapping[str, Mapping[str, Any]]

_BEGUN: Final = datetime(2026, 11, 25, 6, 57, 12, tzinfo=UTC)
_ID: Final = TransferId("trf_01M88QWZVJAJVDTTEPF0M6Z104")
_POINT: Final = ChargePointId("lilas-1")
_LILAS: Final = schemas.Side(group_id=GroupId("lilas"), owner_id=UserId("amelie"))
_HARBOUR: Final = schemas.Side(group_id=GroupId("harbour"), owner_id=UserId("amelie"))
#: What the paths of calls name.
IN_PATHS: Final = {
    "charge_point_id": _POINT,
    "transfer_id": _ID,
    "group_id": "harbour",
    "session_id": 41,
    "user_id": "amelie",
}
_STEPS: Final = tuple(StepName)
_NO_ANSWER: Final = "The charger did not answer SendLocalList in time."
_NOT_ASKED: Final = frozenset({StepName.ASK_RECIPIENT})
#: What a move skips that leaves the owner as they were.
_NOT_TAKEN: Final = _NOT_ASKED | (DEVICE_STEPS - {StepName.REPLACE_LISTS})
#: What is left out of a transfer that nobody accepted.
_NEVER_BEGUN: Final = DEVICE_STEPS | {StepName.CHANGE_OWNERSHIP}


def shown(*cases: tuple[str, BaseModel]) -> Examples:
    """Give examples by what they show: each a sentence, and the answer.

    The answer is written as text, which api.openapi reads: the framework would leave out every null.
    """
    return {
        f"example_{number}": {"summary": said, "value": model.model_dump_json(by_alias=True)}
        for number, (said, model) in enumerate(cases, 1)
    }


def page(*items: BaseModel) -> schemas.Page[Any]:
    """Give a page that is the last one."""
    return schemas.Page[Any](items=list(items), next=None)


def _steps(
    over: int, running: StepName | None = None, *, skipped: Collection[StepName] = (), **of_running: Any
) -> list[schemas.Step]:
    """Give every step: so many of them over, one at work, the others to come; `skipped` are not taken."""

    def step(position: int, name: StepName) -> schemas.Step:
        is_skipped, runs = name in skipped, name is running
        is_done = position < over and not is_skipped
        at = _BEGUN + timedelta(seconds=position)
        values: dict[str, Any] = {"attempts": int(is_done or runs), "paused": False, "last_error": None}
        values |= of_running if runs else {}
        return schemas.Step(
            name=name,
            state=_state(done=is_done, skipped=is_skipped, runs=runs),
            started_at=at if is_done or runs else None,
            finished_at=at + timedelta(seconds=1) if is_done or (is_skipped and position < over) else None,
            **values,
        )

    return [step(position, name) for position, name in enumerate(_STEPS)]


def _state(*, done: bool, skipped: bool, runs: bool) -> StepState:
    if skipped:
        return StepState.SKIPPED
    return StepState.DONE if done else StepState.RUNNING if runs else StepState.PENDING


_MOVE: Final = schemas.Transfer(
    id=_ID,
    kind=TransferKind.MOVE_TO_GROUP,
    state=TransferState.TRANSFERRING,
    attention=Attention.NONE,
    waiting_until=None,
    reason=None,
    warnings=[],
    settings_changed=[],
    former_tags=0,
    charging_limits=[],
    actions=[Action.CANCEL],
    resolutions=[],
    charge_point_id=_POINT,
    connection=Connection.KEEP,
    acceptance=Acceptance.NOT_REQUIRED,
    running_session=RunningSession.WAIT,
    if_offline=IfOffline.COMPLETE,
    until_new_key=UntilNewKey.SERVE,
    from_=_LILAS,
    to=_HARBOUR,
    requested_by=UserId("amelie"),
    requested_at=_BEGUN,
    expires_at=None,
    finished_at=None,
    steps=_steps(4, skipped=_NOT_ASKED),
)
_ASKED: Final = _MOVE.model_copy(
    update={
        "kind": TransferKind.TRANSFER_TO_USER,
        "state": TransferState.AWAITING_ACCEPTANCE,
        "attention": Attention.RECIPIENT,
        "waiting_until": _BEGUN + timedelta(days=7),
        "expires_at": _BEGUN + timedelta(days=7),
        "acceptance": Acceptance.REQUIRED,
        "to": None,
        "actions": [Action.CANCEL, Action.RESEND],
        "steps": _steps(3, StepName.ASK_RECIPIENT),
    }
)
_TO_CHLOE: Final = _ASKED.model_copy(
    update={
        "state": TransferState.TRANSFERRING,
        "attention": Attention.NONE,
        "waiting_until": None,
        "actions": [],
        "to": schemas.Side(group_id=GroupId("personal-chloe"), owner_id=UserId("chloe")),
        "steps": _steps(4),
    }
)
_AT_LISTS: Final = Progress(
    TransferState.RECONFIGURING,
    StepName.REPLACE_LISTS,
    Attention.RETRYING,
    change=Change.BEGUN,
    device_step=StepName.REPLACE_LISTS,
)
_STUCK: Final = _TO_CHLOE.model_copy(
    update={
        "state": TransferState.RECONFIGURING,
        "attention": Attention.RETRYING,
        "actions": [Action.RETRY, Action.ROLL_BACK, Action.COMPLETE],
        "resolutions": [
            schemas.Resolution(action=action, effect=effect(action, _AT_LISTS)) for action in OperatorAction
        ],
        "steps": _steps(6, StepName.REPLACE_LISTS, attempts=7, last_error=_NO_ANSWER),
    }
)
_PAUSED: Final = _STUCK.model_copy(
    update={"steps": _steps(6, StepName.REPLACE_LISTS, attempts=7, paused=True, last_error=_NO_ANSWER)}
)


def _ended(
    transfer: schemas.Transfer, state: TransferState, reason: str | None, steps: list[schemas.Step]
) -> schemas.Transfer:
    end = {
        "state": state,
        "attention": Attention.NONE,
        "waiting_until": None,
        "reason": reason,
        "actions": [],
        "finished_at": _BEGUN + timedelta(minutes=1),
        "steps": steps,
    }
    return transfer.model_copy(update=end)


_COMPLETED: Final = _ended(_MOVE, TransferState.COMPLETED, None, _steps(len(_STEPS), skipped=_NOT_TAKEN))
#: The letters about the end are still to come.
_UNDECIDED: Final = _steps(4, skipped=_NEVER_BEGUN)
_BY_CHLOE: Final = _ASKED.model_copy(update={"to": _TO_CHLOE.to})

STARTED: Final = shown(
    ("Reserved, and at work at once", _MOVE),
    ("Reserved; the recipient is asked, and unknown to the sender until they accept", _ASKED),
)
KEPT: Final = shown(
    (
        "Kept, and to be started as soon as a worker answers",
        _MOVE.model_copy(update={"state": TransferState.REQUESTED, "to": None, "actions": [], "steps": _steps(0)}),
    )
)
TRANSFER: Final = shown(
    ("Completed", _COMPLETED),
    ("Waits for its recipient", _ASKED),
    ("Stuck at the charger, as an operator sees it", _STUCK),
)
TRANSFERS: Final = shown(("The last page", page(_COMPLETED, _ASKED)))
ACCEPTED: Final = shown(("Accepted: the work has begun", _TO_CHLOE))
DECLINED: Final = shown(("Declined", _ended(_BY_CHLOE, TransferState.DECLINED, "declined", _UNDECIDED)))
CANCELLED: Final = shown(("Cancelled", _ended(_ASKED, TransferState.CANCELLED, "cancelled", _UNDECIDED)))
RESENT: Final = shown(("Asked anew: nothing else changes", _ASKED))
RESOLVED: Final = shown(("Tried again", _STUCK.model_copy(update={"attention": Attention.NONE})))
PAUSED: Final = shown(("The step is paused", _PAUSED))
RESUMED: Final = shown(("The step is tried again", _STUCK))


def _trail(*entries: tuple[str, TrailAction, dict[str, Any]]) -> tuple[schemas.Event, ...]:
    return tuple(
        schemas.Event(
            sequence=sequence, at=_BEGUN + timedelta(seconds=sequence), actor=actor, action=action.value, detail=detail
        )
        for sequence, (actor, action, detail) in enumerate(entries, 1)
    )


def stream(events: Iterable[schemas.Event]) -> str:
    """Write events as a stream has them."""
    return "".join(f"id: {event.sequence}\nevent: audit\ndata: {event.model_dump_json()}\n\n" for event in events)


TRANSFER_TRAIL: Final = _trail(
    ("user:amelie", TrailAction.RESERVED, {"kind": "move_to_group", "state": "transferring"}),
    ("system", TrailAction.OWNERSHIP_CHANGED, {"version": 1, "owner_id": "amelie", "group_id": "harbour"}),
    ("system", TrailAction.COMPLETED, {"warnings": ""}),
    ("system", TrailAction.TOLD, {"subject": "ended"}),
)
EVENTS: Final = shown(("The last page", page(*TRANSFER_TRAIL)))
CHARGE_POINT_TRAIL: Final = _trail(
    ("user:amelie", TrailAction.CONNECTED_AFRESH, {}),
    ("system", TrailAction.TWO_HOLDERS, {"address": "203.0.113.9", "holder_address": "198.51.100.20"}),
    ("user:ben", TrailAction.REQUEST_REFUSED, {"code": "not_allowed"}),
)
CHARGE_POINT_EVENTS: Final = shown(("The last page", page(*CHARGE_POINT_TRAIL)))

_CHARGE_POINT: Final = schemas.ChargePoint(
    id=_POINT,
    identity="LILAS-1",
    name="Les Lilas 1",
    group_id=GroupId("lilas"),
    owner_id=UserId("amelie"),
    connected=True,
    held=False,
    quarantined=False,
    key=schemas.Key(
        known_to=KnownTo.CHARGER,
        open_line=False,
        since=_BEGUN - timedelta(days=30),
        rotates=Rotates.YES,
        serials=["SIM-000001"],
    ),
    ocpp="1.6",
    vendor="Handover demo",
    model="Simulated",
    firmware="1.0",
    serials=["SIM-000001"],
    version=0,
    active_transfer_id=None,
)
_TYPED: Final = _CHARGE_POINT.model_copy(
    update={
        "connected": False,
        "quarantined": True,
        "key": schemas.Key(known_to=KnownTo.PEOPLE, open_line=False, since=_BEGUN, rotates=Rotates.UNKNOWN, serials=[]),
    }
)
CHARGE_POINT: Final = shown(
    ("A charge point that is connected", _CHARGE_POINT), ("In quarantine, with a key that people know", _TYPED)
)
CHARGE_POINTS: Final = shown(("The last page", page(_CHARGE_POINT)))
_CREDENTIALS: Final = schemas.Credentials(identity="LILAS-1", password="0123456789" * 4)
CREDENTIALS: Final = shown(
    (
        "To be typed into the charger",
        _CREDENTIALS,
    )
)
KEY_ROTATED: Final = shown(
    (
        "Accepted: the key is still the one of before, until the charger is back",
        schemas.KeyRotation(answer=KeyAnswer.ACCEPTED, key=_CHARGE_POINT.key),
    ),
    (
        "Rejected: the charger goes on with the key that people know",
        schemas.KeyRotation(
            answer=KeyAnswer.REJECTED,
            key=schemas.Key(
                known_to=KnownTo.PEOPLE, open_line=False, since=_BEGUN, rotates=Rotates.NO, serials=["SIM-000001"]
            ),
        ),
    ),
)
IDENTIFIED: Final = shown(
    ("It restarts", schemas.Identification(answer=RestartAnswer.ACCEPTED)),
    ("Nothing was heard: it may be restarting", schemas.Identification(answer=RestartAnswer.UNKNOWN)),
)
OWNERSHIP: Final = shown(
    (
        "Imported, then moved",
        page(
            schemas.Period(
                version=0,
                owner_id=UserId("amelie"),
                group_id=GroupId("lilas"),
                started_at=_BEGUN - timedelta(days=90),
                ended_at=_BEGUN,
                transfer_id=None,
                change="import",
            ),
            schemas.Period(
                version=1,
                owner_id=UserId("amelie"),
                group_id=GroupId("harbour"),
                started_at=_BEGUN,
                ended_at=None,
                transfer_id=_ID,
                change="transfer",
            ),
        ),
    )
)


def _rehearsal(*blockers: Refusal) -> schemas.Rehearsal:
    support = {StepName.REPLACE_LISTS: Support.YES}
    planned = Planned(TransferKind.MOVE_TO_GROUP, Connection.KEEP, owner_changes=False, group_changes=True, key=None)
    steps = DeviceSteps(quiet=False, lists=True, rotate=False, revoke=False)
    return schemas.Rehearsal.of(dry_run.Rehearsal(planned, steps, support, list(blockers)))


def _with_a_known_key() -> schemas.Rehearsal:
    support = dict.fromkeys(DEVICE_STEPS, Support.UNKNOWN)
    key = KeyInUse(KnownTo.PEOPLE, _BEGUN, open_line=False, serials=())
    planned = Planned(TransferKind.TRANSFER_TO_USER, Connection.KEEP, owner_changes=True, group_changes=True, key=key)
    steps = DeviceSteps(quiet=True, lists=True, rotate=True, revoke=False)
    return schemas.Rehearsal.of(dry_run.Rehearsal(planned, steps, support, []))


REHEARSAL: Final = shown(
    ("It could be started", _rehearsal()),
    ("It could be started; people can know the key in use", _with_a_known_key()),
    (
        "It would be refused",
        _rehearsal(TransferInProgress(UNDER_WAY)),
    ),
)
_GROUP: Final = schemas.Group(id=GroupId("lilas"), name="Résidence des Lilas", personal=False, role=Role.OWNER)
GROUP: Final = shown(("A group of which the caller is an owner", _GROUP))
GROUPS: Final = shown(("The last page", page(_GROUP)))
ME: Final = shown(
    (
        "A user's key without further scopes",
        schemas.Me(
            id=UserId("amelie"),
            name="Amélie Laurent",
            email="amelie@example.com",
            phone="+33612345601",
            locale="fr-FR",
            scopes=[],
        ),
    )
)

PERSONAL_DATA: Final = shown(
    (
        "Somebody who owns nothing yet",
        schemas.PersonalData(
            account={"id": "amelie", "name": "Amélie Laurent", "email": "amelie@example.com", "locale": "fr-FR"},
            groups=[{"id": "personal-amelie", "name": "Amélie Laurent", "personal": True, "role": "owner"}],
            **{name: [] for name in schemas.PersonalData.model_fields if name not in {"account", "groups"}},
        ),
    )
)
ERASED: Final = shown(("They are erased", schemas.Erased(id=UserId("amelie"), erased_at=_BEGUN)))

_SESSION: Final = schemas.ChargingSession(
    id=41,
    connector=1,
    id_tag="LILAS-TAG-1",
    owner_id=UserId("amelie"),
    group_id=GroupId("lilas"),
    started_at=_BEGUN,
    reported_at=_BEGUN,
    arrived_at=_BEGUN,
    late=False,
    stopped_at=_BEGUN + timedelta(hours=2),
    stop_reason="Local",
    meter_start=120_000,
    meter_stop=141_500,
    energy=21_500,
    doubts=[],
    settled=False,
)
_DOUBTFUL: Final = _SESSION.model_copy(
    update={"id": 42, "reported_at": datetime(1970, 1, 1, 0, 4, tzinfo=UTC), "doubts": [Doubt.HOLDER]}
)
SESSIONS: Final = shown(
    ("Told as it happened, and in doubt", page(_DOUBTFUL, _SESSION)),
)
ENDED_SESSION: Final = shown(
    ("Ended by hand", _SESSION.model_copy(update={"stop_reason": "ByHand"})),
)
UNMATCHED_STOPS: Final = shown(
    (
        "With an id that says nothing",
        page(
            schemas.UnmatchedStop(
                id=7, transaction_id=-1, meter=141_500, reason="Local", reported_at=_BEGUN, arrived_at=_BEGUN
            )
        ),
    ),
)
SETTLED_SESSIONS: Final = shown(
    ("A session and a stop", schemas.SettledSessions(sessions=[42], stops=[7])),
)
