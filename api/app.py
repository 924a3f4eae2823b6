"""Puts the HTTP application together from parts that it is handed."""

from fastapi import APIRouter, FastAPI
from fastapi.staticfiles import StaticFiles
from starlette.middleware import Middleware

from api import openapi, problems, reference
from api.borders import BodyLimit, LastResort
from api.dependencies import Options, Parts
from api.pages.app import STATIC, create_pages
from api.routes import charge_points, decisions, groups, health, me, metrics, starts, transfers
from api.watch import HttpWatch, Watched
from persistence.session import Database
from persistence.vault import Vault
from workflows.client import TransferClient


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
        description=openapi.DESCRIPTION,
        openapi_tags=openapi.TAGS,
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
    openapi.install(app)
    app.include_router(_v1())
    app.include_router(health.router)
    app.include_router(metrics.router)
    app.include_router(reference.router)
    app.mount("/t", create_pages(parts))
    app.mount("/static", StaticFiles(directory=STATIC))
    return app


def _v1() -> APIRouter:
    """Collect the resources."""
    v1 = APIRouter(prefix="/v1")
    for resource in (starts, transfers, decisions, charge_points, groups, me):
        v1.include_router(resource.router)
    return v1
