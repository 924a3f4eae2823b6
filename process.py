"""How every process of ours begins and ends: its log, its stop signals, its way out."""

import asyncio
import logging
import os
import signal
import sys
from typing import NoReturn


def start_logging(level: str) -> None:
    """Log to standard error, one line an entry; libraries that would log secrets or frames stay silent."""
    logging.basicConfig(
        level=level.upper(), stream=sys.stderr, format="%(asctime)s %(levelname)-7s %(name)s: %(message)s", force=True
    )
    logging.getLogger("ocpp").setLevel(logging.CRITICAL)  # logs every frame at INFO, keys included
    for noisy in ("httpx", "websockets", "mail.log", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def stop_requested() -> asyncio.Event:
    """Give an event that SIGTERM and SIGINT set. Call it inside the running loop."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


def leave(code: int) -> NoReturn:
    """End the process, once all is shut down.

    Interpreter shutdown may abort after a Temporal worker or client has run (sdk-python#300), so it is left out.
    """
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
