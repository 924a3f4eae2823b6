"""The edge: every route, whatever host a call names, with and without a slash behind it."""

import re
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from fastapi import FastAPI
from starlette.routing import Mount, Route

from api.app import create_app
from api.dependencies import Options
from persistence.session import Database
from persistence.vault import Vault
from tests.api.engine import Engine
from tests.api.world import TOKEN, add_link, add_transfer, bearer

HOSTILE = "evil.example"
VALUES = {"token": TOKEN, "link": "lnk_1", "answer": "accept", "transfer_id": "trf_1", "charge_point_id": "cp-1"}


def addresses(app: FastAPI) -> Iterator[tuple[str, str]]:
    """Give the method and the path of every route: of the document, of the mounted applications, of the rest."""
    for path, methods in app.openapi()["paths"].items():
        for method in methods:
            yield method.upper(), filled(path)
    for route in app.routes:
        if isinstance(route, Mount):
            yield "GET", route.path
            for inner in route.routes:
                assert isinstance(inner, Route)
                for method in sorted(inner.methods or {"GET"}):
                    yield method, filled(route.path + inner.path)
    for path in ("/docs", "/openapi.json", "/static/pages.css", "/", "/none"):
        yield "GET", path


def filled(path: str) -> str:
    return re.sub(r"\{(\w+)\}", lambda name: VALUES.get(name[1], "1"), path)


@pytest.fixture
async def edge(database: Database, vault: Vault, engine: Engine) -> AsyncIterator[tuple[FastAPI, httpx.AsyncClient]]:
    """The application at an https origin, called by another name."""
    await add_transfer(database)
    await add_link(database)
    app = create_app(database, vault, engine, Options(origin="https://handover.example"))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=f"http://{HOSTILE}") as client:
        yield app, client


async def test_no_answer_leads_to_the_host_that_a_call_names_and_each_has_its_headers(
    edge: tuple[FastAPI, httpx.AsyncClient],
) -> None:
    app, client = edge
    tried = set()
    for method, path in addresses(app):
        for asked in {path, f"{path}/", f"{path}//", f"http://{HOSTILE}/{path}"}:
            tried.add(asked)
            answer = await client.request(method, asked, headers=bearer("olga") | {"X-Forwarded-Host": HOSTILE})
            where = f"{method} {asked}: {answer.status_code}"
            assert HOSTILE not in answer.headers.get("location", ""), where
            assert not answer.headers.get("location", "").startswith(("http", "//")), where
            assert answer.status_code not in {307, 308}, where
            assert answer.headers["x-content-type-options"] == "nosniff", where
            assert answer.headers["strict-transport-security"] == "max-age=31536000", where
            if asked.startswith(("/v1/", "/t/")):
                assert answer.headers["cache-control"] == "no-store", where
    assert {f"/t/{TOKEN}/", "/v1/me/", "/static/", "/docs/"} <= tried


async def test_a_link_with_a_slash_behind_it_opens_all_the_same(edge: tuple[FastAPI, httpx.AsyncClient]) -> None:
    """Some programs add one to every address."""
    answer = await edge[1].get(f"/t/{TOKEN}/")

    assert (answer.status_code, answer.headers["location"]) == (303, "/t/of/lnk_1")


async def test_where_the_origin_has_no_tls_nobody_is_told_to_stay_on_it(http: httpx.AsyncClient) -> None:
    assert "strict-transport-security" not in (await http.get("/healthz")).headers
