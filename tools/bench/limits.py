"""How many sockets a process may have open."""

import resource
from typing import Final

#: Files that a process needs beside its sockets.
_OTHER_FILES: Final = 200


def allow_sockets(count: int) -> None:
    """Let this process have so many sockets open; raises ValueError where the hard limit is lower."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count + _OTHER_FILES:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count + _OTHER_FILES, hard))
