"""A client of the API that behaves as integrators should: an idempotency key, and the same request again."""

import asyncio
from typing import Any, Final

import httpx

from api.problems import PROBLEMS
from tools.chaos.journal import Broken, Journal, Promise
from tools.stage import plain_http

#: How often a request is sent at most; where no answer came by then, what it did is unknown.
TRIES: Final = 30
_TIMEOUT: Final = 15.0
_PAUSE: Final = 1.0
#: What the API asks to wait is longer than what it takes here.
_LONGEST_PAUSE: Final = 2.0
_CODES: Final = {code.value: status for code, (status, _) in PROBLEMS.items()}
_MALFORMED: Final = "the API answers with what is asked for, or with a problem"


class Integrator:
    """One user with an API key, who knows several API processes."""

    def __init__(self, user: str, api_key: str, apis: list[str], journal: Journal) -> None:
        """Take the addresses of the API's processes; every request goes to the next one."""
        self.user = user
        headers = {"Authorization": f"Bearer {api_key}"}
        self._apis = [plain_http.client(base_url=api, headers=headers, timeout=_TIMEOUT) for api in apis]
        self._journal = journal
        self._turn = 0

    async def close(self) -> None:
        """Close the connections."""
        for api in self._apis:
            await api.aclose()

    async def get(self, path: str, **query: str | int) -> dict[str, Any]:
        """Read something that this user may see; raises Broken where the API says that there is no such thing."""
        while True:
            answer = await self._send("GET", path, "read", params=query)
            if answer is None:
                continue
            if answer.status_code != httpx.codes.OK:
                raise Broken("what a user may see is shown", f"{self.user} GET {path}", answer.text)
            found: dict[str, Any] = answer.json()
            return found

    async def command(
        self, call: str, path: str, key: str, *, subject: str = "", body: dict[str, Any] | None = None
    ) -> httpx.Response | None:
        """Send a command until it is answered, and keep what was acknowledged; None where it was given up."""
        answer = await self._send("POST", path, call, json=body, headers={"Idempotency-Key": key})
        if answer is None:
            self._journal.unknown[call] += 1
        elif answer.is_success:
            found = answer.json()
            promise = Promise(
                self.user, call, subject or str(found["id"]), key, answer.status_code, str(found.get("state", ""))
            )
            self._journal.keep(promise)
        return answer

    async def _send(self, method: str, path: str, call: str, **more: Any) -> httpx.Response | None:
        for _ in range(TRIES):
            self._turn += 1
            try:
                answer = await self._apis[self._turn % len(self._apis)].request(method, path, **more)
            except httpx.HTTPError as error:
                self._journal.repeats[type(error).__name__] += 1
                await asyncio.sleep(_PAUSE)  # pacing: a part that is being started again
                continue
            code = check_answer(f"{self.user} {method} {path}", answer)
            self._journal.answers[f"{call} {code or answer.status_code}"] += 1
            if code != "unavailable":
                return answer
            self._journal.repeats[code] += 1
            await asyncio.sleep(min(float(answer.headers["Retry-After"]), _LONGEST_PAUSE))  # as it asks for
        return None


def check_answer(asked: str, answer: httpx.Response) -> str:
    """Give the code of a problem, nothing for a success; raises Broken for an answer that is neither."""
    if answer.is_success:
        if not answer.headers.get("content-type", "").startswith("application/json"):
            raise Broken(_MALFORMED, asked, f"{answer.status_code} {answer.text[:300]}")
        return ""
    kind = answer.headers.get("content-type", "")
    code = str(answer.json().get("code")) if kind.startswith("application/problem+json") else ""
    if _CODES.get(code) != answer.status_code or (code == "unavailable" and "Retry-After" not in answer.headers):
        raise Broken(_MALFORMED, asked, f"{answer.status_code} {answer.text[:300]}")
    return code
