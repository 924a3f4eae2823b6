"""The letter at the end of a move, by SMTP as it goes over the wire."""

import asyncio
from typing import Final

_LETTER: Final = (
    "From: Handover <handover@localhost>\r\nTo: {to}\r\nSubject: {what} is moved\r\nMIME-Version: 1.0\r\n"
    "Content-Type: text/plain; charset=utf-8\r\n\r\n" + "The charge point has a new group.\r\n" * 40 + "\r\n.\r\n"
)


async def send(smtp_port: int, to: str, what: str) -> None:
    """Send it, over a connection of its own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", smtp_port)
    await reader.readline()
    for line in ("EHLO by-hand", "MAIL FROM:<handover@localhost>", f"RCPT TO:<{to}>", "DATA"):
        writer.write(line.encode() + b"\r\n")
        while (await reader.readline())[3:4] == b"-":
            pass
    for text in (_LETTER.format(to=to, what=what), "QUIT\r\n"):
        writer.write(text.encode())
        await reader.readline()
    writer.close()
