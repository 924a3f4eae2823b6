"""The API as the command line calls it: the key, the errors in plain words, the patience."""

import secrets
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import httpx

from commands.ends import Wrong
from domain.networks import is_loopback
from settings import read_settings

#: How often a call is sent in all where the API is away for the moment, and the longest pause between, in seconds.
_TRIES: Final = 5
_LONGEST_PAUSE: Final = 30.0
_USUAL_PAUSE: Final = 5.0
_PAGE: Final = 200
_UNAVAILABLE: Final = 503
_NOT_AUTHENTICATED: Final = 401


class Away(Wrong):
    """The API does not answer, or not now; the same call may succeed later."""


class _Hiccup(Exception):
    """One try that came to nothing; another one may not. Its text says why."""

    def __init__(self, why: str, pause: float = _USUAL_PAUSE) -> None:
        super().__init__(why)
        self.pause = pause


class Api:
    """Calls with one key. Every method raises Wrong with the sentence that the API gives, and Away."""

    def __init__(self, url: str, key: str, *, tries: int = _TRIES, sleep: Callable[[float], None] = time.sleep) -> None:
        """Call the API at `url`; nothing is sent yet."""
        self.url = url.rstrip("/").removesuffix("/v1")
        self._tries = tries
        self._sleep = sleep
        try:
            here = is_loopback(httpx.URL(self.url).host)
            headers = {"Authorization": f"Bearer {key}", "Accept": "application/json"}
            self._http = httpx.Client(
                base_url=f"{self.url}/v1",
                headers=headers,
                timeout=httpx.Timeout(30, connect=5),
                verify=self.url.lower().startswith("https:"),  # else certificates are read for nothing
                trust_env=not here,  # no proxy leads back to this machine
            )
        except (httpx.InvalidURL, ValueError):
            raise Wrong(f"HANDOVER_API_URL is no address: {self.url!r}. Set one like http://127.0.0.1:8000.") from None

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def get(self, path: str, params: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Read something."""
        return self._patiently(lambda: self._http.get(path, params=params))

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Do something, once: every repeat carries the same idempotency key."""
        headers = {"Idempotency-Key": secrets.token_hex(16)}
        return self._patiently(lambda: self._http.post(path, json=body, headers=headers))

    def pages(self, path: str, params: Mapping[str, str], at_most: int | None) -> tuple[list[dict[str, Any]], bool]:
        """Read a list, page by page: the items, and whether there are more than `at_most` (None: all are read)."""
        items: list[dict[str, Any]] = []
        cursor: str | None = None
        while at_most is None or len(items) < at_most:
            limit = _PAGE if at_most is None else min(_PAGE, at_most - len(items))
            page = self.get(path, {**params, "limit": str(limit)} | ({"cursor": cursor} if cursor else {}))
            items += page["items"]
            if (cursor := page["next"]) is None:
                break
        return items, cursor is not None

    def _patiently(self, call: Callable[[], httpx.Response]) -> dict[str, Any]:
        """Make a call; where the API is away for the moment, again after the pause that it asks for."""
        for left in reversed(range(self._tries)):
            try:
                return self._read(self._send(call))
            except _Hiccup as hiccup:
                if not left:
                    raise Away(f"{hiccup} It was tried {self._tries} times; look at the API at {self.url}.") from None
                sys.stderr.write(f"{hiccup} Trying again in {hiccup.pause:.0f} s …\n")
                self._sleep(hiccup.pause)
        raise AssertionError

    def _send(self, call: Callable[[], httpx.Response]) -> httpx.Response:
        try:
            return call()
        except httpx.ConnectError as error:
            raise Away(
                f"The API at {self.url} can't be reached ({error}). Start it, or correct HANDOVER_API_URL."
            ) from None
        except (httpx.UnsupportedProtocol, httpx.InvalidURL):
            raise Wrong(f"HANDOVER_API_URL is no address: {self.url!r}. Set one like http://127.0.0.1:8000.") from None
        except (httpx.ReadError, httpx.RemoteProtocolError, httpx.TimeoutException):
            raise _Hiccup("The API broke off, or did not answer in time.") from None
        except httpx.HTTPError as error:
            raise Away(f"The API at {self.url} can't be called: {error}.") from None

    def _read(self, answer: httpx.Response) -> dict[str, Any]:
        """Give the answer's document; raises for a problem, and for what is no answer of the API."""
        try:
            document = answer.json()
        except ValueError:
            document = None
        if answer.status_code == _UNAVAILABLE:
            detail = document.get("detail") if isinstance(document, dict) else None
            raise _Hiccup(detail or "The API is not available for the moment.", _pause(answer))
        if not isinstance(document, dict) or not (answer.is_success or "detail" in document):
            raise Wrong(
                f"What answers at {self.url} is not Handover's API (HTTP {answer.status_code}); correct "
                "HANDOVER_API_URL."
            )
        if answer.status_code == _NOT_AUTHENTICATED:
            raise Wrong(
                f"The API at {self.url} does not take this key: it is wrong, or revoked, or from somewhere else. "
                "Correct HANDOVER_API_KEY."
            )
        if not answer.is_success:
            raise Wrong(str(document["detail"]))
        return document


@contextmanager
def api() -> Iterator[Api]:
    """Open the API that the settings name, with their key; raises Wrong where there is none."""
    settings = read_settings()
    key = settings.api_key.get_secret_value().strip() if settings.api_key else ""
    if not key:
        raise Wrong(
            "HANDOVER_API_KEY is not set. Set it to your API key; `./handover keys create USER` makes one, with "
            "--scope operator for staff."
        )
    if not (key.isascii() and key.isprintable()):
        raise Wrong("HANDOVER_API_KEY is no API key: it holds characters that none has. Set it to hk_… once more.")
    opened = Api(settings.api_url, key)
    try:
        yield opened
    finally:
        opened.close()


def _pause(answer: httpx.Response) -> float:
    """Read how many seconds the API wants to be left alone."""
    asked = answer.headers.get("Retry-After", "")
    return min(float(asked), _LONGEST_PAUSE) if asked.isdecimal() else _USUAL_PAUSE
