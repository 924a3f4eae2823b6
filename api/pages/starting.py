"""The pages on which a transfer is started: which kind, to whom, what will happen, the start."""

import secrets
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

import isodate
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from api.acts import starting
from api.bodies import body_of
from api.pages import forms, link_access
from api.pages.account_pages import AccountPages
from api.pages.visitors import Proof
from api.problems import headers_of, note_away, status_of
from domain.contact import parse_address, region_of
from domain.errors import HandoverError, InvalidRequest
from domain.ids import ChargePointId
from domain.kinds import FoundBy, TransferKind, rules_of
from domain.rights import ToOneself
from domain.transfer import Acceptance, Connection, IfOffline, RunningSession
from persistence.intake.sign_ins import Here
from persistence.views.prospects import Prospect
from persistence.views.reads import ChargePointView

#: What a form may say of a transfer; all else in it is left alone.
_FIELDS: Final = ("group_id", "user_id", "recipient", "message", "expires_in", "running_session", "if_offline")
#: How long a recipient may be given to answer, beside what is usual.
_EXPIRIES: Final = tuple(timedelta(days=days) for days in (1, 3, 7, 14, 30, 60))


class NotChosen(InvalidRequest):
    """A form was sent without whom, or where to."""

    def __init__(self) -> None:
        """Say what to do."""
        super().__init__("Choose to whom, or where.")


