"""How every process of ours ends: its stop signals, its way out."""

import asyncio
import logging
import os
import signal
import sys
from typing import NoReturn


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
