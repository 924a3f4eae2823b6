"""Whatever opens links by itself - mail scanners, previews, a browser's guesses - changes nothing by it."""

import httpx

from persistence.session import Database
from persistence.vault import Vault
from tests.api.engine import Engine
from tests.api.world import CODE, TOKEN, add_code, everything


async def test_a_thousand_looks_change_no_row_and_send_no_letter(
    http: httpx.AsyncClient, link: str, database: Database, engine: Engine, vault: Vault
) -> None:
    await add_code(database, vault)
    before = await everything(database)
    addresses = [f"/t/{TOKEN}", *(f"{link}{path}" for path in ("", "/code", "/accept", "/decline"))]
    queries = ("", "?lang=fr", f"?code={CODE}", "?name=Rita&code=1")

    statuses = set()
    for number in range(1000):
        method, address = ("GET", "HEAD")[number % 2], addresses[number // 2 % len(addresses)]
        answer = await http.request(method, address + queries[number // 10 % len(queries)])
        statuses.add(answer.status_code)
        if number % 100 == 94:
            http.cookies.clear()  # a scanner that keeps nothing
        if number % 100 == 50:
            await http.get(f"/t/{TOKEN}")

    assert statuses == {200, 303, 403}
    assert await everything(database) == before
    assert before["codes"], "there was something to use up"
    assert (engine.codes, engine.decided) == ([], [])
