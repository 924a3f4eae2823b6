"""What is wrong is said in a line that says what to do, never with a trace."""

import pytest

from commands.api import Away
from commands.options import read_age
from commands.watching import looks
from tests.commands.shell import Shell


@pytest.mark.parametrize(
    ("settings", "arguments", "says"),
    [
        ({"HANDOVER_API_KEY": ""}, ("list",), "HANDOVER_API_KEY is not set."),
        ({"HANDOVER_API_KEY": "hk_oscar_wrong"}, ("list",), "does not take this key"),
        ({"HANDOVER_API_KEY": "hk_é"}, ("show", "trf_1"), "HANDOVER_API_KEY is no API key"),
        ({"HANDOVER_API_URL": "http://127.0.0.1:9"}, ("list",), "can't be reached"),
        ({"HANDOVER_API_URL": "here"}, ("list",), "HANDOVER_API_URL is no address"),
        ({"HANDOVER_API_URL": "http://127.0.0.1:8x"}, ("list",), "HANDOVER_API_URL is no address"),
        ({}, ("show", "trf_9"), "There is no such transfer, or you have no part in it."),
        ({}, ("show", "a/../b"), "'a/../b' is no transfer's id"),
        ({}, ("cancel", ""), "'' is no transfer's id"),
        ({}, ("charge-points", "show", "a/../b"), "'a/../b' is no charge point's id"),
        ({}, ("charge-points", "show", "cp-9"), "There is no such charge point"),
        ({}, ("watch", "trf_9"), "There is no such transfer"),
        ({}, ("watch", "trf_9", "--state", "completed"), "exclude each other"),
        ({}, ("list", "--group", "a b"), "group_id must be an id"),
        ({}, ("list", "--older-than", "999999w"), "further than the calendar"),
    ],
)
async def test_what_is_wrong_is_said_in_one_line(
    shell: Shell, settings: dict[str, str], arguments: tuple[str, ...], says: str
) -> None:
    said = await shell(*arguments, **settings)

    assert (said.code, said.out, len(said.err.splitlines())) == (1, "", 1)
    assert says in said.err
    assert "oscar-secret" not in said.err


async def test_another_server_is_no_api(shell: Shell, address: str) -> None:
    said = await shell("list", HANDOVER_API_URL=f"{address}/t")

    assert (said.code, "is not Handover's API" in said.err) == (1, True)


async def test_the_address_may_end_like_the_calls_do(shell: Shell, address: str) -> None:
    assert (await shell("list", HANDOVER_API_URL=f"{address}/v1/")).code == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("list", "--state", "lost"), "'lost' is not one of requested,"),
        (("list", "--attention", "me"), "'me' is not one of recipient,"),
        (("list", "--attention", ""), "'' is not one of recipient,"),
        (("list", "--kind", "gift"), "'gift' is not one of move_to_group,"),
        (("list", "--older-than", "soon"), "write it like 90m, 2h, 3d"),
        (("list", "--limit", "0"), "greater than or equal to 1"),
        (("resolve", "trf_1", "explode", "--reason", "x"), "'explode' is not one of retry,"),
        (("pause", "trf_1", "lists", "--reason", "x"), "'lists' is not one of validate_rights,"),
        (("show",), "ID"),
    ],
)
async def test_a_wrong_word_is_refused_with_the_right_ones(shell: Shell, arguments: tuple[str, ...], says: str) -> None:
    said = await shell(*arguments)

    assert (said.code, said.out) == (2, "")
    assert says in said.err


async def test_help_names_every_verb_and_says_where_the_key_goes(shell: Shell) -> None:
    said = await shell("--help")

    assert said.code == 0
    assert "HANDOVER_API_KEY" in said.out
    for verb in (
        "list",
        "show",
        "watch",
        "resolve",
        "cancel",
        "pause",
        "resume",
        "import",
        "migrate",
        "keys",
        "charge-points",
    ):
        assert f"│ {verb} " in said.out
        assert (await shell(verb, "--help")).code == 0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90m", 5400), ("2h", 7200), ("3D", 259200), ("1d12h", 129600), ("2w", 1209600), ("PT2H", 7200), ("p1d", 86400)],
)
def test_an_age_is_read_as_people_write_it(text: str, seconds: int) -> None:
    assert read_age(text).total_seconds() == seconds


async def test_watching_waits_for_an_api_that_is_away_but_not_for_one_that_never_answered() -> None:
    answers: list[object] = ["first", Away("away"), Away("away"), "second"]

    def look() -> object:
        answer = answers.pop(0)
        if isinstance(answer, Away):
            raise answer
        return answer

    seen = looks(look, 0)

    assert [next(seen), next(seen)] == ["first", "second"]
    answers[:] = [Away("never there")]
    with pytest.raises(Away):
        next(looks(look, 0))


@pytest.mark.parametrize("arguments", [("list",), ("--help",), ("list", "--json"), ("charge-points", "list")])
async def test_a_full_disk_is_said_in_one_line(shell: Shell, arguments: tuple[str, ...]) -> None:
    said = await shell.into("/dev/full", *arguments)

    assert (said.code, said.err) == (1, "The output could not be written: No space left on device.\n")


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
async def test_this_machine_is_not_sought_behind_a_proxy(shell: Shell, name: str) -> None:
    said = await shell("list", **{name: "http://127.0.0.1:9"})

    assert (said.code, said.err) == (0, "")
