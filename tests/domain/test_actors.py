"""Who acts, written and read."""

import pytest

from domain import actors
from domain.actors import COMMAND_LINE, SYSTEM, TEMPORAL_UI, Actor, ActorKind
from domain.ids import LinkId, UserId


@pytest.mark.parametrize(
    ("actor", "written", "kind", "of"),
    [
        (actors.user(UserId("ben")), "user:ben", ActorKind.USER, "ben"),
        (actors.operator(UserId("ben")), "operator:ben", ActorKind.OPERATOR, "ben"),
        (actors.link(LinkId("lnk_1")), "link:lnk_1", ActorKind.LINK, "lnk_1"),
        (SYSTEM, "system", ActorKind.SYSTEM, ""),
        (TEMPORAL_UI, "temporal-ui", ActorKind.TEMPORAL_UI, ""),
        (COMMAND_LINE, "command-line", ActorKind.COMMAND_LINE, ""),
    ],
)
def test_an_actor_is_read_as_it_was_written(actor: Actor, written: str, kind: ActorKind, of: str) -> None:
    assert actor == written
    assert (Actor(written).kind, Actor(written).id) == (kind, of)


@pytest.mark.parametrize("text", ["", "users:ben", "ben", "system-1"])
def test_what_is_no_actor_is_not_taken_for_one(text: str) -> None:
    with pytest.raises(ValueError, match="is not a valid ActorKind"):
        _ = Actor(text).kind
