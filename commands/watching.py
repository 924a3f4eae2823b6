"""Looks at transfers again and again, and shows what changed: a live page, a line for each change, or JSON lines."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from commands.api import Api, Away
from commands.tables import console, line, listing, page, write_json
from domain.transfer import FINAL

#: How long, in seconds, an API that has answered before may be away.
_PATIENCE: Final = 300
_COMPLETED: Final = frozenset({"completed", "completed_with_warnings"})
T = TypeVar("T")
Show = Callable[[RenderableType, Mapping[str, Mapping[str, Any]]], None]


def watch_one(api: Api, transfer_id: str, every: float, ui: str | None, *, as_json: bool) -> bool:
    """Watch a transfer until it has ended; True where it is completed."""
    with _shown(as_json=as_json) as show:
        for transfer in looks(lambda: api.get(f"/transfers/{transfer_id}"), every):
            show(page(transfer, ui), {transfer_id: transfer})
            if transfer["state"] in FINAL:
                return transfer["state"] in _COMPLETED
    raise AssertionError


def watch_list(api: Api, query: Callable[[], Mapping[str, str]], limit: int, every: float, *, as_json: bool) -> None:
    """Watch the transfers that fit until Ctrl-C, which is the way to end it."""
    try:
        with _shown(as_json=as_json) as show:
            for found, more in looks(lambda: api.pages("/transfers", query(), limit), every):
                hint = f"\nThese are the latest {limit}; --limit N gives more." if more else ""
                table = Group(listing(found, console().width), Text(f"{hint}\nCtrl-C ends it.", style="dim"))
                show(table, {one["id"]: one for one in found})
    except KeyboardInterrupt:
        return


def looks(look: Callable[[], T], every: float) -> Iterator[T]:
    """Look for ever; an API that goes away meanwhile is waited for, within reason."""
    answered: float | None = None
    while True:
        try:
            found = look()
        except Away:
            if answered is None or time.monotonic() - answered > _PATIENCE:
                raise
        else:
            answered = time.monotonic()
            yield found
        time.sleep(every)


@contextmanager
def _shown(*, as_json: bool) -> Iterator[Show]:
    """Give what shows a look: a page that is drawn anew at a terminal, else a line for each transfer that changed."""
    if as_json or not sys.stdout.isatty():
        yield _Lines(as_json=as_json).show
        return
    with Live(console=console(), auto_refresh=False) as live:
        yield lambda drawn, _found: live.update(drawn, refresh=True)


class _Lines:
    """Prints a line for each change, and nothing for what is as before."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._seen: dict[str, object] = {}

    def show(self, _drawn: RenderableType, found: Mapping[str, Mapping[str, Any]]) -> None:
        """Print what is new in `found`, the transfers by their ids."""
        for known, transfer in found.items():
            said = transfer if self._as_json else line(transfer)
            if self._seen.get(known) != said:
                self._seen[known] = said
                if self._as_json:
                    write_json(transfer, indent=None)
                else:
                    typer.echo(line(transfer))
        sys.stdout.flush()
