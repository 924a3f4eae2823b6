"""Becomes another program that ends when its parent does: `python -m tools.stage.child PARENT_PID PROGRAM ARGUMENT …`.

On Linux the kernel sees to it, however the parent dies. Elsewhere only a clean stop of the parent ends it.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def end_with_parent(parent: int) -> None:
    """Have this process killed when its parent dies; holds across exec."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before we could ask
        os._exit(1)


def main(parent: int, argv: list[str]) -> None:
    """Tie this process to its parent, then become the program."""
    end_with_parent(parent)
    os.execvp(argv[0], argv)  # noqa: S606 - a program of ours


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
