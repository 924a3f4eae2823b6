"""Who is signed in at a page, where they go back to once they are, and the proof that it is still them."""

import re
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from api.dependencies import Backend
from api.pages import forms
from api.pages.cookies import Cookies
from domain.codes import VALID_FOR
from domain.errors import HandoverError, NotAuthenticated
from domain.ids import SignInCodeId
from persistence.intake.sign_ins import Here

SIGN_IN: Final = "/account/sign-in"
#: Where who is signed in begins.
HOME: Final = "/"
#: Pages that somebody may be led back to: ours, by their path alone.
_BACK: Final = re.compile(r"/(charge-points|transfers|account/passkeys)(/[A-Za-z0-9][A-Za-z0-9_.-]*){0,4}")
_BACK_FOR: Final = 15 * 60


class NotSignedIn(NotAuthenticated):
    """The page is for who is signed in."""

    def __init__(self) -> None:
        """Say what to do."""
        super().__init__("Sign in first.")


@dataclass(frozen=True)
class Proof:
    """What a form shows of it: whether a code is to be typed, and what was wrong with the last one."""

    wanted: bool = False
    sent: bool = False
    """A code is on its way."""
    passkey: bool = False
    """They have a passkey, which proves it, too."""
    error: HandoverError | None = None
    code_id: SignInCodeId | None = None
    """Of a code that was asked for just now, for the browser to keep."""


class Visitors:
    """Knows visitors by their cookies."""

    def __init__(self, backend: Backend) -> None:
        """Take what knows who is signed in."""
        self._sign_ins = backend.sign_ins
        self._sending = backend.sign_in_codes
        self._passkeys = backend.passkeys
        self.cookies = Cookies(secure=backend.options.secure)

    async def find(self, request: Request) -> Here | None:
        """Say who is signed in in this browser."""
        token = self.cookies.read(request, "sign_in")
        return await self._sign_ins.find(token) if token else None

    async def require(self, request: Request) -> Here:
        """Say who is signed in; raises NotSignedIn."""
        here = await self.find(request)
        if here is None:
            raise NotSignedIn
        return here

    def keep_back(self, answer: Response, path: str) -> None:
        """Let the browser keep where somebody wants to go once they are signed in, if it is a page of ours."""
        if _BACK.fullmatch(path):
            self.cookies.set(answer, "back", path, _BACK_FOR)

    def back(self, request: Request) -> str:
        """Say where somebody wanted to go before they signed in."""
        kept = self.cookies.read(request, "back")
        return kept if _BACK.fullmatch(kept) else HOME

    # --- the proof ------------------------------------------------------------------------------------------------

    async def prove(self, request: Request, here: Here) -> Proof:
        """Look for a proof that it is still them: a late one, or the code that they typed.

        Else a code is sent, unless they have a passkey, and do not ask for one.
        Where a proof is still wanted nothing may be done, and the form is shown again.
        """
        if here.sign_in.proven_lately:
            return Proof()
        has = self._passkeys is not None and bool(await self._passkeys.of_user(here.caller.id))
        typed, another = await forms.read(request), "another" in await forms.fields(request)
        if another or not typed.code:
            return Proof(wanted=True, passkey=True) if has and not another else await self._ask(here, has)
        try:
            typed.check_code()
            await self._sign_ins.prove_by_code(here, SignInCodeId(self.cookies.read(request, "proof")), typed.code)
        except HandoverError as error:
            return Proof(wanted=True, sent=True, passkey=has, error=error)
        return Proof()

    async def _ask(self, here: Here, has: bool) -> Proof:
        try:
            code_id = await self._sign_ins.ask_proof(here)
            await self._sending.send_sign_in_code(code_id)
        except HandoverError as error:
            return Proof(wanted=True, passkey=has, error=error)
        return Proof(wanted=True, sent=True, passkey=has, code_id=code_id)

    def keep(self, answer: Response, proof: Proof) -> Response:
        """Let the browser keep the code that was asked for."""
        if proof.code_id:
            self.cookies.set(answer, "proof", proof.code_id, int(VALID_FOR.total_seconds()))
        return answer
