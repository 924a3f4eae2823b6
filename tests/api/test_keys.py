"""Who gets in."""

import httpx
import pytest
from sqlalchemy import update

from domain.errors import NotAuthenticated
from persistence.people.callers import Callers
from persistence.session import Database
from persistence.tables import ApiKey
from tests.api.world import LONG_AGO, bearer, key_of


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "Bearer",
        "Bearer hk_olga_wrong",
        "Bearer hk_nobody_olga-secret_with-underscore",
        "Bearer olga_olga-secret_with-underscore",
        "Bearer hk_olga",
        "Bearer hk_",
        "Basic b2xnYTpvbGdh",
        f"Bearer {key_of('blanca')}",
        "Bearer hk_%00_x",
    ],
)
async def test_a_call_without_a_valid_key_is_refused_and_told_what_to_send(
    http: httpx.AsyncClient, authorization: str | None
) -> None:
    answer = await http.get("/v1/me", headers={"Authorization": authorization} if authorization else {})

    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["code"] == "not_authenticated"
    assert "Authorization: Bearer hk_" in answer.json()["detail"]


async def test_a_revoked_key_opens_nothing(http: httpx.AsyncClient, database: Database) -> None:
    async with database.writing() as rows:
        await rows.execute(update(ApiKey).where(ApiKey.id == "olga").values(revoked_at=LONG_AGO))

    assert (await http.get("/v1/me", headers=bearer("olga"))).status_code == 401


async def test_me_says_whose_key_it_is_and_its_scopes(http: httpx.AsyncClient) -> None:
    answer = await http.get("/v1/me", headers=bearer("oscar"))

    assert answer.json() == {
        "id": "u-oscar",
        "name": "Oscar",
        "email": "oscar@example.com",
        "phone": None,
        "locale": "fr-FR",
        "scopes": ["operator"],
    }


@pytest.mark.parametrize("key", ["hk_\0_olga-secret", "hk_olga\x7f_olga-secret", "hk_ölga_olga-secret"])
@pytest.mark.usefixtures("app")
async def test_a_key_that_no_database_may_be_asked_for_is_not_valid(database: Database, key: str) -> None:
    """PostgreSQL takes no NUL in a text."""
    with pytest.raises(NotAuthenticated):
        await Callers(database).caller(key)
