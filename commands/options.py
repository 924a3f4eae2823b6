"""What is typed behind a verb, read and checked: ids, filters, ages."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Final, TypeVar

import isodate
import typer

from commands.ends import Wrong
from domain.ids import ID_PATTERN
from domain.kinds import TransferKind
from domain.transfer import Attention, OperatorAction, StepName, TransferState

Word = TypeVar("Word", bound=StrEnum)
_UNITS: Final = {"w": "weeks", "d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
_SHORT: Final = re.compile(r"(?:\d{1,9}[wdhms])+", re.IGNORECASE)
_PART: Final = re.compile(r"(\d+)([wdhms])", re.IGNORECASE)


def transfer_id(text: str) -> str:
    """Give the id of the transfer that is meant; the id of its workflow will do. Raises Wrong."""
    found = text.strip().removeprefix("transfer-")
    if not ID_PATTERN.fullmatch(found):
        raise Wrong(
            f"{text!r} is no transfer's id: that is at most 64 letters, digits, `.`, `_` or `-`, like trf_01M88QWZVJ…. "
            "`./handover list` shows them."
        )
    return found


def charge_point_id(text: str) -> str:
    """Give the id of the charge point that is meant; raises Wrong."""
    found = text.strip()
    if not ID_PATTERN.fullmatch(found):
        raise Wrong(
            f"{text!r} is no charge point's id: that is at most 64 letters, digits, `.`, `_` or `-`. "
            "`./handover charge-points list` shows them."
        )
    return found


def read_age(text: str) -> timedelta:
    """Read `90m`, `2h`, `1d12h` or ISO 8601 (`PT2H`)."""
    try:
        if _SHORT.fullmatch(text):
            return timedelta(**{_UNITS[unit.lower()]: int(number) for number, unit in _PART.findall(text)})
        age = isodate.parse_duration(text.upper())
    except (ValueError, OverflowError):
        age = None
    if not isinstance(age, timedelta) or age < timedelta():
        raise typer.BadParameter(f"{text!r} is no age; write it like 90m, 2h, 3d, 1d12h or PT2H.")
    return age


def read_attention(text: str) -> Attention:
    """Read what is waited for."""
    return _one_of(Attention, text)


def read_action(text: str) -> OperatorAction:
    """Read what an operator wants done."""
    return _one_of(OperatorAction, text)


def read_state(text: str) -> TransferState:
    """Read a state."""
    return _one_of(TransferState, text)


def read_kind(text: str) -> TransferKind:
    """Read a kind of transfer."""
    return _one_of(TransferKind, text)


def check_step(text: str) -> StepName:
    """Check the name of a step."""
    return _one_of(StepName, text)


def _words(words: type[StrEnum]) -> str:
    return ", ".join(word for word in words if word)


def _one_of(words: type[Word], text: str) -> Word:
    if not text or text not in set(words):
        raise typer.BadParameter(f"{text!r} is not one of {_words(words)}.")
    return words(text)


Id = Annotated[str, typer.Argument(metavar="ID", help="The transfer's id, `trf_…`.")]
Action = Annotated[
    OperatorAction, typer.Argument(parser=read_action, metavar="ACTION", help="retry, roll_back or complete.")
]
Step = Annotated[
    str,
    typer.Argument(callback=check_step, metavar="STEP", help="As `./handover show ID` names it, like replace_lists."),
]
Reason = Annotated[
    str, typer.Option(metavar="TEXT", help="Why; required. It goes on record, where the parties can read it.")
]
Json = Annotated[bool, typer.Option("--json", help="JSON, with the API's own fields.")]
State = Annotated[
    TransferState | None,
    typer.Option(parser=read_state, metavar="STATE", help=f"Only those in this state: {_words(TransferState)}."),
]
Waits = Annotated[
    Attention | None,
    typer.Option(
        parser=read_attention,
        metavar="WHAT",
        help=f"Only those that wait for this: {_words(Attention)}.",
    ),
]
Kind = Annotated[
    TransferKind | None,
    typer.Option(parser=read_kind, metavar="KIND", help=f"Only of this kind: {_words(TransferKind)}."),
]
Point = Annotated[str | None, typer.Option(metavar="ID", help="Only of this charge point.")]
Group = Annotated[
    str | None, typer.Option(metavar="ID", help="Only from or to this group, or of a charge point in it now.")
]
Age = Annotated[
    timedelta | None,
    typer.Option(
        parser=read_age, metavar="AGE", help="Only those requested longer ago than this: 90m, 2h, 3d or ISO 8601."
    ),
]
Limit = Annotated[int, typer.Option(min=1, metavar="N", help="How many at most, the latest first.")]


@dataclass(frozen=True)
class Filters:
    """Which transfers are wanted; None: any."""

    state: TransferState | None = None
    attention: Attention | None = None
    kind: TransferKind | None = None
    charge_point: str | None = None
    group: str | None = None
    older_than: timedelta | None = None

    def query(self) -> dict[str, str]:
        """Give the API's query parameters; an age counts from now."""
        before = None
        if self.older_than is not None:
            try:
                before = (datetime.now(UTC) - self.older_than).isoformat()
            except OverflowError:
                raise Wrong("--older-than goes back further than the calendar; give a shorter age.") from None
        asked = {
            "state": self.state,
            "attention": self.attention,
            "kind": self.kind,
            "charge_point_id": self.charge_point,
            "group_id": self.group,
            "requested_before": before,
        }
        return {name: str(value) for name, value in asked.items() if value is not None}
