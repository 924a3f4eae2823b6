"""How every process of ours begins and ends: its log, its stop signals, its way out."""

import asyncio
import logging
import os
import signal
import sys
from typing import NoReturn

from telemetry.choices import LogFormat
from telemetry.logs import formatter


def start_logging(level: str, log_format: LogFormat = LogFormat.TEXT) -> None:
    """Log to standard error, one line an entry; libraries that would log secrets or frames stay silent."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter(log_format))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.getLogger("ocpp").setLevel(logging.CRITICAL)  # logs every frame at INFO, keys included
    for noisy in ("httpx", "urllib3", "websockets", "mail.log", "asyncio"):
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
