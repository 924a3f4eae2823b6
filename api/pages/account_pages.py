"""What every page under /account needs: who is signed in in this browser, and the cookies that nobody else can set."""

from starlette.requests import Request
from starlette.responses import Response

from api.dependencies import Backend
from api.pages.rendering import Renderer
from domain.networks import network_of
from domain.sign_in import LASTS
from persistence.intake.sign_ins import NewSignIn, SignedIn


class AccountPages:
    """The part that all of them share."""

    def __init__(self, backend: Backend, sheets: Renderer) -> None:
        """Take what works, and what renders a page."""
        self._backend = backend
        self._sheets = sheets
        self._origin = backend.options.origin
        self._secure = backend.options.secure

    async def signed_in(self, request: Request) -> SignedIn | None:
        """Say who is signed in in this browser."""
        token = self._cookie(request, "sign_in")
        return await self._backend.sign_ins.find(token) if token else None

    @property
    def _has_passkeys(self) -> bool:
        """Whether browsers have passkeys for us."""
        return self._backend.passkeys is not None

    @property
    def _issuer_called(self) -> str | None:
        """Give what people know the issuer by that they may sign in by; None where there is none."""
        return self._backend.options.issuer.name if self._backend.options.issuer else None

    def _let_in(self, answer: Response, made: NewSignIn) -> None:
        """Let the browser keep a sign-in that has just begun."""
        self._set(answer, "sign_in", made.token, int(LASTS.total_seconds()))

    @staticmethod
    def _network(request: Request) -> str:
        """Give where a call comes from, as limits count it."""
        return network_of(request.client.host) if request.client else ""

    # --- cookies --------------------------------------------------------------------------------------------------

    def _name(self, what: str) -> str:
        """Name a cookie so that no other host of the domain can set it, where there is TLS."""
        return f"__Host-handover_{what}" if self._secure else f"handover_{what}"

    def _cookie(self, request: Request, what: str) -> str:
        return request.cookies.get(self._name(what), "")

    def _set(self, answer: Response, what: str, value: str, seconds: int) -> None:
        answer.set_cookie(
            self._name(what), value, max_age=seconds, path="/", secure=self._secure, httponly=True, samesite="lax"
        )

    def _drop(self, answer: Response, what: str) -> None:
        answer.delete_cookie(self._name(what), path="/", secure=self._secure, httponly=True, samesite="lax")
