"""The approval link: what is offered, the one-time code, the answer. Looking changes nothing."""

from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from api.dependencies import Backend
from api.pages import forms, link_access
from api.pages.deadlines import calendar
from api.pages.rendering import Renderer, qr_code
from api.pages.visitors import Visitors
from api.problems import headers_of, note_away, status_of
from domain import actors
from domain.account import LONGEST_NAME
from domain.approval import Decision
from domain.errors import AlreadyDecided, HandoverError, InvalidRequest, NotFound, NotPossible, Refusal
from domain.networks import network_of
from domain.trail import Attempt
from domain.transfer import TransferState, UntilNewKey
from persistence.links.link_reads import LinkState, LinkView
from telemetry.subject import learn

_ANSWERS: Final = {decision.value: decision for decision in (Decision.ACCEPT, Decision.DECLINE)}
_GONE: Final = 410


class ApprovalPages:
    """The endpoints under /t: a link's own address, and its pages under /t/of/{link}."""

    def __init__(self, backend: Backend, sheets: Renderer, visitors: Visitors, origin: str) -> None:
        """Take what works and renders a page, who is signed in, and our origin, like https://example.org."""
        self._backend = backend
        self._sheets = sheets
        self._visitors = visitors
        self._origin = origin.rstrip("/")
        self._secure = origin.startswith("https:")

    async def open(self, request: Request) -> Response:
        """Lead from the mailed address to one that does not hold the token; a dead link says so at once."""
        token = request.path_params["token"]
        link = await self._backend.link_reads.by_token(token)
        if link is None:
            await self._note_miss(request)
            raise NotFound("There is no such link.")
        learn(transfer_id=link.transfer_id)
        if link.state is not LinkState.OPEN:
            return self._ended(request, link)
        answer = self._sheets.redirect(request, link_access.path_of(link))
        link_access.hand_on(answer, token, link, secure=self._secure)
        return answer

    async def show(self, request: Request) -> Response:
        """Show what is offered."""
        link = await self._link(request)
        if link.state is not LinkState.OPEN:
            return self._ended(request, link)
        return await self._offer(request, link)

    async def deadline(self, request: Request) -> Response:
        """Give the deadline for a calendar; it leads to nothing that opens the link."""
        link = await self._link(request)
        if link.state is not LinkState.OPEN or link.expires_at is None:
            raise NotFound("It has no deadline any more.")
        said = self._sheets.words(request, link).transfers.reminder.format(point=link.charge_point)
        return calendar(link.transfer_id, said, link.expires_at, self._origin)

    async def send_code(self, request: Request) -> Response:
        """Send a code, then lead to where it is typed: a reload there sends no second one."""
        link_access.check_origin(request, self._origin)
        link = await self._link(request)
        if link.state is not LinkState.OPEN:
            return self._ended(request, link)
        try:
            await self._backend.links.send_code(link.id, await self._backend.codes.ask(link.id))
        except HandoverError as error:
            note_away(error)
            render = self._typing if link.code_sent else self._offer
            return await render(request, link, error)
        return self._sheets.redirect(request, f"{link_access.path_of(link)}/code")

    async def code_form(self, request: Request) -> Response:
        """Show where the code is typed."""
        link = await self._link(request)
        if link.state is not LinkState.OPEN:
            return self._ended(request, link)
        return await self._typing(request, link)

    async def back(self, request: Request) -> Response:
        """Lead who opens the address of an answer back to what is offered."""
        _answer(request)
        return self._sheets.redirect(request, link_access.path_of(await self._link(request)))

    async def decide(self, request: Request) -> Response:
        """Take the answer, if the code is right; the same answer with the same code may come again."""
        decision = _answer(request)
        link_access.check_origin(request, self._origin)
        link = await self._link(request)
        if link.state is LinkState.REPLACED:
            return self._ended(request, link)
        actor = actors.link(link.id)
        accepts, typed = decision is Decision.ACCEPT, await forms.read(request)
        opens = accepts and link.opens_account
        try:
            typed.check_code()
            if opens:
                typed.check_name()
            if accepts:
                _check_acceptable(link)
        except (InvalidRequest, NotPossible) as refusal:  # the code is not used up: it is good for the other answer
            return await self._refused(request, refusal, typed)
        try:
            choice = typed.until_new_key if accepts and link.replaces_key else None
            order_id = await self._backend.codes.use(link.id, typed.code, decision, choice)
            if opens:
                language = self._sheets.words(request, link).language
                await self._backend.links.open_account(link.id, name=typed.name, locale=language)
            led_to = await self._backend.transfers.decide(link.transfer_id, decision, order_id)
        except Refusal as refusal:
            await self._backend.attempts.note(
                link.transfer_id, actor=actor, attempt=Attempt(decision.value), code=refusal.code
            )
            return await self._refused(request, refusal, typed)
        except HandoverError as error:
            note_away(error)
            return await self._typing(request, link, error, typed, unsure=True)
        if led_to is TransferState.CANCELLED:
            return self._ended(request, await self._link(request))
        words = self._sheets.words(request, link)
        ending, follow = (words.accepted, _transfer(link)) if accepts else (words.declined, None)
        again = link_access.path_of(link)
        return self._sheets.ending(request, ending, link=link, again=again, good=True, follow=follow)

    async def _link(self, request: Request) -> LinkView:
        """Read the link whose page is asked for; raises NotOpened where the browser does not hold its token."""
        link = await self._backend.link_reads.by_token(link_access.token_of(request))
        if link is None:
            await self._note_miss(request)
        if link is None or link.id != request.path_params["link"]:
            raise link_access.NotOpened("Open the link from the message again.")
        learn(transfer_id=link.transfer_id)
        return link

    async def _note_miss(self, request: Request) -> None:
        await self._backend.attempts.note_miss(network_of(request.client.host) if request.client else "")

    async def _refused(self, request: Request, refusal: Refusal, typed: forms.Typed) -> Response:
        """Let the reader try again where that can help; else say how it stands by now."""
        link = await self._link(request)
        if link.state is not LinkState.OPEN:
            return self._ended(request, link, status_of(refusal) if isinstance(refusal, AlreadyDecided) else _GONE)
        return await self._typing(request, link, refusal, typed)

    async def _offer(self, request: Request, link: LinkView, error: HandoverError | None = None) -> Response:
        code = qr_code(f"{self._origin}/t/{link_access.token_of(request)}")
        follows = self._sheets.words(request, link).follows_of(link, self._backend.options.policy.offline_deadline)
        return await self._form(request, "offer.html", link, error, again="", qr_code=code, follows=follows)

    async def _typing(
        self,
        request: Request,
        link: LinkView,
        error: HandoverError | None = None,
        typed: forms.Typed | None = None,
        *,
        unsure: bool = False,
    ) -> Response:
        wrong = "" if error is None else "name" if isinstance(error, forms.NoName) else "code"
        name = typed.name[:LONGEST_NAME] if typed else ""
        chosen = (typed.until_new_key if typed else None) or UntilNewKey.SERVE
        more = {"wrong": wrong, "name": name, "longest_name": LONGEST_NAME, "chosen": chosen}
        return await self._form(request, "code.html", link, error, again="/code", unsure=unsure, **more)

    async def _form(
        self,
        request: Request,
        template: str,
        link: LinkView,
        error: HandoverError | None,
        *,
        again: str,
        unsure: bool = False,
        **values: Any,
    ) -> Response:
        words, path = self._sheets.words(request, link), link_access.path_of(link)
        visitor = await self._visitors.find(request)
        theirs = visitor is not None and visitor.caller.id == link.account_id
        text = (words.unsure if unsure else words.error_of(error)) if error else None
        answer = self._sheets.page(
            request,
            template,
            status_of(error) if error else 200,
            link=link,
            again=path + again,
            path=path,
            error=text,
            other=visitor.caller.name if visitor and not theirs else None,
            signed_in=_transfer(link) if theirs else None,
            **values,
        )
        if error:
            answer.headers.update(headers_of(error))
        return answer

    def _ended(self, request: Request, link: LinkView, status: int = _GONE) -> Response:
        ending = self._sheets.words(request, link).dead[link.state]
        follow = _transfer(link) if link.state is LinkState.ACCEPTED else None
        return self._sheets.ending(request, ending, status, link=link, again=link_access.path_of(link), follow=follow)


def _transfer(link: LinkView) -> str:
    """Give the address where who has accepted sees how it goes on, once they are signed in."""
    return f"/transfers/{link.transfer_id}"


def _check_acceptable(link: LinkView) -> None:
    if not link.can_accept:
        raise NotPossible("The recipient can't accept as they are.")


def _answer(request: Request) -> Decision:
    decision = _ANSWERS.get(request.path_params["answer"])
    if decision is None:
        raise HTTPException(404)
    return decision
