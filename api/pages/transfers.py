"""The pages of transfers: which there are, one with its steps as they are done, and its parties' decisions."""

import secrets
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from api.actions import actions
from api.acts import deciding
from api.pages import forms, link_access
from api.pages.account_pages import AccountPages
from api.pages.deadlines import calendar
from api.pages.rendering import qr_code
from api.pages.visitors import Proof
from api.problems import headers_of, note_away, status_of
from domain.approval import Decision
from domain.errors import HandoverError, NotFound
from domain.ids import TransferId
from domain.transfer import (
    DEVICE_STEPS,
    FINAL,
    Acceptance,
    Connection,
    StepName,
    StepState,
    TransferState,
    UntilNewKey,
    device_steps,
)
from domain.transitions import Action
from persistence.intake.sign_ins import Here
from persistence.views.reads import ChargePointView
from persistence.views.transfer_filter import TransferFilter
from persistence.views.transfer_views import TransferView

_DECISIONS: Final = {decision.value: decision for decision in (Decision.ACCEPT, Decision.DECLINE, Decision.CANCEL)}
_PAGE: Final = 50
_COMPLETED: Final = frozenset({TransferState.COMPLETED, TransferState.COMPLETED_WITH_WARNINGS})


class TransferPages(AccountPages):
    """The endpoints under /transfers."""

    async def list(self, request: Request) -> Response:
        """List the transfers that the reader has a part in, the latest first."""
        here = await self._visitors.require(request)
        found = await self._backend.transfer_reads.page(here.caller, TransferFilter(), _PAGE)
        names = await self._backend.names.of(
            points={view.charge_point_id for view in found},
            users={view.target.owner_id for view in found if view.target},
            groups={view.target.group_id for view in found if view.target},
        )
        return self._sheets.page(request, "transfers.html", here=here.caller, transfers=found, names=names)

    async def show(self, request: Request) -> Response:
        """Show one transfer, as its reader may know it."""
        here = await self._visitors.require(request)
        return await self._shown(request, here, await self._view(request, here))

    async def progress(self, request: Request) -> Response:
        """Give the part that changes by itself; once more than its steps has changed, have the page loaded anew."""
        here = await self._visitors.require(request)
        view = await self._view(request, here)
        answer = await self._shown(request, here, view, template="transfer_progress.html")
        if request.query_params.get("seen") != _standing(view):
            answer.headers["HX-Refresh"] = "true"
        return answer

    async def deadline(self, request: Request) -> Response:
        """Give the deadline for a calendar."""
        here = await self._visitors.require(request)
        view = await self._view(request, here)
        if view.state is not TransferState.AWAITING_ACCEPTANCE or view.expires_at is None:
            raise NotFound("It has no deadline any more.")
        names = await self._backend.names.of(points=[view.charge_point_id])
        words = self._sheets.words(request, here=here.caller)
        said = words.transfers.reminder.format(point=names.points[view.charge_point_id].name)
        return calendar(view.id, said, view.expires_at, f"{self._origin}/transfers/{view.id}")

    async def decide(self, request: Request) -> Response:
        """Take a party's decision, or have the recipient asked anew; the same form again changes nothing."""
        link_access.check_origin(request, self._origin)
        here = await self._visitors.require(request)
        act, typed = request.path_params["act"], await forms.read(request)
        transfer, key = TransferId(request.path_params["transfer"]), (await forms.fields(request)).get("key")
        try:
            if act == Action.RESEND.value:
                await deciding.resend(self._backend, here.caller, transfer, key)
                return self._sheets.redirect(request, f"/transfers/{transfer}?resent=1")
            if (decision := _DECISIONS.get(act)) is None:
                raise HTTPException(404)
            if decision is Decision.ACCEPT:
                proof = await self._visitors.prove(request, here)
                if proof.wanted:
                    view = await self._view(request, here)
                    shown = await self._shown(request, here, view, proof.error, proof=proof, key=key, typed=typed)
                    return self._visitors.keep(shown, proof)
            choice = typed.until_new_key if decision is Decision.ACCEPT else None
            await deciding.decide(self._backend, here.caller, transfer, decision, key, choice)
        except HandoverError as error:
            note_away(error)
            return await self._shown(request, here, await self._view(request, here), error)
        return self._sheets.redirect(request, f"/transfers/{transfer}")

    async def back(self, request: Request) -> Response:
        """Lead who opens the address of an act back to the transfer."""
        return self._sheets.redirect(request, f"/transfers/{request.path_params['transfer']}")

    # --- parts ----------------------------------------------------------------------------------------------------

    async def _view(self, request: Request, here: Here) -> TransferView:
        return await self._backend.transfer_reads.one(here.caller, TransferId(request.path_params["transfer"]))

    async def _shown(
        self,
        request: Request,
        here: Here,
        view: TransferView,
        error: HandoverError | None = None,
        *,
        template: str = "transfer.html",
        proof: Proof | None = None,
        key: str | None = None,
        typed: forms.Typed | None = None,
    ) -> Response:
        acts, path = actions(view, here.caller), f"/transfers/{view.id}"
        shown = view.state is not TransferState.REQUESTED and view.state is not TransferState.REFUSED
        offer = await self._backend.link_reads.offer(view.id) if shown else None
        point = await self._point(here, view)
        holding = (view.target if view.state in _COMPLETED else None) or view.origin
        sides = [view.origin, *([view.target] if view.target else [])]
        names = await self._backend.names.of(
            users={view.requested_by, *(side.owner_id for side in sides)},
            groups={side.group_id for side in sides},
            points=[view.charge_point_id],
        )
        words = self._sheets.words(request, here=here.caller)
        values: dict[str, Any] = {
            "view": view,
            "names": names,
            "point": names.points[view.charge_point_id],
            "seen_point": point,
            "left_out": _left_out(view),
            "typed_address": offer.address if offer and view.requested_by == here.caller.id else None,
            "holding": holding,
            "acts": [act.value for act in acts],
            "asked": offer if Action.ACCEPT in acts else None,
            "follows": words.follows_of(offer, self._backend.options.policy.offline_deadline) if offer else (),
            "final": view.state in FINAL,
            "standing": _standing(view),
            "received": _received(view, here),
            "connect": view.connection is Connection.DELETE,
            "types_key": point is not None and point.key_due,
            "chosen": (typed.until_new_key if typed else None) or UntilNewKey.SERVE,
            "code": qr_code(f"{self._origin}{path}") if Action.RESEND in acts else None,
            "resent": "resent" in request.query_params,
            "proof": proof or Proof(),
            "key": key or secrets.token_urlsafe(16),
            "failed": error,
        }
        status = status_of(error) if error else 200
        answer = self._sheets.page(request, template, status, again=path, path=path, here=here.caller, **values)
        if error:
            answer.headers.update(headers_of(error))
        return answer

    async def _point(self, here: Here, view: TransferView) -> ChargePointView | None:
        """Give the charge point where the reader may see it now."""
        try:
            return await self._backend.reads.charge_point(here.caller, view.charge_point_id)
        except NotFound:
            return None


def _left_out(view: TransferView) -> frozenset[StepName]:
    """Give the steps that this transfer will not take: they are skipped as their turn comes."""
    target = view.target
    taken = device_steps(
        owner_changes=target is None or target.owner_id != view.origin.owner_id,
        group_changes=target is None or target.group_id != view.origin.group_id,
        connection=view.connection,
    ).names
    asks = {StepName.ASK_RECIPIENT} if view.acceptance is Acceptance.NOT_REQUIRED else set()
    begun = {step.name for step in view.steps if step.state is not StepState.PENDING}
    return frozenset((DEVICE_STEPS - set(taken)) | asks) - begun


def _standing(view: TransferView) -> str:
    """Say in a word how it stands: while that is the same only its steps can have changed."""
    return f"{view.state.value}.{view.attention.value}"


def _received(view: TransferView, here: Here) -> bool:
    """Whether the reader owns it since, who did not before."""
    if view.state not in _COMPLETED or view.target is None:
        return False
    return view.target.owner_id == here.caller.id != view.origin.owner_id
