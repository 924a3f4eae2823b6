"""What the work at hand is about: the facts that each of its log lines carries. Only ids and names of ours."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType

_NOTHING: Mapping[str, str] = MappingProxyType({})
_known: ContextVar[Mapping[str, str]] = ContextVar("handover_subject", default=_NOTHING)


def known() -> Mapping[str, str]:
    """Give what is known of the work at hand."""
    return _known.get()


@contextmanager
def about(**facts: str | int | None) -> Iterator[None]:
    """Say what the work inside the block, and the tasks that it starts, is about; None says nothing."""
    before = _known.set(_with(facts))
    try:
        yield
    finally:
        _known.reset(before)


def learn(**facts: str | int | None) -> None:
    """Say it from here on: until the block of `about` ends that this is in, or the task does."""
    _known.set(_with(facts))


def _with(facts: Mapping[str, str | int | None]) -> Mapping[str, str]:
    return {**known(), **{name: str(value) for name, value in facts.items() if value is not None}}
