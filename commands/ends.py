"""How a verb ends that can't do its work: in plain words, never with a trace."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import typer

from domain.errors import HandoverError
from settings import WrongSetting

#: What a shell expects of a program that Ctrl-C ended.
INTERRUPTED: Final = 130


class Wrong(Exception):
    """Something the caller can put right; its text says how."""


@contextmanager
def plainly() -> Iterator[None]:
    """Say in plain words what is wrong inside the block, and end with 1; Ctrl-C ends it without a word."""
    try:
        yield
    except (Wrong, WrongSetting, HandoverError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
