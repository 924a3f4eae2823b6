"""What counts as an answer: what was asked for, or a problem with its code; anything else ends the run."""

import httpx
import pytest

from api.problems import problem
from domain.errors import TransferInProgress, Unavailable
from tools.chaos.integrator import check_answer
from tools.chaos.journal import Broken


def answered(error: TransferInProgress | Unavailable) -> httpx.Response:
    rendered = problem(error)
    return httpx.Response(rendered.status_code, headers=dict(rendered.headers), content=bytes(rendered.body))


def test_an_answer_and_a_problem_pass() -> None:
    assert check_answer("POST", httpx.Response(201, json={"id": "trf"})) == ""
    assert check_answer("POST", answered(TransferInProgress("Wait."))) == "transfer_in_progress"
    assert check_answer("POST", answered(Unavailable("Wait."))) == "unavailable"


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(500, text="Internal Server Error"),
        httpx.Response(500, json={"code": "unavailable"}, headers={"content-type": "application/problem+json"}),
        httpx.Response(503, text="no healthy upstream"),
        httpx.Response(503, json={"code": "unavailable"}, headers={"content-type": "application/problem+json"}),
        httpx.Response(409, json={"code": "transfer_in_progress"}),
        httpx.Response(409, json={"code": "unheard_of"}, headers={"content-type": "application/problem+json"}),
        httpx.Response(200, text="<html>"),
    ],
    ids=["text", "wrong status", "not ours", "no Retry-After", "no problem", "unknown code", "no JSON"],
)
def test_anything_else_is_broken(answer: httpx.Response) -> None:
    with pytest.raises(Broken):
        check_answer("POST", answer)
