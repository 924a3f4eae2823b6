"""Passkeys at the pages: the list of somebody's own, and what the pages' script asks for and answers, in JSON."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from api.pages import link_access
from api.pages.account_pages import AccountPages
from api.pages.visitors import Proof
from api.problems import headers_of, note_away, status_of
from domain.errors import HandoverError, Unavailable
from domain.ids import PasskeyId
from domain.passkeys import CHALLENGE_LASTS, MOST, PasskeyChange, PasskeyRefused
from domain.sign_in import NotProvenLately
from persistence.intake.passkeys import Passkeys
from persistence.intake.sign_ins import Here
from persistence.vault import new_secret

#: Where somebody's own are.
PASSKEYS: Final = "/account/passkeys"


class PasskeyPages(AccountPages):
    """The endpoints under /account/passkeys; all are unknown where browsers have no passkeys for us."""

    async def show(self, request: Request) -> Response:
        """List somebody's passkeys."""
        return await self._listing(request, await self._visitors.require(request))

    async def prove_by_code(self, request: Request) -> Response:
        """Have a code sent, and take it, for a proof of who is signed in."""
        link_access.check_origin(request, self._origin)
        here = await self._visitors.require(request)
        proof = await self._visitors.prove(request, here)
        if not proof.wanted:
            return self._sheets.redirect(request, PASSKEYS)
        return self._visitors.keep(await self._listing(request, here, proof=proof), proof)

    async def remove(self, request: Request) -> Response:
        """Remove one of them."""
        link_access.check_origin(request, self._origin)
        here = await self._visitors.require(request)
        which = PasskeyId(request.path_params["passkey"])
        await self._check_that_they_are_told()
        try:
            if await self._passkeys.remove(here.sign_in, which):
                await self._backend.account_news.tell_of_passkey(here.caller.id, which, PasskeyChange.REMOVED)
        except NotProvenLately as refusal:
            return await self._listing(request, here, refusal)
        return self._sheets.redirect(request, PASSKEYS)

    # --- what the script asks for ---------------------------------------------------------------------------------

    def in_json(self, call: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        """Have a call serve our pages alone, and tell its errors as `{"error": …}` in the reader's language."""

        async def answer(request: Request) -> Response:
            try:
                link_access.check_origin(request, self._origin)
                return await call(request)
            except HandoverError as error:
                note_away(error)
                here = await self._visitors.find(request)
                words = self._sheets.words(request, here=here.caller if here else None)
                text = words.passkey.error_of(error, words)
                return JSONResponse({"error": text}, status_of(error), headers=headers_of(error))

        return answer

    async def ask_to_add(self, request: Request) -> Response:
        """Ask for a passkey to be made."""
        here = await self._who(request)
        return JSONResponse(await self._passkeys.ask_to_add(here.sign_in, self._network(request)))

    async def add(self, request: Request) -> Response:
        """Keep the passkey that was made, `{"answer": …, "name": …}`."""
        here, sent = await self._who(request), await _sent(request)
        await self._check_that_they_are_told()
        added = await self._passkeys.add(here.sign_in, _answer_in(sent), str(sent.get("name") or ""))
        await self._backend.account_news.tell_of_passkey(here.caller.id, added, PasskeyChange.ADDED)
        return JSONResponse({})

    async def ask_to_sign_in(self, request: Request) -> Response:
        """Ask for whichever passkey the reader chooses; only this browser can answer."""
        secret = self._visitors.cookies.read(request, "passkey") or new_secret()
        answer = JSONResponse(await self._passkeys.ask_to_sign_in(secret, self._network(request)))
        self._visitors.cookies.set(answer, "passkey", secret, int(CHALLENGE_LASTS.total_seconds()))
        return answer

    async def sign_in(self, request: Request) -> Response:
        """Sign in whose passkey has signed, `{"answer": …}`."""
        signed, secret = _answer_in(await _sent(request)), self._visitors.cookies.read(request, "passkey")
        made = await self._passkeys.sign_in(secret, signed, browser=request.headers.get("user-agent", ""))
        answer = JSONResponse({})
        self._let_in(answer, made)
        return answer

    async def ask_to_prove(self, request: Request) -> Response:
        """Ask for one of the passkeys of who is signed in."""
        here = await self._who(request)
        return JSONResponse(await self._passkeys.ask_to_prove(here.sign_in, self._network(request)))

    async def prove(self, request: Request) -> Response:
        """Take what a passkey has signed, `{"answer": …}`, as a proof of who is signed in."""
        here = await self._who(request)
        await self._passkeys.prove(here.sign_in, _answer_in(await _sent(request)))
        return JSONResponse({})

    # --- parts ----------------------------------------------------------------------------------------------------

    @property
    def _passkeys(self) -> Passkeys:
        if self._backend.passkeys is None:
            raise HTTPException(HTTPStatus.NOT_FOUND)
        return self._backend.passkeys

    async def _check_that_they_are_told(self) -> None:
        """Raise Unavailable where nobody could be told of a change: then nothing is changed."""
        if not await self._backend.transfers.ready():
            raise Unavailable("You could not be told of it now; try again in a moment.")

    async def _who(self, request: Request) -> Here:
        """Say who is signed in; raises NotProvenLately where nobody is: they do the same about it."""
        if (here := await self._visitors.find(request)) is None:
            raise NotProvenLately
        return here

    async def _listing(
        self, request: Request, here: Here, error: HandoverError | None = None, *, proof: Proof | None = None
    ) -> Response:
        found, proof = await self._passkeys.of_user(here.caller.id), proof or Proof()
        words = self._sheets.words(request, here=here.caller)
        failed = error or proof.error
        return self._sheets.page(
            request,
            "passkeys.html",
            status_of(failed) if failed else 200,
            again=PASSKEYS,
            here=here.caller,
            passkeys=found,
            most=MOST,
            proven=here.sign_in.proven_lately,
            proof=proof,
            error=words.passkey.error_of(failed, words) if failed else None,
        )


async def _sent(request: Request) -> dict[str, Any]:
    """Read a JSON object; raises PasskeyRefused for anything else."""
    try:
        sent = await request.json()
    except (ValueError, RecursionError):
        raise PasskeyRefused from None
    if not isinstance(sent, dict):
        raise PasskeyRefused
    return sent


def _answer_in(sent: dict[str, Any]) -> dict[str, Any]:
    answer = sent.get("answer")
    if not isinstance(answer, dict):
        raise PasskeyRefused
    return answer
