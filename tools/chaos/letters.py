"""What people find in their mailbox, and how they answer by the link in it."""

import asyncio
import email
import re
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Final

import httpx

from tools.chaos.journal import Broken, Journal, Promise
from tools.stage import plain_http

_LINK: Final = re.compile(r"\S+(/t/[A-Za-z0-9_-]{43})")
_CODE: Final = re.compile(r"^\s*(\d{3}[\s\u00a0\u202f-]?\d{3})\s*$", re.MULTILINE)
_LOOK_EVERY: Final = 0.5
_CODES_TRIED: Final = 3


@dataclass(frozen=True)
class Mail:
    """One delivered letter."""

    message_id: str
    """Without its brackets and its host."""
    to: str
    text: str


class Mailbox:
    """The Maildir that every letter of a run is delivered to; each file is read once."""

    def __init__(self, folder: Path) -> None:
        """Read the Maildir `folder`."""
        self._new = folder / "new"
        self._read: set[str] = set()
        self.mails: list[Mail] = []

    def look(self) -> list[Mail]:
        """Give every mail, in the order of delivery as far as it was seen."""
        fresh = [file for file in self._new.iterdir() if file.name not in self._read] if self._new.is_dir() else []
        for file in sorted(fresh, key=lambda one: one.stat().st_mtime_ns):
            self._read.add(file.name)
            self.mails.append(_open(file))
        return self.mails

    async def find(self, kind: str, wanted: re.Pattern[str], *, to: str, about: str, seen: set[str]) -> str:
        """Wait for a mail that has what is wanted and was not `seen` yet, the latest first."""
        while True:
            for mail in reversed(self.look()):
                if mail.to == to and mail.message_id.startswith(kind) and re.search(rf"\b{about}\b", mail.text):
                    found = wanted.search(mail.text)
                    if found and found[1] not in seen:
                        return found[1]
            await asyncio.sleep(_LOOK_EVERY)  # a worker's doing: there is nothing here to wait on


def _open(file: Path) -> Mail:
    message = email.message_from_bytes(file.read_bytes(), policy=default)
    assert isinstance(message, EmailMessage)  # noqa: S101 - what the policy makes
    body = message.get_body(preferencelist=("plain",))
    name = str(message["Message-ID"]).strip("<>").partition("@")[0]
    return Mail(name, str(message["X-Delivered-To"]), body.get_content() if body else "")


class Reader:
    """Somebody who accepts by the link in their mail, at any of the API's processes."""

    def __init__(self, user: str, address: str, apis: list[str], mailbox: Mailbox, journal: Journal) -> None:
        """Take their address."""
        self._user, self._address, self._apis = user, address, apis
        self._mailbox, self._journal = mailbox, journal
        self._turn = 0

    async def accept(self, transfer_id: str, name: str) -> None:
        """Open the link, have a code sent, type it; another one where it is not the latest."""
        path = await self._mailbox.find(f"ask.{transfer_id}.", _LINK, to=self._address, about=name, seen=set())
        before = {found[1] for mail in self._mailbox.look() if (found := _CODE.search(mail.text))}
        async with plain_http.client(timeout=30, follow_redirects=True) as browser:
            page = await self._call(browser, "GET", path, {})
            here = page.url.path
            if (
                page.status_code != httpx.codes.OK
                or (await self._call(browser, "POST", f"{here}/code", {})).status_code != httpx.codes.OK
            ):
                return
            for _ in range(_CODES_TRIED):
                code = await self._mailbox.find("code.", _CODE, to=self._address, about=name, seen=before)
                before.add(code)
                answer = await self._call(browser, "POST", f"{here}/accept", {"code": code})
                if answer.status_code == httpx.codes.OK:
                    self._journal.keep(Promise(self._user, "accept_by_link", transfer_id, "", answer.status_code))
                if answer.status_code != httpx.codes.UNPROCESSABLE_ENTITY:
                    return

    async def _call(self, browser: httpx.AsyncClient, method: str, path: str, data: dict[str, str]) -> httpx.Response:
        """Open a page, or press a button, until it is not `unavailable`; raises Broken for one that nobody designed."""
        while True:
            self._turn += 1
            try:
                page = await browser.request(method, f"{self._apis[self._turn % len(self._apis)]}{path}", data=data)
            except httpx.HTTPError as error:
                self._journal.repeats[f"page {type(error).__name__}"] += 1
            else:
                self._journal.answers[f"page {page.status_code}"] += 1
                if page.status_code >= httpx.codes.INTERNAL_SERVER_ERROR and "Retry-After" not in page.headers:
                    raise Broken("a page is what is asked for, or says what to do", path[:6], f"{page.status_code}")
                if page.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                    return page
            await asyncio.sleep(1)  # pacing: as people press again
