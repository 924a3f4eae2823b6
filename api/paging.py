"""Cuts a list that was read one item too far into a page."""

from collections.abc import Callable
from typing import TypeVar

from api.schemas import Page

Item = TypeVar("Item")


def cut(items: list[Item], limit: int, cursor_behind: Callable[[Item], str]) -> Page[Item]:
    """Give the first `limit` items; the next page begins behind the last of them, if there was one more."""
    page = items[:limit]
    return Page[Item](items=page, next=cursor_behind(page[-1]) if len(items) > limit else None)
