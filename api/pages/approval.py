"""The approval link: what is offered, the one-time code, the answer. Looking changes nothing."""

from typing import Any, Final, Protocol

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api.dependencies import Parts
from api.pages.words import words_for
from api.problems import RETRY_AFTER_SECONDS, note_away, status_of, text_of
from domain.approval import Decision
from domain.errors import AlreadyDecided, ErrorCode, HandoverError, InvalidRequest, NotFound, Refusal
from persistence.link_reads import LinkState, LinkView
from telemetry.subject import learn

_ANSWERS: Final = {decision.value: decision for decision in (Decision.ACCEPT, Decision.DECLINE)}
_GONE: Final = 410
_CODE_LENGTH: Final = 6
_IGNORED_IN_CODES: Final = str.maketrans("", "", " -\t\u00a0\u202f")


class Renders(Protocol):
    """Renders one template."""

    def __call__(self, request: Request, template: str, status: int = 200, **values: Any) -> Response:
        """Give the page."""
        ...


class ApprovalPages:
    """The endpoints under /t/{token}."""

    def __init__(self, parts: Parts, page: Renders) -> None:
        """Take the parts, and what renders a template."""
        self._parts = parts
        self._page = page

    async def show(self, request: Request) -> Response:
        """Show what is offered."""
        link = await self._link(request)
        if link.state is not LinkState.OPEN:
            return self._ended(request, link)
        return self._offer(request, link)

    async def send_code(self, request: Request) -> Response:
        """Send a code, then lead to where it is typed: a reload there sends no second one."""
        link = await self._link(request)
        if link.state is not LinkState.OPEN:
            return self._ended(request, link)
        try:
            await self._parts.transfers.send_code(link.id, await self._parts.codes.ask(link.id))
        except HandoverError as error:
            note_away(error)
            render = self._typing if link.code_sent else self._offer
            return render(request, link, error)
        return RedirectResponse(f"{_path(request)}/code", 303)

    async def code_form(self, request: Request) -> Response:
        """Show where the code is typed."""
        link = await self._link(request)
        if link.state is not LinkState.OPEN:
            return self._ended(request, link)
        return self._typing(request, link)

    async def back(self, request: Request) -> Response:
        """Lead who opens the address of an answer back to what is offered."""
        _answer(request)
        return RedirectResponse(_path(request), 303)

    async def decide(self, request: Request) -> Response:
        """Take the answer, if the code is right; the same answer with the same code may come again."""
        decision, link = _answer(request), await self._link(request)
        if link.state is LinkState.REPLACED:
            return self._ended(request, link)
        actor = f"link:{link.id}"
        try:
            code = await _typed_code(request)
        except InvalidRequest as malformed:
            return await self._refused(request, malformed)
        try:
            await self._parts.codes.use(link.id, code, decision)
            await self._parts.transfers.decide(link.transfer_id, decision, actor=actor, actor_id=None, link_id=link.id)
        except Refusal as refusal:
            await self._parts.doorway.note_refused_attempt(
                link.transfer_id, actor=actor, attempt=decision.value, code=refusal.code
            )
            return await self._refused(request, refusal)
        except HandoverError as error:
            note_away(error)
            return self._typing(request, link, error, unsure=True)
        words = words_for(request.headers.get("accept-language", ""))
        ending = words.accepted if decision is Decision.ACCEPT else words.declined
        return self._page(request, "ending.html", ending=ending, good=True)

    async def _link(self, request: Request) -> LinkView:
        link = await self._parts.links.by_token(request.path_params["token"])
        if link is None:
            await self._parts.doorway.note_miss(request.client.host if request.client else "")
            raise NotFound("There is no such link.")
        learn(transfer_id=link.transfer_id)
        return link

    async def _refused(self, request: Request, refusal: Refusal) -> Response:
        """Let the reader try again where that can help; else say how it stands by now."""
        link = await self._link(request)
        if link.state is not LinkState.OPEN:
            return self._ended(request, link, status_of(refusal) if isinstance(refusal, AlreadyDecided) else _GONE)
        return self._typing(request, link, refusal)

    def _offer(self, request: Request, link: LinkView, error: HandoverError | None = None) -> Response:
        return self._form(request, "offer.html", link, error)

    def _typing(
        self, request: Request, link: LinkView, error: HandoverError | None = None, *, unsure: bool = False
    ) -> Response:
        return self._form(request, "code.html", link, error, unsure=unsure)

    def _form(
        self, request: Request, template: str, link: LinkView, error: HandoverError | None, *, unsure: bool = False
    ) -> Response:
        words = words_for(request.headers.get("accept-language", ""))
        text = (words.unsure if unsure else text_of(error)) if error else None
        answer = self._page(
            request, template, status_of(error) if error else 200, link=link, path=_path(request), error=text
        )
        if error and error.code is ErrorCode.UNAVAILABLE:
            answer.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
        return answer

    def _ended(self, request: Request, link: LinkView, status: int = _GONE) -> Response:
        words = words_for(request.headers.get("accept-language", ""))
        return self._page(request, "ending.html", status, ending=words.dead[link.state])


def _path(request: Request) -> str:
    return f"/t/{request.path_params['token']}"


def _answer(request: Request) -> Decision:
    decision = _ANSWERS.get(request.path_params["answer"])
    if decision is None:
        raise HTTPException(404)
    return decision


async def _typed_code(request: Request) -> str:
    """Read the code as people type it; raises InvalidRequest for what can't be one, which costs no try."""
    form = await request.form(max_files=0, max_fields=5)
    typed = form.get("code")
    code = typed.translate(_IGNORED_IN_CODES) if isinstance(typed, str) else ""
    if not (len(code) == _CODE_LENGTH and code.isascii() and code.isdigit()):
        raise InvalidRequest("Type the 6 digits of the code that we sent you.")
    return code
