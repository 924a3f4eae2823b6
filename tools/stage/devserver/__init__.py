"""Finds or builds the Temporal dev server, for the demo and the tests: never for production."""

from tools.stage.devserver.finding import NoServer, find_or_build, given_address
from tools.stage.devserver.running import command, ready

__all__ = ["NoServer", "command", "find_or_build", "given_address", "ready"]
