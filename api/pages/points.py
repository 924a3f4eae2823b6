"""The pages of charge points: which there are, one with its history, its settings, its key."""

import secrets
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from api.actions import actions
from api.acts import connecting
from api.pages import forms, link_access
from api.pages.account_pages import AccountPages
from api.pages.visitors import Proof
from api.problems import note_away, status_of
from domain.charger import RestartAnswer
from domain.charger_orders import ChargerOrder
from domain.errors import HandoverError
from domain.ids import ChargePointId, GroupId
from domain.transfer import TransferState
from domain.transitions import Action
from persistence.intake.sign_ins import Here
from persistence.people.callers import Caller
from persistence.views.names import Names
from persistence.views.reads import ChargePointView
from persistence.views.transfer_filter import TransferFilter
from persistence.views.transfer_views import TransferView

#: So many charge points, transfers and periods stand on a page.
_PAGE: Final = 100


@dataclass(frozen=True)
class Team:
    """A group's charge points."""

    name: str
    personal: bool
    points: tuple[ChargePointView, ...]


class PointPages(AccountPages):
    """The endpoints at / and under /charge-points."""

    async def home(self, request: Request) -> Response:
        """List what waits for the reader, then the charge points of their groups."""
        here = await self._visitors.require(request)
        after = request.query_params.get("after", "")
        found = await self._backend.reads.charge_points(here.caller, after=after, limit=_PAGE + 1)
        points, more = found[:_PAGE], found[_PAGE - 1].id if len(found) > _PAGE else None
        offers = [] if after else await self._offers(here.caller)
        names = await self._backend.names.of(
            users={*(point.owner_id for point in points), *(offer.requested_by for offer in offers)},
            groups={point.group_id for point in points},
            points={offer.charge_point_id for offer in offers},
        )
        return self._sheets.page(
            request,
            "home.html",
            here=here.caller,
            teams=_by_group(points, names),
            names=names,
            offers=offers,
            due=[point for point in points if point.key_due and point.owner_id == here.caller.id],
            more=more,
        )

    async def show(self, request: Request) -> Response:
        """Show one charge point."""
        here = await self._visitors.require(request)
        point = await self._point(request, here)
        periods = await self._backend.reads.ownership(here.caller, point.id, limit=_PAGE)
        names = await self._backend.names.of(
            users={point.owner_id, *(period.owner_id for period in periods)},
            groups={point.group_id, *(period.group_id for period in periods)},
        )
        return self._page(request, here, point, "point.html", names=names, periods=periods[::-1])

    async def settings(self, request: Request) -> Response:
        """Show what can be done with a charge point."""
        here = await self._visitors.require(request)
        return self._settings(request, here, await self._point(request, here))

    async def identify(self, request: Request) -> Response:
        """Restart the charger, for whoever stands before it to see whether it is this one."""
        link_access.check_origin(request, self._origin)
        here = await self._visitors.require(request)
        point, typed = await self._point(request, here), await forms.fields(request)
        try:
            order_id = await connecting.order(
                self._backend, here.caller, point.id, ChargerOrder.IDENTIFY, typed.get("key")
            )
            answer = await self._backend.chargers.identify(point.id, order_id)
        except HandoverError as error:
            note_away(error)
            return self._settings(request, here, point, error)
        return self._settings(request, here, point, answer=answer)

    async def new_key(self, request: Request) -> Response:
        """Make a new key, and show it this once."""
        link_access.check_origin(request, self._origin)
        here = await self._visitors.require(request)
        point, typed = await self._point(request, here), await forms.fields(request)
        if "sure" not in typed:
            return self._settings(request, here, point, key=typed.get("key"), sure=True)
        proof = await self._visitors.prove(request, here)
        if proof.wanted:
            return self._visitors.keep(self._settings(request, here, point, proof=proof, key=typed.get("key")), proof)
        try:
            point, password = await connecting.connect_afresh(self._backend, here.caller, point.id, typed.get("key"))
        except HandoverError as error:
            note_away(error)
            return self._settings(request, here, point, error)
        return self._page(request, here, point, "new_key.html", again="/settings", password=password)

    # --- parts ----------------------------------------------------------------------------------------------------

    async def _point(self, request: Request, here: Here) -> ChargePointView:
        return await self._backend.reads.charge_point(here.caller, ChargePointId(request.path_params["point"]))

    async def _offers(self, caller: Caller) -> list[TransferView]:
        asked = TransferFilter(state=TransferState.AWAITING_ACCEPTANCE)
        found = await self._backend.transfer_reads.page(caller, asked, _PAGE)
        return [view for view in found if Action.ACCEPT in actions(view, caller)]

    def _settings(
        self,
        request: Request,
        here: Here,
        point: ChargePointView,
        error: HandoverError | None = None,
        *,
        proof: Proof | None = None,
        key: str | None = None,
        sure: bool = False,
        answer: RestartAnswer | None = None,
    ) -> Response:
        fresh, proof = secrets.token_urlsafe(16), proof or Proof()
        failed = error or proof.error
        values = {"proof": proof, "answer": answer, "key": key or fresh, "failed": failed, "sure": sure}
        status = status_of(failed) if failed else 200
        return self._page(request, here, point, "point_settings.html", status, again="/settings", **values)

    def _page(
        self,
        request: Request,
        here: Here,
        point: ChargePointView,
        template: str,
        status: int = 200,
        *,
        again: str = "",
        **values: Any,
    ) -> Response:
        path = f"/charge-points/{point.id}"
        mine = point.owner_id == here.caller.id
        return self._sheets.page(
            request, template, status, again=path + again, here=here.caller, point=point, path=path, mine=mine, **values
        )


def _by_group(points: list[ChargePointView], names: Names) -> list[Team]:
    def name_of(point: ChargePointView) -> tuple[str, GroupId]:
        return names.groups.get(point.group_id, ""), point.group_id

    return [
        Team(name, group_id in names.personal, tuple(sorted(of_group, key=lambda point: (point.name, point.id))))
        for (name, group_id), of_group in groupby(sorted(points, key=name_of), name_of)
    ]
