"""Puts the HTTP application together from parts that it is handed."""

from fastapi import APIRouter, FastAPI
from fastapi.staticfiles import StaticFiles
from starlette.middleware import Middleware

from api import openapi, problems
from api.dependencies import Backend, Options
from api.metrics import HttpMetrics, MetricsMiddleware
from api.middleware import BodyLimit, LastResort, SecurityHeaders, TrueClient
from api.pages.app import STATIC, create_pages, mount_account_pages
from api.reference import page
from api.routes import charge_points, decisions, groups, health, me, metrics, sessions, starts, transfers, users
from engine.engine import Engine
from persistence.session import Database
from persistence.vault import Vault

#: Made once in a process: to read the signatures of all calls takes longer than to serve one.
_CALLS = APIRouter()
for _resource in (starts, transfers, decisions, charge_points, sessions, groups, users, me):
    _CALLS.include_router(_resource.router, prefix="/v1")
for _resource in (health, metrics, page):
    _CALLS.include_router(_resource.router)


def create_app(
    database: Database,
    vault: Vault,
    engine: Engine,
    options: Options | None = None,
    metrics: HttpMetrics | None = None,
) -> FastAPI:
    """Build the application: JSON under /v1, pages elsewhere; /healthz, /readyz and /metrics for the platform.

    The caller closes `database` and `engine`; nothing is opened here.
    """
    options, metrics = options or Options(), metrics or HttpMetrics()
    app = FastAPI(
        title="Handover",
        version="1",
        routes=_CALLS.routes,
        description=openapi.DESCRIPTION,
        openapi_tags=openapi.TAGS,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # it would trace the paths of approval links
        middleware=[
            Middleware(TrueClient, proxies=options.proxies),
            Middleware(MetricsMiddleware, metrics=metrics),
            Middleware(SecurityHeaders, secure=options.secure),
            Middleware(LastResort, answer=problems.unexpected),
            Middleware(BodyLimit, limit=options.body_limit, refuse=problems.too_large),
        ],
    )
    app.state.backend = backend = Backend(database, vault, engine, options, metrics)
    problems.install(app)
    openapi.install(app)
    app.mount("/t", create_pages(backend))
    mount_account_pages(app, backend)
    app.mount("/static", StaticFiles(directory=STATIC))
    return app
