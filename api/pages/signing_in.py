"""The pages for signing in: an address, the code that is sent to it, where somebody is signed in, and the end of it."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from api.pages import forms, link_access
from api.pages.account_pages import AccountPages
from api.pages.visitors import HOME, SIGN_IN
from api.problems import headers_of, note_away, status_of
from domain.codes import VALID_FOR, CodeExpired, NoCodeSent, TriesUsedUp
from domain.contact import parse_address, region_of
from domain.errors import HandoverError, Refusal
from domain.ids import SignInCodeId, SignInId
from domain.languages import wishes
from domain.sign_in import CodeSpent
from persistence.intake.sign_ins import Here

_SIGN_INS: Final = "/account/sign-ins"
_CODE: Final = "/account/code"
#: What a code that can't be typed any more is refused with: another one has to be asked for.
_OVER: Final = (CodeExpired, CodeSpent, NoCodeSent, TriesUsedUp)


class SigningIn(AccountPages):
    """The endpoints under /account."""

    async def ask(self, request: Request) -> Response:
        """Show where an address is typed; who is signed in already is led on."""
        if await self._visitors.find(request) is not None:
            return self._sheets.redirect(request, HOME)
        return self._asking(request)

    async def send_code(self, request: Request) -> Response:
        """Have a code sent to whoever has the address, and lead to where it is typed, whether anybody has."""
        link_access.check_origin(request, self._origin)
        typed = str((await request.form(max_files=0, max_fields=2)).get("address") or "")
        try:
            address = parse_address(typed, _region(request))
            code_id = await self._backend.sign_ins.ask(address, self._network(request))
            await self._backend.sign_in_codes.send_sign_in_code(code_id)
        except HandoverError as error:
            note_away(error)
            return self._asking(request, error, typed)
        answer = self._sheets.redirect(request, _CODE)
        self._visitors.cookies.set(answer, "code", code_id, int(VALID_FOR.total_seconds()))
        return answer

    async def code_form(self, request: Request) -> Response:
        """Show where the code is typed."""
        if not self._visitors.cookies.read(request, "code"):
            return self._sheets.redirect(request, SIGN_IN)
        return self._typing(request)

    async def enter(self, request: Request) -> Response:
        """Sign in who has typed the right code, in the browser in which it was asked for."""
        link_access.check_origin(request, self._origin)
        code_id = SignInCodeId(self._visitors.cookies.read(request, "code"))
        typed = await forms.read(request)
        try:
            typed.check_code()
            made = await self._backend.sign_ins.use(code_id, typed.code, browser=request.headers.get("user-agent", ""))
        except Refusal as refusal:
            return self._typing(request, refusal)
        answer = self._sheets.redirect(request, self._visitors.back(request))
        self._let_in(answer, made)
        self._visitors.cookies.drop(answer, "code")
        return answer

    async def show(self, request: Request) -> Response:
        """List where somebody is signed in."""
        here = await self._visitors.require(request)
        found = await self._backend.sign_ins.of_user(here.caller.id)
        shown: dict[str, Any] = {"this": here.sign_in, "sign_ins": found, "passkeys": self._has_passkeys}
        return self._sheets.page(request, "sign_ins.html", here=here.caller, **shown)

    async def end_one(self, request: Request) -> Response:
        """End one of somebody's sign-ins."""
        which = SignInId(request.path_params["sign_in"])
        return await self._ended(request, lambda here: self._backend.sign_ins.end(here.caller.id, which))

    async def end_others(self, request: Request) -> Response:
        """End all of somebody's sign-ins but this one."""
        return await self._ended(
            request, lambda here: self._backend.sign_ins.end_all(here.caller.id, but=here.sign_in.id)
        )

    async def sign_out(self, request: Request) -> Response:
        """End the sign-in of this browser."""
        link_access.check_origin(request, self._origin)
        if (here := await self._visitors.find(request)) is not None:
            await self._backend.sign_ins.end(here.caller.id, here.sign_in.id)
        answer = self._sheets.redirect(request, SIGN_IN)
        self._visitors.cookies.drop(answer, "sign_in")
        self._visitors.keep_back(answer, (await forms.fields(request)).get("back", ""))
        return answer

    async def _ended(self, request: Request, end: Callable[[Here], Awaitable[None]]) -> Response:
        link_access.check_origin(request, self._origin)
        await end(await self._visitors.require(request))
        return self._sheets.redirect(request, _SIGN_INS)

    # --- pages ----------------------------------------------------------------------------------------------------

    def _asking(self, request: Request, error: HandoverError | None = None, typed: str = "") -> Response:
        offered = {"passkeys": self._has_passkeys, "home": self._visitors.back(request), "issuer": self._issuer_called}
        return self._form(request, "sign_in.html", error, again=SIGN_IN, typed=typed[:254], **offered)

    def _typing(self, request: Request, error: HandoverError | None = None) -> Response:
        return self._form(request, "sign_in_code.html", error, again=_CODE, over=isinstance(error, _OVER))

    def _form(
        self, request: Request, template: str, error: HandoverError | None, *, again: str, **values: Any
    ) -> Response:
        words = self._sheets.words(request)
        text = words.sign_in.error_of(error, words) if error else None
        status = status_of(error) if error else 200
        answer = self._sheets.page(request, template, status, again=again, error=text, **values)
        if error:
            answer.headers.update(headers_of(error))
        return answer


def _region(request: Request) -> str | None:
    """Guess in which country a phone number without one is dialled: where the browser's first language is from."""
    found = (region_of(wish) for wish in wishes(request.headers.get("accept-language", "")))
    return next((region for region in found if region), None)
