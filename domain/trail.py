"""The audit trail's words: whose it is, every action with what its detail holds, what marks an entry as once only."""

from collections.abc import Mapping
from datetime import date, timedelta
from enum import StrEnum
from typing import Any, Final, NewType, TypeAlias, assert_never

from domain.actors import Actor
from domain.approval import Decision
from domain.charger_orders import ChargerOrder
from domain.errors import ErrorCode
from domain.ids import ChargePointId, LinkId, OrderId, TransferId, UserId
from domain.news import OwnerNews
from domain.orders import OrderAct
from domain.transfer import OperatorAction, TransferState

# --- whose trail --------------------------------------------------------------------------------------------------

ChargePointTrail = NewType("ChargePointTrail", str)
PersonTrail = NewType("PersonTrail", str)
#: What a trail is of: a transfer by its id, a charge point by `of_charge_point`, a person by `of_person`.
TrailSubject: TypeAlias = TransferId | ChargePointTrail | PersonTrail

#: No id holds a colon, so no transfer's trail is taken for a charge point's, or a person's.
_CHARGE_POINT: Final = "charge_point:"
_PERSON: Final = "user:"


def of_charge_point(charge_point_id: ChargePointId) -> ChargePointTrail:
    """Give the subject of a charge point's trail: `charge_point:<id>`."""
    return ChargePointTrail(f"{_CHARGE_POINT}{charge_point_id}")


def read_charge_point(subject: TrailSubject) -> ChargePointId:
    """Give the charge point whose trail it is."""
    return ChargePointId(subject.removeprefix(_CHARGE_POINT))


def of_person(user_id: UserId) -> PersonTrail:
    """Give the subject of a person's trail: `user:<id>`."""
    return PersonTrail(f"{_PERSON}{user_id}")


# --- what happened ------------------------------------------------------------------------------------------------


