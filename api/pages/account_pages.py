"""What every page needs that is for who is signed in, or signs in."""

from starlette.requests import Request
from starlette.responses import Response

from api.dependencies import Backend
from api.pages.rendering import Renderer
from api.pages.visitors import Visitors
from domain.networks import network_of
from domain.sign_in import LASTS
from persistence.intake.sign_ins import NewSignIn


class AccountPages:
    """The part that all of them share."""

    def __init__(self, backend: Backend, sheets: Renderer, visitors: Visitors) -> None:
        """Take what works, what renders a page, and who is signed in."""
        self._backend = backend
        self._sheets = sheets
        self._visitors = visitors
        self._origin = backend.options.origin.rstrip("/")

    @property
    def _has_passkeys(self) -> bool:
        """Whether browsers have passkeys for us."""
        return self._backend.passkeys is not None

    @property
    def _issuer_called(self) -> str | None:
        """Give what people know the issuer by that they may sign in by; None where there is none."""
        return self._backend.options.issuer.name if self._backend.options.issuer else None

    def _let_in(self, answer: Response, made: NewSignIn) -> None:
        """Let the browser keep a sign-in that has just begun, and forget where it wanted to go."""
        self._visitors.cookies.set(answer, "sign_in", made.token, int(LASTS.total_seconds()))
        self._visitors.cookies.drop(answer, "back")

    @staticmethod
    def _network(request: Request) -> str:
        """Give where a call comes from, as limits count it."""
        return network_of(request.client.host) if request.client else ""
