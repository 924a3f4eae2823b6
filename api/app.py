"""Puts the HTTP application together from parts that it is handed."""

from fastapi import APIRouter, FastAPI
from fastapi.staticfiles import StaticFiles
from starlette.middleware import Middleware

from api import problems
from api.borders import BodyLimit, LastResort
from api.dependencies import Options, Parts
from api.pages.app import STATIC, create_pages
from api.routes import charge_points, decisions, groups, health, me, metrics, starts, transfers
from api.watch import HttpWatch, Watched
from persistence.session import Database
from persistence.vault import Vault
from workflows.client import TransferClient

_PROBLEM = {"content": {"application/problem+json": {"schema": problems.SCHEMA}}}


def create_app(
    database: Database,
    vault: Vault,
    transfers_client: TransferClient,
    options: Options | None = None,
    watch: HttpWatch | None = None,
) -> FastAPI:
    """Build the application: JSON under /v1, pages under /t; /healthz, /readyz and /metrics for the platform.

    The caller closes `database` and `transfers_client`; nothing is opened here.
    """
    options, watch = options or Options(), watch or HttpWatch()
    app = FastAPI(
        title="Handover",
        version="1",
        description="Moves an EV charge point from one owner to another.",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # it would trace the paths of approval links
        middleware=[
            Middleware(Watched, watch=watch),
            Middleware(LastResort, answer=problems.unexpected),
            Middleware(BodyLimit, limit=options.body_limit, refuse=problems.too_large),
        ],
    )
    app.state.parts = parts = Parts(database, vault, transfers_client, options, watch)
    problems.install(app)
    app.include_router(_v1())
    app.include_router(health.router)
    app.include_router(metrics.router)
    app.mount("/t", create_pages(parts))
    app.mount("/static", StaticFiles(directory=STATIC))
    return app


def _v1() -> APIRouter:
    """Collect the resources; every one may answer with a problem."""
    v1 = APIRouter(
        prefix="/v1",
        responses={
            "default": {"description": "A problem (RFC 9457); its `code` is stable.", **_PROBLEM},
            422: {"description": "Malformed: `errors` lists the fields.", **_PROBLEM},
        },
    )
    for resource in (starts, transfers, decisions, charge_points, groups, me):
        v1.include_router(resource.router)
    return v1
