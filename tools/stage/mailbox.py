"""The demo's mailbox, a process of its own: takes mail over SMTP into a Maildir, and shows it on a page and as JSON.

`python -m tools.stage.mailbox FOLDER --smtp-port 1025 --port 8025`
"""

import asyncio
import base64
import email
import mailbox
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import default
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import typer
import uvicorn
from aiosmtpd.smtp import SMTP, Envelope, Session
from jinja2 import Environment, FileSystemLoader
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from process import leave, stop_requested
from telemetry.logs import start_logging

HOST = "127.0.0.1"


class Post:
    """The Maildir: what comes in, and what there is, oldest first."""

    def __init__(self, folder: Path) -> None:
        """Open the Maildir, or make it."""
        self._box = mailbox.Maildir(folder, factory=None, create=True)
        self._folder = folder

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        """Keep one message; on disk before the sender is told so."""
        content = envelope.original_content or b""
        receivers = ", ".join(envelope.rcpt_tos)
        self._box.add(f"X-Delivered-To: {receivers}\r\n".encode() + content)
        return "250 kept"

    def messages(self) -> list[dict[str, Any]]:
        """Give every message as JSON would have it."""
        files = sorted((self._folder / "new").iterdir(), key=lambda file: file.stat().st_mtime_ns)
        return [_as_json(file) for file in files]

    def message(self, name: str) -> dict[str, Any]:
        """Give one message; raises HTTPException 404."""
        for message in self.messages():
            if message["id"] == name:
                return message
        raise HTTPException(404, "There is no such message.")


@cache
def _as_json(file: Path) -> dict[str, Any]:
    """Read a message, once: a file of a Maildir never changes."""
    message = email.message_from_bytes(file.read_bytes(), policy=default)
    return {
        "id": file.name,
        "message_id": message["Message-ID"],
        "from": message["From"],
        "to": [address.strip() for address in str(message["X-Delivered-To"]).split(",")],
        "subject": message["Subject"],
        "received_at": f"{datetime.fromtimestamp(file.stat().st_mtime, UTC):%Y-%m-%dT%H:%M:%SZ}",
        "text": _body(message, "plain"),
        "html": _html(message),
        "attachments": [part.get_filename() for part in message.iter_attachments()],
    }


def _body(message: EmailMessage, kind: str) -> str | None:
    part = message.get_body(preferencelist=(kind,))
    return None if part is None else part.get_content()


def _html(message: EmailMessage) -> str | None:
    """Give the HTML as a mail program shows it: with the pictures that came with it in their places."""
    html = _body(message, "html")
    for part in message.walk():
        picture, name = part.get_payload(decode=True), str(part["Content-ID"] or "").strip("<>")
        if html and name and isinstance(picture, bytes):
            data = base64.b64encode(picture).decode()
            html = html.replace(f"cid:{name}", f"data:{part.get_content_type()};base64,{data}")
    return html


def pages(post: Post, smtp_port: int, host: str = HOST) -> Starlette:
    """Make the application: the list, one message, both as JSON; SMTP is open for as long as it runs."""
    templates = Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")), autoescape=True, trim_blocks=True
    )

    @asynccontextmanager
    async def smtp(_: Starlette) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        async with await loop.create_server(
            lambda: SMTP(post, enable_SMTPUTF8=True, hostname="localhost", loop=loop), host, smtp_port
        ):
            yield

    def index(_: Request) -> Response:
        return HTMLResponse(templates.get_template("mailbox.html").render(messages=post.messages()[::-1]))

    def one(request: Request) -> Response:
        message = post.message(request.path_params["name"])
        return HTMLResponse(templates.get_template("message.html").render(message=message))

    def listed(_: Request) -> Response:
        return JSONResponse(post.messages())

    def content(request: Request) -> Response:
        return JSONResponse(post.message(request.path_params["name"]))

    return Starlette(
        lifespan=smtp,
        routes=[
            Route("/", index),
            Route("/messages/{name}", one),
            Route("/api/messages", listed),
            Route("/api/messages/{name}", content),
        ],
    )


async def _serve(folder: Path, smtp_port: int, port: int, host: str) -> None:
    stop_requested()  # the server stops by the signal itself, and raises it again: then it meets this
    app = pages(Post(folder), smtp_port, host)
    await uvicorn.Server(uvicorn.Config(app, host=host, port=port, log_config=None, access_log=False)).serve()


def main(
    folder: Annotated[Path, typer.Argument(help="The Maildir; made where there is none.")],
    smtp_port: Annotated[int, typer.Option(envvar="HANDOVER_SMTP_PORT")] = 1025,
    port: Annotated[int, typer.Option(envvar="HANDOVER_MAILBOX_PORT", help="Of the page.")] = 8025,
    host: Annotated[str, typer.Option(help="Where both listen.")] = HOST,
) -> None:
    """Take mail into FOLDER and show it, until stopped."""
    start_logging("INFO")
    asyncio.run(_serve(folder, smtp_port, port, host))
    leave(0)


if __name__ == "__main__":
    typer.run(main)
