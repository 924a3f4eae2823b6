"""What the platform is shown of HTTP calls and of the transfers, and what no metric, span or line may show."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import delete

from api.app import create_app
from api.metrics import HttpMetrics
from domain.errors import Unavailable
from domain.ids import ChargePointId
from domain.keys import KeyPurpose
from domain.reconciliation import Finding
from persistence.chargers.charger_keys import KeyState, new_key
from persistence.session import Database
from persistence.tables import ChargePoint, Credential, Request, TransferStep
from persistence.transfers import findings
from persistence.vault import Vault
from persistence.views.metrics import KNOWN_LONG
from telemetry.traces import Tracing
from tests.api.engine import Engine
from tests.api.world import TOKEN, add, add_transfer, bearer, charge_point, open_link
from tests.telemetry.lines import written
from tests.telemetry.spans import Kept

HOUR = timedelta(hours=1)
MOVE = {"kind": "move_to_group", "group_id": "g-olga"}


class Shown:
    """The samples of one scrape."""

    def __init__(self, text: str) -> None:
        self.text = text
        families = text_string_to_metric_families(text)
        self._samples = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in families
            for sample in family.samples
        }

    def __call__(self, name: str, **labels: str) -> float | None:
        return self._samples.get((f"handover_{name}", frozenset(labels.items())))


async def scrape(http: httpx.AsyncClient) -> Shown:
    answer = await http.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    return Shown(answer.text)


@pytest.fixture
async def traced(
    database: Database, vault: Vault, app: object
) -> AsyncIterator[tuple[httpx.AsyncClient, Kept, Tracing]]:
    """The application with its spans kept."""
    kept = Kept()
    tracing = Tracing("handover-api", kept)
    watched = create_app(database, vault, Engine(database), metrics=HttpMetrics(tracer=tracing.tracer))
    transport = httpx.ASGITransport(watched)
    async with httpx.AsyncClient(transport=transport, base_url="http://handover.test") as client:
        yield client, kept, tracing


async def test_calls_are_counted_by_the_template_of_their_route(http: httpx.AsyncClient) -> None:
    await http.get("/v1/transfers/trf_1", headers=bearer("olga"))
    await http.get("/v1/me")
    await http.get("/t/of/lnk_1/accept")
    await http.get("/t/of/lnk_1/code")
    await http.get("/t/of/lnk_1")
    await http.get("/t/a-token-of-somebody")
    await http.get("/static/nothing.css")
    await http.get("/wp-admin.php")
    await http.request("BREW", "/v1/me")

    shown = await scrape(http)

    found = {
        (route, method, status)
        for route, method, status in (
            ("/v1/transfers/{transfer_id}", "GET", "404"),
            ("/v1/me", "GET", "401"),
            ("/t/{token}", "GET", "404"),
            ("/t/of/{link}", "GET", "403"),
            ("/t/of/{link}/code", "GET", "403"),
            ("/t/of/{link}/{answer}", "GET", "403"),
            ("/static", "GET", "404"),
            ("other", "GET", "404"),
            ("/v1/me", "other", "405"),
        )
        if shown("http_requests_total", route=route, method=method, status=status) == 1
    }
    assert len(found) == 9
    assert shown("http_request_duration_seconds_count", route="/v1/me", method="GET") == 1
    assert "a-token-of-somebody" not in shown.text
    assert "trf_1" not in shown.text
    assert "lnk_1" not in shown.text


async def test_transfers_are_shown_by_state_outcome_and_what_they_wait_for(
    http: httpx.AsyncClient, database: Database
) -> None:
    now = datetime.now(UTC)
    await add_transfer(database, "trf_1", attention="operator", state="reconfiguring", requested_at=now - 5 * HOUR)
    await add_transfer(database, "trf_2", charge_point_id="cp-2", requested_at=now - 2 * HOUR)
    late = {"state": "completed_with_warnings", "due": True, "finished_at": now - 3 * HOUR, "rescue_tries": 4}
    await add_transfer(database, "trf_3", **late)
    await add_transfer(database, "trf_4", state="declined", finished_at=now)
    await add(database, request("trf_5", now - HOUR), request("trf_6", now - HOUR, started_at=now))

    shown = await scrape(http)

    assert shown("database_up") == 1
    assert shown("transfers", state="reconfiguring") == 1
    assert shown("transfers", state="transferring") == 0
    assert shown("transfers_ended_total", outcome="declined") == 1
    assert shown("transfers_ended_total", outcome="completed") == 0
    assert shown("transfers_waiting", attention="operator") == 1
    assert shown("transfers_waiting", attention="none") == 0
    assert shown("transfers_oldest_age_seconds", attention="operator") == pytest.approx(5 * 3600, abs=60)
    assert shown("transfers_oldest_age_seconds", attention="recipient") == pytest.approx(2 * 3600, abs=60)
    assert shown("requests_unstarted") == 1
    assert shown("requests_unstarted_oldest_age_seconds") == pytest.approx(3600, abs=60)
    assert shown("rescues_due") == 1
    assert shown("rescues_due_oldest_age_seconds") == pytest.approx(3 * 3600, abs=60)
    assert shown("rescue_tries_max") == 4


async def test_what_the_reconciler_has_parked_is_shown_by_kind(http: httpx.AsyncClient, database: Database) -> None:
    now = datetime.now(UTC)
    async with database.writing() as rows:
        await findings.note_parked(rows, Finding.FORMER_OWNERS_KEY, "cp-1", now)
        await findings.note_mended(rows, Finding.RUN_LOST, "trf_1", now)

    shown = await scrape(http)

    assert shown("findings_parked", finding="former_owners_key") == 1
    assert shown("findings_parked", finding="run_lost") == 0


async def test_the_age_of_a_step_counts_from_its_begin(http: httpx.AsyncClient, database: Database) -> None:
    now = datetime.now(UTC)
    await add_transfer(database, "trf_1", attention="operator", state="reconfiguring", requested_at=now - 5 * HOUR)
    async with database.writing() as rows:
        (await rows.get_one(TransferStep, ("trf_1", "reserve"))).started_at = now - 5 * HOUR
        (await rows.get_one(TransferStep, ("trf_1", "rotate_credentials"))).started_at = now - HOUR

    shown = await scrape(http)

    assert shown("transfers_oldest_step_age_seconds", attention="operator") == pytest.approx(3600, abs=60)
    assert shown("transfers_oldest_age_seconds", attention="operator") == pytest.approx(5 * 3600, abs=60)


async def test_however_many_ask_the_database_is_asked_once_in_a_while(
    http: httpx.AsyncClient, database: Database
) -> None:
    before = await scrape(http)
    await add_transfer(database, "trf_1")
    after = await scrape(http)

    assert before("transfers", state="awaiting_acceptance") == after("transfers", state="awaiting_acceptance") == 0


async def test_a_database_that_is_away_is_said_and_the_rest_is_shown_all_the_same(vault: Vault) -> None:
    gone = Database("postgresql+asyncpg://nobody:nothing@127.0.0.1:9/none")
    transport = httpx.ASGITransport(create_app(gone, vault, Engine(gone)))
    async with httpx.AsyncClient(transport=transport, base_url="http://handover.test") as client:
        assert (await client.get("/v1/me", headers=bearer("olga"))).status_code == 503
        shown = await scrape(client)
    await gone.close()

    assert shown("database_up") == 0
    assert shown("transfers", state="completed") is None
    assert shown("http_requests_total", route="/v1/me", method="GET", status="503") == 1


async def test_a_span_has_the_route_and_the_transfer_and_goes_on_with_the_callers_trace(
    traced: tuple[httpx.AsyncClient, Kept, Tracing],
) -> None:
    http, kept, tracing = traced
    parent = f"00-{'a' * 32}-{'b' * 16}-01"

    begun = await http.post(
        "/v1/charge-points/cp-1/transfers", json=MOVE, headers=bearer("olga") | {"traceparent": parent}
    )

    span = kept.named(tracing)["POST /v1/charge-points/{charge_point_id}/transfers"]
    assert begun.status_code == 201
    assert span.context is not None
    assert f"{span.context.trace_id:032x}" == "a" * 32
    assert dict(span.attributes or {}) == {
        "http.request.method": "POST",
        "http.route": "/v1/charge-points/{charge_point_id}/transfers",
        "http.response.status_code": 201,
        "handover.transfer_id": begun.json()["id"],
    }


async def test_no_token_gets_into_a_span_or_a_line_and_what_the_platform_asks_makes_none(
    traced: tuple[httpx.AsyncClient, Kept, Tracing], link: str
) -> None:
    http, kept, tracing = traced
    with written() as lines:
        assert await open_link(http, f"/t/{TOKEN}") == link
        assert (await http.get(link)).status_code == 200
        assert (await http.post(f"{link}/accept", data={"code": "000000"})).status_code != 200
        for path in ("/healthz", "/readyz", "/metrics"):
            await http.get(path)

    spans = kept.named(tracing)
    assert set(spans) == {"GET /t/{token}", "GET /t/of/{link}", "POST /t/of/{link}/{answer}"}
    assert all(TOKEN not in span.to_json() for span in spans.values())
    assert not [line for line in lines.read() if TOKEN in str(line) and line["logger"] != "httpx"]  # our caller's own
    ours = [line for line in lines.read() if line["logger"] == "api.metrics"]
    assert [line["transfer_id"] for line in ours] == ["trf_1"] * 3


async def test_the_frameworks_own_traces_which_hold_paths_stay_off_whoever_asks_for_them(
    http: httpx.AsyncClient, link: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, provider = Kept(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    monkeypatch.setattr("opentelemetry.trace._TRACER_PROVIDER", provider)  # as OpenTelemetry's launcher does

    assert (await http.get(link)).status_code == 200

    assert kept.get_finished_spans() == ()


@pytest.mark.parametrize(("fails", "status"), [(None, 201), (Unavailable("Temporal is away."), 503)])
async def test_every_line_of_a_start_carries_its_transfer(
    http: httpx.AsyncClient, engine: Engine, fails: Unavailable | None, status: int
) -> None:
    engine.fails = fails
    with written() as lines:
        answer = await http.post("/v1/charge-points/cp-1/transfers", json=MOVE, headers=bearer("olga"))

    assert answer.status_code == status
    transfer_id = answer.headers["location"].rpartition("/")[2]
    ours = [line for line in lines.read() if line["logger"].startswith("api.")]
    assert [line.get("transfer_id") for line in ours] == [transfer_id] * (2 if fails else 1)


def request(transfer_id: str, at: datetime, started_at: datetime | None = None) -> Request:
    return Request(
        transfer_id=transfer_id,
        user_id="u-olga",
        scopes=[],
        charge_point_id="cp-1",
        kind="move_to_group",
        body_hash="0" * 64,
        sealed_body=b"sealed",
        requested_at=at,
        started_at=started_at,
    )


async def test_keys_that_people_have_known_for_long_are_shown(http: httpx.AsyncClient, database: Database) -> None:
    long_ago = datetime.now(UTC) - KNOWN_LONG - HOUR
    given = KeyPurpose.GIVEN
    points = [ChargePointId(f"cp-{number}") for number in (1, 2, 3)]
    async with database.writing() as rows:
        await rows.execute(delete(Credential))
        rows.add_all(charge_point("cp-3", "u-stan", "g-stan"))
        await rows.flush()
        rows.add_all(
            [
                new_key(points[0], KeyState.CURRENT, "1", long_ago, purpose=given, version=0),
                new_key(points[1], KeyState.CURRENT, "2", long_ago, purpose=given, version=0),
                new_key(points[1], KeyState.REVOKED, "3", long_ago, purpose=given, version=0),
                new_key(points[2], KeyState.CURRENT, "4", datetime.now(UTC), purpose=given, version=0),
            ]
        )
        (await rows.get_one(ChargePoint, "cp-2")).rotates = False

    shown = await scrape(http)

    assert shown("keys_known_to_people", replaceable="true") == 1
    assert shown("keys_known_to_people", replaceable="false") == 1
