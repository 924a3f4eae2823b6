"""The reference page as it is served: from here alone, kept by browsers, and what others made as it came."""

import re
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from tests.conftest import ROOT

SCALAR = ROOT / "api" / "reference" / "scalar"
KINDS = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8"}


@pytest.fixture
async def http(bare: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(bare), base_url="http://handover.test") as client:
        yield client


async def files(http: httpx.AsyncClient) -> list[str]:
    """Give the paths of what the page loads."""
    return re.findall(r'<(?:script src|link rel="stylesheet" href)="([^"]+)"', (await http.get("/docs")).text)


async def test_the_page_may_load_and_call_nothing_that_is_not_from_here(http: httpx.AsyncClient) -> None:
    page = await http.get("/docs")
    rules = dict(rule.split(" ", 1) for rule in page.headers["content-security-policy"].split("; "))

    assert rules == {
        "default-src": "'none'",
        "script-src": "'self'",
        "connect-src": "'self'",
        "img-src": "'self' data:",
        "style-src": "'self' 'unsafe-inline'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["cache-control"] == "no-cache"
    assert "://" not in page.text
    assert not re.search(r"<script(?! src=)", page.text)


async def test_what_the_page_loads_is_kept_for_a_year_under_a_path_of_its_content(http: httpx.AsyncClient) -> None:
    paths = await files(http)

    assert [Path(path).name for path in paths] == ["page.css", "scalar.js", "page.js"]
    for path in paths:
        packed = await http.get(path)
        plain = await http.get(path, headers={"Accept-Encoding": "identity"})
        assert packed.status_code == plain.status_code == 200
        assert (packed.headers["content-encoding"], plain.headers.get("content-encoding")) == ("gzip", None)
        assert packed.content == plain.content
        for answer in (packed, plain):
            assert answer.headers["content-type"] == KINDS[path.rpartition(".")[2]]
            assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
            assert answer.headers["vary"] == "Accept-Encoding"


async def test_another_version_and_files_beside_those_of_the_page_are_not_found(http: httpx.AsyncClient) -> None:
    path = (await files(http))[0]
    folder = path.rpartition("/")[0]

    assert (await http.get(path)).status_code == 200
    for other in (f"/docs/0123456789abcdef/{Path(path).name}", f"{folder}/page.html", f"{folder}/%2e%2e/page.py"):
        answer = await http.get(other)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), other


def test_scalar_is_the_version_that_its_note_says_as_it_came() -> None:
    noted = re.search(r"\| ([\d.]+) \| `([0-9a-f]{64})` \|", (SCALAR / "README.md").read_text())
    script = (SCALAR / "scalar.js").read_bytes()

    assert noted
    assert f"@scalar/api-reference {noted[1]}".encode() in script
    assert sha256(script).hexdigest() == noted[2]
    assert (SCALAR / "LICENSE").read_text().startswith("MIT License")