class TrailAction(StrEnum):
    """What an entry says was done, and what its detail shows. On the wire: a word is never changed or used anew.

    A `reason` that somebody typed stands with their order, and is shown as long as that is kept.
    """

    # a transfer's beginning
    RESERVED = "reserved"
    """It reserved its charge point: `kind`, `state`; of an operator `reason`."""
    REFUSED = "refused"
    """Its workflow refused it: `code`."""

    # the question to its recipient
    ASKED = "asked"
    """Whoever must decide was asked: `generation` of the links, `reminder` 0."""
    REMINDED = "reminded"
    """They were asked again by the clock: `generation`, `reminder` from 1."""
    ASK_NOT_DELIVERABLE = "ask_not_deliverable"
    """No letter reached anybody: `generation`, `reminder`."""
    RESENT = "resent"
    """New links were asked for, older ones are dead: `generation`."""
    CODE_SENT = "code_sent"
    """A one-time code was sent: `link_id`, `number`."""
    CODE_NOT_DELIVERABLE = "code_not_deliverable"
    """A one-time code could not be sent: `link_id`, `number`."""
    ACCOUNT_OPENED = "account_opened"
    """The recipient opened an account by their link: `link_id`."""

    # decisions and endings, each the state that it led to
    TRANSFERRING = "transferring"
    """The recipient accepted."""
    DECLINED = "declined"
    """The recipient declined."""
    CANCELLED = "cancelled"
    """It was cancelled while its recipient was asked."""
    EXPIRED = "expired"
    """Nobody decided in time."""
    ROLLING_BACK = "rolling_back"
    """It turned round: by a cancel, or by itself."""
    COMPLETED = "completed"
    """It came to its end: `warnings`, empty."""
    COMPLETED_WITH_WARNINGS = "completed_with_warnings"
    """It came to its end, with something left: `warnings`, by commas."""
    ROLLED_BACK = "rolled_back"
    """All is as before: `reason`."""

    # the change of ownership
    OWNERSHIP_CHANGED = "ownership_changed"
    """The ledger has a new period: `version`, `owner_id`, `group_id`."""
    OWNERSHIP_RESTORED = "ownership_restored"
    """The former holder has it again, as a period of its own: `version`, `owner_id`, `group_id`."""

    # operators
    RESOLVED_RETRY = "resolved_retry"
    """An operator had it tried again: `reason`, `step`, `update`."""
    RESOLVED_ROLL_BACK = "resolved_roll_back"
    """An operator had it rolled back: `reason`, `step`, `update`."""
    RESOLVED_COMPLETE = "resolved_complete"
    """An operator left a step undone: `reason`, `step`, `update`."""
    STEP_PAUSED = "step_paused"
    """An operator let no further try of a step begin: `step`, `reason`."""
    STEP_RESUMED = "step_resumed"
    """An operator let a paused step be tried again: `step`, `reason`."""

    # what somebody tried and was refused
    ACCEPT_REFUSED = "accept_refused"
    """`code`."""
    DECLINE_REFUSED = "decline_refused"
    """`code`."""
    CANCEL_REFUSED = "cancel_refused"
    """`code`."""
    RESEND_REFUSED = "resend_refused"
    """`code`."""
    RESOLVE_REFUSED = "resolve_refused"
    """`code`."""
    PAUSE_REFUSED = "pause_refused"
    """`code`."""
    RESUME_REFUSED = "resume_refused"
    """`code`."""

    UNPROVEN = "unproven"
    """Somebody had it tried at Temporal without an order on record; once for each `act`."""

    # what is done by itself
    TOLD = "told"
    """The parties were told: `subject`; of a charge point's news its `day`, too."""
    TAKEN_UP = "taken_up"
    """Its run was lost, and a new one went on: `state`."""
    RESET = "reset"
    """Its run was reset at Temporal after its end, and did nothing: `state`."""
    PARKED = "parked"
    """The records disagree, and an operator is needed: `finding`."""
    SETTLED = "settled"
    """What it had left to do at the charger is done: `cleared`, the warnings by commas."""

    # a charge point's own trail
    REQUEST_REFUSED = "request_refused"
    """A transfer of it was asked for and refused before it was one; once a day for each caller and code: `code`."""
    CONNECTED_AFRESH = "connected_afresh"
    """New credentials were made and shown, all others ended."""
    KEY_MADE = "key_made"
    """A key was made: `known_to`, what it will be once proven, and `purpose`."""
    KEY_SENT = "key_sent"
    """A key went to the charger: `purpose`, `serials`, `open_line`, `connection` (its generation), `address`; `iccid`
    and `imsi` where it named them."""
    KEY_REFUSED = "key_refused"
    """The charger refused a key: `purpose`, `answer`."""
    KEY_PROVEN = "key_proven"
    """The charger came with a new key: `purpose`, `known_to`, `serials`, `open_line`, `address`."""
    KEY_ENDED = "key_ended"
    """A key opens nothing any more: `purpose`."""
    KEY_ROTATION_ASKED = "key_rotation_asked"
    """A fresh key over the open connection was asked for."""
    ROTATES_NO = "rotates_no"
    """It was seen that the charger takes no key that it is sent: `firmware`."""
    NEW_KEY_AWAITED = "new_key_awaited"
    """The owner changed, and people know the key in use: `until_new_key`, what it opens until a new one is proven."""
    OLD_KEY_TAKEN_UP = "old_key_taken_up"
    """The charger used a key that was kept beside the current one: `purpose`, `known_to`, `address`."""
    IDENTIFIED = "identified"
    """It was restarted, for whoever stands before it to see whether it is this one."""
    TWO_HOLDERS = "two_holders"
    """Two hold its key at once; once a day: `address` of the newcomer, `holder_address` of the other."""
    ENDED_KEY_TRIED = "ended_key_tried"
    """Somebody came with a key that is over; once a day for each key: `ended_at`, `address`."""
    REFUSAL_NOT_COUNTED = "refusal_not_counted"
    """It refused over a connection that anybody could have opened, which decides nothing: `answer`, `address`."""
    SESSION_ENDED = "session_ended"
    """An operator ended a charging session by hand: `session`, `reason`; `stop` where a stop that fitted none did."""
    SESSIONS_SETTLED = "sessions_settled"
    """An operator settled what was in doubt: `sessions` and `stops` by commas, `owner_id` they are booked to, `reason`.
    """

    # a person's own trail
    ERASED = "erased"
    """What was kept about them was erased: `reason`."""


