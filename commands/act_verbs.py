"""The verbs that act on a transfer: resolve, cancel, resend, pause, resume."""

from collections.abc import Mapping
from typing import Any

import typer

from commands.api import api
from commands.ends import Wrong, plainly
from commands.options import Action, Id, Json, Reason, Step, transfer_id
from commands.tables import line, write_json


def resolve(which: Id, action: Action, reason: Reason = "", as_json: Json = False) -> None:
    """Take a transfer on that is stuck, as an operator.

    `retry` tries the step again now, at any time. `roll_back` undoes everything in reverse order; possible until the
    charger has proven its new credentials, or its connection was deleted. `complete` leaves the step undone and goes
    on, with a warning: steps at the charger only, never the change of ownership, never a compensation.
    `./handover show ID` says what each of them would do now.
    """
    _act(which, "resolve", with_reason({"action": action.value}, reason), as_json=as_json)


def cancel(which: Id, as_json: Json = False) -> None:
    """Cancel a transfer, as who asked for it or as the present owner.

    Possible until the change of ownership begins. What was done by then is undone. An operator who is neither uses
    `./handover resolve ID roll_back`.
    """
    _act(which, "cancel", None, as_json=as_json)


def resend(which: Id, as_json: Json = False) -> None:
    """Ask the recipient of a transfer anew, as who asked for it or as an operator.

    Possible while it waits for acceptance. They get a new link at once; older ones, and their codes, are dead.
    """
    _act(which, "resend", None, as_json=as_json)


def pause(which: Id, step: Step, reason: Reason = "", as_json: Json = False) -> None:
    """Hold a step that is being tried, as an operator: no further try begins until `resume`.

    A try that is under way may still end, and succeed. The time that the step's retries may take in all (1 hour by
    default) runs on: where it is over, the transfer waits for an operator, at the latest once the step is resumed.
    """
    _act(which, "pause", with_reason({"step": step}, reason), as_json=as_json)


def resume(which: Id, step: Step, reason: Reason = "", as_json: Json = False) -> None:
    """Let a paused step be tried again, at once, as an operator."""
    _act(which, "resume", with_reason({"step": step}, reason), as_json=as_json)


def with_reason(body: dict[str, Any], reason: str) -> dict[str, Any]:
    """Add the reason to a body; one has to be given."""
    if not reason.strip():
        raise typer.BadParameter("say why, like --reason 'gateway was down': it goes on record.", param_hint="--reason")
    return body | {"reason": reason}


def _act(which: str, call: str, body: Mapping[str, Any] | None, *, as_json: bool) -> None:
    """Make one call on a transfer, and print how the transfer stands then."""
    with plainly(), api() as opened:
        transfer = opened.post(f"/transfers/{transfer_id(which)}/{call}", body)
        if "id" not in transfer:
            raise Wrong("The API answered something else than a transfer; look at it with `./handover show ID`.")
        if as_json:
            write_json(transfer)
        else:
            typer.echo(line(transfer))
