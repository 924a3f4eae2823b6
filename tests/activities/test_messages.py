"""What crosses Temporal is read by an older release too, once a newer one has written it."""

from collections.abc import Iterator
from typing import Any, get_args

import pytest
from pydantic import BaseModel

import activities.contracts.wiring  # noqa: F401 - every contract is declared once it is there
import workflows.transfer  # noqa: F401
from activities.contracts.messages import Message
from activities.contracts.registry import Plan


def messages(root: type[BaseModel] = Message) -> Iterator[type[BaseModel]]:
    for one in root.__subclasses__():
        if one.__module__.partition(".")[0] in {"activities", "workflows", "domain"}:
            yield one
            yield from messages(one)


def inside(annotation: Any) -> Iterator[type[BaseModel]]:
    """Give the models that a field may hold."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from inside(part)


@pytest.mark.parametrize("message", sorted(set(messages()), key=str), ids=lambda one: one.__name__)
def test_fields_that_only_a_newer_release_knows_are_left_out(message: type[BaseModel]) -> None:
    held = [model for field in message.model_fields.values() for model in inside(field.annotation)]
    assert [model.model_config.get("extra", "ignore") for model in (message, *held)] == ["ignore"] * (1 + len(held))


def test_those_that_are_checked_are_all_of_them() -> None:
    names = {message.__name__ for message in messages()}
    assert len(names) > 40
    assert Plan.__name__ in names