class Attempt(StrEnum):
    """What somebody may try on a transfer and be refused."""

    ACCEPT = "accept"
    DECLINE = "decline"
    CANCEL = "cancel"
    RESEND = "resend"
    RESOLVE = "resolve"
    PAUSE = "pause"
    RESUME = "resume"


#: That none is forgotten here a test sees.
_REFUSED: Final = {
    Attempt.ACCEPT: TrailAction.ACCEPT_REFUSED,
    Attempt.DECLINE: TrailAction.DECLINE_REFUSED,
    Attempt.CANCEL: TrailAction.CANCEL_REFUSED,
    Attempt.RESEND: TrailAction.RESEND_REFUSED,
    Attempt.RESOLVE: TrailAction.RESOLVE_REFUSED,
    Attempt.PAUSE: TrailAction.PAUSE_REFUSED,
    Attempt.RESUME: TrailAction.RESUME_REFUSED,
}


#: What tells of a refusal: not kept for ever.
REFUSALS: Final = frozenset({*_REFUSED.values(), TrailAction.REQUEST_REFUSED})


def of_state(state: TransferState) -> TrailAction:
    """Give the action of an entry that says which state a decision or an end led to."""
    return TrailAction(state.value)


def of_resolution(action: OperatorAction) -> TrailAction:
    """Give the action that an operator's order is noted as."""
    match action:
        case OperatorAction.RETRY:
            return TrailAction.RESOLVED_RETRY
        case OperatorAction.ROLL_BACK:
            return TrailAction.RESOLVED_ROLL_BACK
        case OperatorAction.COMPLETE:
            return TrailAction.RESOLVED_COMPLETE
        case _:
            assert_never(action)


def of_order(order: ChargerOrder) -> TrailAction:
    """Give the action that an order to a charger, outside any transfer, is noted as."""
    match order:
        case ChargerOrder.ROTATE_KEY:
            return TrailAction.KEY_ROTATION_ASKED
        case ChargerOrder.IDENTIFY:
            return TrailAction.IDENTIFIED
        case _:
            assert_never(order)


def of_refused(attempt: Attempt) -> TrailAction:
    """Give the action that a refused attempt is noted as."""
    return _REFUSED[attempt]


# --- where somebody is --------------------------------------------------------------------------------------------

#: Keys of a detail that tell where somebody is: shown for a reader's own time alone, and not kept for ever.
PLACES: Final = frozenset({"address", "holder_address", "iccid", "imsi"})
#: How long they are kept where the settings do not say.
PLACES_KEPT: Final = timedelta(days=90)


def tells_place(detail: Mapping[str, Any]) -> bool:
    """Whether a detail tells where somebody is."""
    return without_places(detail) != detail