class StartPages(AccountPages):
    """The endpoints under /charge-points/{point}/transfer."""

    async def options(self, request: Request) -> Response:
        """Show the kinds of transfer, and why one is not open to the reader."""
        here = await self._visitors.require(request)
        point = await self._point(request, here)
        prospects = await self._backend.prospects.of(here.caller, point.id)
        names = await self._backend.names.of(users=[point.owner_id])
        owner = names.users[point.owner_id]
        return self._page(request, here, point, "options.html", prospects=prospects, owner=owner)

    async def form(self, request: Request) -> Response:
        """Show what is asked for a kind of transfer."""
        here = await self._visitors.require(request)
        kind = _kind(request)
        return await self._form(request, here, await self._point(request, here), kind, {})

    async def check(self, request: Request) -> Response:
        """Show what will happen, or, to change something, the form again."""
        link_access.check_origin(request, self._origin)
        here = await self._visitors.require(request)
        kind, point, typed = _kind(request), await self._point(request, here), await forms.fields(request)
        if "edit" in typed:
            return await self._form(request, here, point, kind, typed)
        return await self._checked(request, here, point, kind, typed)

    async def back(self, request: Request) -> Response:
        """Lead who opens the address of a start back to its form."""
        return self._sheets.redirect(request, _path(request.path_params["point"], _kind(request)))

    async def start(self, request: Request) -> Response:
        """Start it, and lead to its page; the same form again starts nothing anew."""
        link_access.check_origin(request, self._origin)
        here = await self._visitors.require(request)
        kind, point, typed = _kind(request), await self._point(request, here), await forms.fields(request)
        proof = await self._visitors.prove(request, here)
        if proof.wanted:
            return self._visitors.keep(await self._checked(request, here, point, kind, typed, proof=proof), proof)
        try:
            body = _body(kind, typed)
            view, _ = await starting.start(self._backend, here.caller, point.id, body, typed.get("key"))
            transfer_id = view.id
        except starting.Kept as kept:
            note_away(kept)
            transfer_id = kept.transfer_id
        except HandoverError as error:
            note_away(error)
            return await self._checked(request, here, point, kind, typed, error)
        return self._sheets.redirect(request, f"/transfers/{transfer_id}")

    # --- pages ----------------------------------------------------------------------------------------------------

    async def _checked(
        self,
        request: Request,
        here: Here,
        point: ChargePointView,
        kind: TransferKind,
        typed: Mapping[str, str],
        error: HandoverError | None = None,
        *,
        proof: Proof | None = None,
    ) -> Response:
        try:
            body = _body(kind, typed)
            tried = await starting.rehearse(self._backend, here.caller, point.id, body)
        except InvalidRequest as wrong:
            return await self._form(request, here, point, kind, typed, wrong)
        if own := next((one for one in tried.blockers if isinstance(one, ToOneself)), None):
            return await self._form(request, here, point, kind, typed, own)
        prospect = await self._prospect(here, point, kind)
        chosen = typed.get("group_id") or typed.get("user_id")
        named = [target for target in prospect.targets if target.id == chosen]
        if chosen and not named and not tried.blockers:
            return await self._form(request, here, point, kind, typed, NotChosen())
        proof, rules = proof or Proof(), rules_of(kind)
        blockers = [] if error else tried.blockers
        failed = error or next(iter(blockers), None) or proof.error
        names = await self._backend.names.of(users=[point.owner_id])
        owner, to = names.users[point.owner_id], named[0].name if named else ""
        to = to or _shown_address(typed.get("recipient", ""), here)
        if not tried.planned.owner_changes:
            owner_after = here.caller.name if point.owner_id == here.caller.id else owner
        else:
            owner_after = to if rules.found_by is not FoundBy.GROUP_ID else here.caller.name
        return self._page(
            request,
            here,
            point,
            "check.html",
            status_of(failed) if failed else 200,
            kind=kind,
            kept={name: typed[name] for name in (*_FIELDS, "delete") if name in typed},
            key=typed.get("key") or secrets.token_urlsafe(16),
            to=to,
            owner_after=owner_after,
            asks=rules.acceptance is Acceptance.REQUIRED,
            span=isodate.parse_duration(typed["expires_in"]) if "expires_in" in typed else self._expiry,
            told=owner if tried.planned.takes_from_owner else None,
            planned=tried.planned,
            steps=tried.steps.names,
            supported=tried.supported,
            failed=failed,
            blocked=bool(blockers),
            proof=proof,
        )

    async def _form(
        self,
        request: Request,
        here: Here,
        point: ChargePointView,
        kind: TransferKind,
        typed: Mapping[str, str],
        error: HandoverError | None = None,
    ) -> Response:
        prospect = await self._prospect(here, point, kind)
        if prospect.refusal is not None:
            return self._sheets.redirect(request, f"/charge-points/{point.id}/transfer")
        usual = self._expiry
        return self._page(
            request,
            here,
            point,
            "start.html",
            status_of(error) if error else 200,
            prospect=prospect,
            kind=kind,
            rules=rules_of(kind),
            by_address=rules_of(kind).found_by is FoundBy.RECIPIENT,
            typed=typed,
            expiries={isodate.duration_isoformat(one): one for one in sorted({usual, *_EXPIRIES})},
            usual=isodate.duration_isoformat(usual),
            offline_deadline=self._backend.options.policy.offline_deadline,
            running=RunningSession,
            if_offline=IfOffline,
            failed=error,
            unchosen=isinstance(error, NotChosen),
        )

    def _page(
        self,
        request: Request,
        here: Here,
        point: ChargePointView,
        template: str,
        status: int = 200,
        *,
        kind: TransferKind | None = None,
        failed: HandoverError | None = None,
        **values: Any,
    ) -> Response:
        path = _path(point.id, kind)
        answer = self._sheets.page(
            request,
            template,
            status,
            again=path,
            path=path,
            here=here.caller,
            point=point,
            kind=kind,
            failed=failed,
            **values,
        )
        if failed:
            answer.headers.update(headers_of(failed))
        return answer

    # --- parts ----------------------------------------------------------------------------------------------------

    @property
    def _expiry(self) -> timedelta:
        return self._backend.options.default_expiry

    async def _point(self, request: Request, here: Here) -> ChargePointView:
        return await self._backend.reads.charge_point(here.caller, ChargePointId(request.path_params["point"]))

    async def _prospect(self, here: Here, point: ChargePointView, kind: TransferKind) -> Prospect:
        found = await self._backend.prospects.of(here.caller, point.id)
        return next(one for one in found if one.kind is kind)


def _path(point: str, kind: TransferKind | None) -> str:
    return f"/charge-points/{point}/transfer" + (f"/{kind.value.replace('_', '-')}" if kind else "")


def _kind(request: Request) -> TransferKind:
    """Read the kind of an address; raises 404 for none."""
    word = request.path_params["kind"].replace("-", "_")
    if word not in set(TransferKind):
        raise HTTPException(404)
    return TransferKind(word)


def _body(kind: TransferKind, typed: Mapping[str, str]) -> starting.Body:
    """Make the body that the API takes of what was typed; raises InvalidRequest."""
    rules, shape = rules_of(kind), body_of(kind)
    wanted: dict[str, str] = {name: typed[name] for name in _FIELDS if name in typed and name in shape.model_fields}
    if rules.found_by.value not in wanted:
        raise NotChosen
    if rules.may_delete and "delete" in typed:
        wanted["connection"] = Connection.DELETE.value
    try:
        return shape.model_validate({"kind": kind, **wanted})
    except ValidationError as error:
        raise InvalidRequest("Something in the form can't be read.") from error


def _shown_address(typed: str, here: Here) -> str:
    """Give an address as it is read, which people check better than what they typed."""
    return parse_address(typed, region_of(here.caller.locale)).value if typed else ""
