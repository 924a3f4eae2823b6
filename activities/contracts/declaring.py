"""How a contract declares its steps: each fact about one stands there, and nowhere else."""

from collections.abc import Callable
from typing import Any, Final, TypeVar

from temporalio import activity

from domain.transfer import StepName

F = TypeVar("F", bound=Callable[..., Any])

_STEP_OF: Final[dict[str, StepName]] = {}
_MAY_RUN_AGAIN: Final[dict[Callable[..., Any], str]] = {}


def step(wire_name: str, of: StepName | None = None, *, may_run_again: bool = False) -> Callable[[F], F]:
    """Declare an activity of the name `wire_name`, which never changes.

    `of`: the transfer's step that it works at; None: no one step. `may_run_again`: it only reads, or does and answers
    the same whatever has happened since; only such a one is tried as a local activity, whose record may be lost.
    """

    def declare(method: F) -> F:
        declared: F = activity.defn(name=wire_name)(method)
        if of is not None:
            _STEP_OF[wire_name] = of
        if may_run_again:
            _MAY_RUN_AGAIN[declared] = wire_name
        return declared

    return declare


def step_of(wire_name: str) -> StepName | None:
    """Give the transfer's step that an activity works at, by its name on the wire."""
    return _STEP_OF.get(wire_name)


def may_run_again(method: Callable[..., Any]) -> bool:
    """Whether a contract's step may be tried as a local activity."""
    return method in _MAY_RUN_AGAIN


def wire_names_that_may_run_again() -> frozenset[str]:
    """Give the names of all of these."""
    return frozenset(_MAY_RUN_AGAIN.values())