def without_places(detail: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out of a detail what tells where somebody is, in what is nested in it too."""
    return {key: _without_places(value) for key, value in detail.items() if key not in PLACES}


def _without_places(value: Any) -> Any:
    if isinstance(value, Mapping):
        return without_places(value)
    return [_without_places(one) for one in value] if isinstance(value, list) else value


# --- what happens once --------------------------------------------------------------------------------------------
# `once` of an entry: a second one with the same text is not written to the same trail. Stored, so never respelled.

FINISHED: Final = "finished"
"""A transfer has one outcome."""
_RESENT: Final = "resent:"


def once(action: TrailAction) -> str:
    """Mark an action that a trail has once at most."""
    return action.value


def unproven(act: OrderAct) -> str:
    """Mark an act that was tried without an order."""
    return f"{TrailAction.UNPROVEN.value}:{act.value}"


def told(subject: str, reminder: int = 0) -> str:
    """Mark that the parties were told of something, or reminded of it for the `reminder`-th time."""
    return f"told:{subject}:{reminder}" if reminder else f"told:{subject}"


def told_of_news(news: OwnerNews, occasion: str) -> str:
    """Mark that owners were told a piece of news about a charge point, on a day or an occasion."""
    return told(f"{news.value}:{occasion}")


#: Marks that the parties were told of a transfer's end.
TOLD_OF_END: Final = told("ended")


def decided(decision: Decision, actor: Actor) -> str:
    """Mark an actor's decision."""
    return f"{decision.value}:{actor}"


def read_decided(mark: str) -> tuple[Decision, Actor] | None:
    """Read the decision and the actor of a mark; None of any other mark."""
    decision, _, actor = mark.partition(":")
    return (Decision(decision), Actor(actor)) if actor and decision in set(Decision) else None


def resent(order_id: OrderId) -> str:
    """Mark one order for new links."""
    return f"{_RESENT}{order_id}"


def read_resent(mark: str) -> OrderId | None:
    """Read the order of a mark; None of any other mark."""
    return OrderId(mark.removeprefix(_RESENT)) if mark.startswith(_RESENT) else None


def asked(generation: int, reminder: int) -> str:
    """Mark one question, or one reminder."""
    return f"ask:{generation}:{reminder}"


def not_delivered(generation: int, reminder: int) -> str:
    """Mark that the letters of one question were all sent back."""
    return f"{TrailAction.ASK_NOT_DELIVERABLE.value}:{generation}:{reminder}"


def code(action: TrailAction, link_id: LinkId, number: int) -> str:
    """Mark what became of one one-time code."""
    return f"{action.value}:{link_id}:{number}"


def account_opened(link_id: LinkId) -> str:
    """Mark that a link opened an account."""
    return f"{TrailAction.ACCOUNT_OPENED.value}:{link_id}"


def taken_up(run_id: str) -> str:
    """Mark one run that went on with a transfer."""
    return f"{TrailAction.TAKEN_UP.value}:{run_id}"


def noted(action: TrailAction, update: str) -> str:
    """Mark what a workflow notes, by the update that it is about; empty: none."""
    return f"{action.value}:{update}"


def held(attempt: Attempt, act: str) -> str:
    """Mark an operator's act on a step, by the act's id."""
    return f"{attempt.value}:{act}"


def attempt_refused(attempt: Attempt, actor: Actor, refusal: ErrorCode) -> str:
    """Mark what an actor was refused, by its code."""
    return f"{of_refused(attempt).value}:{actor}:{refusal.value}"


def request_refused(actor: Actor, refusal: ErrorCode, day: date) -> str:
    """Mark what an actor was refused on a day, by its code."""
    return f"{TrailAction.REQUEST_REFUSED.value}:{actor}:{refusal.value}:{day}"


def ordered(order: ChargerOrder, order_id: OrderId) -> str:
    """Mark one order that a charger be told something."""
    return f"{of_order(order).value}:{order_id}"


def carried_out(action: TrailAction, request_id: str) -> str:
    """Mark what one request led to that was carried out at once."""
    return f"{action.value}:{request_id}"


def two_holders(day: date, owner_version: int) -> str:
    """Mark that two hold the key on a day, in the time of the owner since that version of the charge point."""
    return f"{TrailAction.TWO_HOLDERS.value}:{day}{_in_the_time_of(owner_version)}"


#: Ends the mark of a try of which the owner is not told.
_UNTOLD: Final = ":awaited"


def ended_key_tried(credential_id: str, day: date, owner_version: int, *, awaited: bool = False) -> str:
    """Mark that a key that is over was tried on a day, in the time of the owner since that version.

    `awaited`: before any charger had come with the key in use, of which the owner is not told.
    """
    told = _UNTOLD if awaited else ""
    return f"{TrailAction.ENDED_KEY_TRIED.value}:{credential_id}:{day}{_in_the_time_of(owner_version)}{told}"


def is_told(once: str) -> bool:
    """Whether the owner is told of what has this mark of `ended_key_tried`."""
    return not once.endswith(_UNTOLD)


def _in_the_time_of(owner_version: int) -> str:
    return f":{owner_version}" if owner_version else ""
