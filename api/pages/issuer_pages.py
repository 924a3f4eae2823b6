"""Signing in by the issuer: the way there, and what somebody comes back with."""

import json
from datetime import UTC, datetime
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from api.dependencies import Backend
from api.issuer import Issuer, Visit
from api.pages import link_access
from api.pages.account_pages import AccountPages
from api.pages.rendering import Renderer
from api.pages.visitors import SIGN_IN, Visitors
from api.pages.words import Ending
from domain.issuer import VISIT_LASTS, IssuerRefused, NoAccountThere
from persistence.vault import SecretsUnreadable

_REFUSED: Final = "/account/oidc/refused"
_NO_ACCOUNT: Final = "/account/oidc/no-account"


class IssuerPages(AccountPages):
    """The endpoints under /account/oidc, where there is an issuer."""

    def __init__(self, backend: Backend, sheets: Renderer, visitors: Visitors, issuer: Issuer, called: str) -> None:
        """Take who is asked, and what people know it by."""
        super().__init__(backend, sheets, visitors)
        self._issuer = issuer
        self._called = called

    async def leave(self, request: Request) -> Response:
        """Send somebody there, with a visit that their browser alone can end.

        A page leads there, and not the answer itself: of a form's answer browsers follow the rule for forms
        (`form-action`), wherever it leads on.
        """
        link_access.check_origin(request, self._origin)
        visit = Visit.new()
        there = await self._issuer.way_there(visit)
        answer = self._sheets.page(request, "issuer.html", again=SIGN_IN, there=there, name=self._called)
        answer.headers["Refresh"] = f"0; url={there}"
        self._visitors.cookies.set(answer, "issuer", self._sealed(visit), int(VISIT_LASTS.total_seconds()))
        return answer

    async def come_back(self, request: Request) -> Response:
        """Sign in who comes back from there; what they came with leaves the address bar."""
        try:
            visit = self._visit(request)
            address = await self._issuer.who(visit, request.query_params)
            made = await self._backend.sign_ins.enter(address, browser=request.headers.get("user-agent", ""))
        except IssuerRefused:
            answer = self._sheets.redirect(request, _REFUSED)
        except NoAccountThere:
            answer = self._sheets.redirect(request, _NO_ACCOUNT)
        else:
            answer = self._sheets.redirect(request, self._visitors.back(request))
            self._let_in(answer, made)
        self._visitors.cookies.drop(answer, "issuer")
        return answer

    async def refused(self, request: Request) -> Response:
        """Say that it did not go through."""
        return self._ending(request, self._sheets.words(request).issuer.refused)

    async def no_account(self, request: Request) -> Response:
        """Say that there is none, or more than one: the same."""
        return self._ending(request, self._sheets.words(request).issuer.no_account)

    def _ending(self, request: Request, ending: Ending) -> Response:
        told = Ending(ending.title, ending.text.format(name=self._called))
        return self._sheets.page(request, "issuer_ending.html", 403, ending=told, good=False)

    # --- the visit, which the browser keeps sealed ----------------------------------------------------------------

    def _sealed(self, visit: Visit) -> str:
        until = (datetime.now(UTC) + VISIT_LASTS).timestamp()
        kept = {"state": visit.state, "nonce": visit.nonce, "verifier": visit.verifier, "until": until}
        return self._backend.vault.seal(json.dumps(kept).encode()).decode()

    def _visit(self, request: Request) -> Visit:
        """Give the visit that this browser is on; raises IssuerRefused."""
        try:
            kept = json.loads(self._backend.vault.unseal(self._visitors.cookies.read(request, "issuer").encode()))
        except SecretsUnreadable:
            raise IssuerRefused from None
        if kept["until"] <= datetime.now(UTC).timestamp():
            raise IssuerRefused
        return Visit(kept["state"], kept["nonce"], kept["verifier"])
