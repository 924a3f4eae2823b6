"""The cookies of the pages on which people are signed in: for this host alone, unreadable for scripts."""

from starlette.requests import Request
from starlette.responses import Response


class Cookies:
    """Reads and sets them."""

    def __init__(self, *, secure: bool) -> None:
        """Take whether they are `secure`: then no other host of the domain can set them."""
        self._secure = secure

    def read(self, request: Request, what: str) -> str:
        """Give what one holds; empty where there is none."""
        return request.cookies.get(self._name(what), "")

    def set(self, answer: Response, what: str, value: str, seconds: int) -> None:
        """Set one for so long."""
        answer.set_cookie(
            self._name(what), value, max_age=seconds, path="/", secure=self._secure, httponly=True, samesite="lax"
        )

    def drop(self, answer: Response, what: str) -> None:
        """Have the browser forget one."""
        answer.delete_cookie(self._name(what), path="/", secure=self._secure, httponly=True, samesite="lax")

    def _name(self, what: str) -> str:
        return f"__Host-handover_{what}" if self._secure else f"handover_{what}"
