"""Somebody who uses Handover as people do: the API with their key, the mailbox, the pages behind a mailed link."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import httpx

from tools.stage import plain_http

FINAL: Final = frozenset(
    {"refused", "declined", "cancelled", "expired", "completed", "completed_with_warnings", "rolled_back"}
)
_LOOK_EVERY: Final = 0.2
_PATIENCE: Final = 120.0
_LINK = re.compile(r"\S+/t/[A-Za-z0-9_-]{43}")
_CODE = re.compile(r"^\s*(\d{3}[\s\u00a0\u202f-]?\d{3})\s*$", re.MULTILINE)

Say = Callable[[str], None]
#: Gives every mail: its `id`, whom it went `to`, its `text`.
Mails = Callable[[], Awaitable[list[dict[str, Any]]]]


class WentWrong(Exception):
    """What a person expected did not come; the text says what."""


class Person:
    """One user, in front of their screens."""

    def __init__(self, name: str, key: str, email: str, *, api: str, mails: Mails) -> None:
        """Take their API key and where they look."""
        self.name, self._email = name, email
        self._api = plain_http.client(base_url=api, headers={"Authorization": f"Bearer {key}"}, timeout=30)
        self._browser = plain_http.client(follow_redirects=True, timeout=30)
        self._mails = mails
        self._read: set[str] = set()

    async def close(self) -> None:
        """Close their windows."""
        for client in (self._api, self._browser):
            await client.aclose()

    # --- the API --------------------------------------------------------------------------------------------------

    async def ask(self, charge_point_id: str, body: dict[str, Any]) -> httpx.Response:
        """Ask for a transfer, whatever the answer."""
        return await self._api.post(f"/v1/charge-points/{charge_point_id}/transfers", json=body)

    async def start(self, charge_point_id: str, body: dict[str, Any]) -> str:
        """Start a transfer and give its id; raises WentWrong where it is not taken."""
        answer = await self.ask(charge_point_id, body)
        if answer.status_code not in {201, 202}:
            raise WentWrong(f"{self.name} was answered {answer.status_code}: {answer.json().get('detail', '')}")
        return str(answer.json()["id"])

    async def follow(self, transfer_id: str, say: Say, *, until: frozenset[str] = FINAL) -> dict[str, Any]:
        """Say each step and each entry of the audit trail as it comes, until the transfer is in a state of `until`."""
        news, patience = _News(say), time.monotonic() + _PATIENCE
        while time.monotonic() < patience:
            transfer = await self._get(f"/v1/transfers/{transfer_id}")
            trail = await self._get(f"/v1/transfers/{transfer_id}/events?limit=200")
            news.tell(transfer["steps"], trail["items"])
            if transfer["state"] in until:
                return transfer
            await asyncio.sleep(_LOOK_EVERY)
        raise WentWrong(f"Transfer {transfer_id} is {transfer['state']} still ({transfer['attention'] or 'running'}).")

    async def _get(self, path: str) -> dict[str, Any]:
        answer = await self._api.get(path)
        if answer.status_code != httpx.codes.OK:
            raise WentWrong(f"GET {path} was answered {answer.status_code}.")
        found: dict[str, Any] = answer.json()
        return found

    # --- the mailed link ------------------------------------------------------------------------------------------

    async def answer(self, decision: str, say: Say) -> None:
        """Open the link in the latest mail, have a code sent, type it, and press `accept` or `decline`."""
        link = await self._in_mail(_LINK)
        say(f"{self.name} opens the mailed link")
        page = await self._opened(await self._browser.get(link))
        page = await self._opened(await self._browser.post(_button(page, "code")))
        code = await self._in_mail(_CODE)
        say(f"{self.name} types the mailed code and presses {decision}")
        await self._opened(await self._browser.post(_button(page, decision), data={"code": code}))

    async def _opened(self, page: httpx.Response) -> httpx.Response:
        if page.status_code != httpx.codes.OK:
            raise WentWrong(f"{self.name}'s page was answered {page.status_code}.")
        return page

    async def _in_mail(self, wanted: re.Pattern[str]) -> str:
        """Wait for a mail that was not read yet and has what is wanted."""
        patience = time.monotonic() + _PATIENCE
        while time.monotonic() < patience:
            for mail in await self._mails():
                if self._email in mail["to"] and mail["id"] not in self._read:
                    self._read.add(mail["id"])
                    if found := wanted.search(mail["text"] or ""):
                        return found[found.lastindex or 0]
            await asyncio.sleep(_LOOK_EVERY)
        raise WentWrong(f"{self.name} got no mail with what they need.")


def mails_at(mailbox: str) -> Mails:
    """Read the mails of the stage's own mailbox."""

    async def mails() -> list[dict[str, Any]]:
        async with plain_http.client(base_url=mailbox, timeout=30) as client:
            found: list[dict[str, Any]] = (await client.get("/api/messages")).json()
            return found

    return mails


def _button(page: httpx.Response, ending: str) -> str:
    """Give the address that the page's form or button with this ending posts to."""
    found = re.search(rf'(?:form)?action="([^"]*/{ending})"', page.text)
    if found is None:
        raise WentWrong(f"The page has no way to {ending}.")
    return str(page.url.join(found[1]))


class _News:
    """Says of a transfer what was not said yet."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._sequence = 0
        self._steps: dict[str, str] = {}

    def tell(self, steps: list[dict[str, Any]], events: list[dict[str, Any]]) -> None:
        """Say the new entries, then the steps that stand otherwise than before."""
        for event in events:
            if event["sequence"] > self._sequence:
                self._sequence = event["sequence"]
                detail = " ".join(f"{name}={value}" for name, value in event["detail"].items() if value)
                self._say(f"{event['at'][11:19]}  {event['actor']}: {event['action']} {detail}".rstrip())
        for step in steps:
            if step["state"] != "pending" and self._steps.get(step["name"]) != step["state"]:
                self._steps[step["name"]] = step["state"]
                self._say(f"          {step['name']}: {step['state']}")
