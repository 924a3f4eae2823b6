"""What routes are given: what they work with, who calls, and the values that many calls share."""

import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Annotated, Final, cast

from fastapi import Depends, Header, Path, Query, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.issuer import CALLBACK, Issuer, IssuerOptions
from api.metrics import HttpMetrics
from api.streams import StreamOptions, Streams
from domain.approval import DEFAULT_EXPIRY, SHORTEST_EXPIRY
from domain.charging import CONNECTOR_POWER_LIMIT
from domain.errors import InvalidRequest, NotAuthenticated
from domain.ids import ID_PATTERN
from domain.limits import NO_LIMITS, CallLimits
from domain.passkeys import RelyingParty
from domain.policy import DEFAULT_POLICY, Policy
from domain.proxies import NO_PROXIES, Proxies
from domain.rights import DEFAULT_COOL_DOWN
from domain.support import Audience, SupportLine
from domain.trail import PLACES_KEPT
from engine.account_news import AccountNews
from engine.chargers import Chargers
from engine.engine import Engine
from engine.links import Links
from engine.sign_ins import SignInCodes
from engine.transfers import Transfers
from persistence.chargers.issuing import Issuing
from persistence.intake.erasures import Erasures
from persistence.intake.limits import Counters
from persistence.intake.load import Load
from persistence.intake.order_book import OrderBook
from persistence.intake.passkeys import Passkeys
from persistence.intake.refused_attempts import RefusedAttempts
from persistence.intake.requests import Requests
from persistence.intake.session_orders import SessionOrders
from persistence.intake.sign_ins import SignIns
from persistence.links.link_codes import LinkCodes
from persistence.links.link_reads import LinkReads
from persistence.people.callers import Caller, Callers
from persistence.session import Database
from persistence.vault import Vault, fingerprint
from persistence.views.audit_feed import AuditFeed
from persistence.views.charge_point_trails import ChargePointTrails
from persistence.views.charging_reads import ChargingReads
from persistence.views.dry_run import DryRuns
from persistence.views.metrics import MetricReads
from persistence.views.names import NameReads
from persistence.views.personal_data import PersonalData
from persistence.views.prospects import Prospects
from persistence.views.reads import Reads
from persistence.views.transfer_reads import TransferReads

#: So many characters an idempotency key has at most.
_LONGEST_KEY: Final = 255


@dataclass(frozen=True)
class Options:
    """The settings that the application itself needs."""

    default_expiry: timedelta = DEFAULT_EXPIRY
    shortest_expiry: timedelta = SHORTEST_EXPIRY
    cool_down: timedelta = DEFAULT_COOL_DOWN
    body_limit: int = 64 * 1024
    limits: CallLimits = NO_LIMITS
    streams: StreamOptions = field(default_factory=StreamOptions)
    places_kept: timedelta = PLACES_KEPT
    """How long after an entry it is shown where somebody was."""
    proxies: Proxies = NO_PROXIES
    """Whose word on where a call comes from counts."""
    transfers_at_once: int = 0
    """How many transfers may run that wait for nobody; 0: any number."""
    origin: str = "http://127.0.0.1:8000"
    """Where recipients reach the pages."""
    policy: Policy = DEFAULT_POLICY
    """Of a transfer that is asked for now."""
    support: Mapping[Audience, SupportLine] = field(default_factory=dict)
    """Where people find help."""
    issuer: IssuerOptions | None = None
    """By whom people may sign in beside us."""
    power_limit: float = CONNECTOR_POWER_LIMIT
    """What a connector gives at most, in kW."""

    @property
    def secure(self) -> bool:
        """Whether callers come over TLS."""
        return self.origin.startswith("https:")


class Backend:
    """Everything a route may work with."""

    def __init__(
        self, database: Database, vault: Vault, engine: Engine, options: Options, metrics: HttpMetrics
    ) -> None:
        """Build what reads and what writes on one database."""
        self.database = database
        self.transfers: Transfers = engine
        self.links: Links = engine
        self.chargers: Chargers = engine
        self.options = options
        self.vault = vault
        self.http_metrics = metrics
        self.metrics = MetricReads(database)
        self.callers = Callers(database)
        self.reads = Reads(database)
        self.charging_reads = ChargingReads(database)
        self.dry_runs = DryRuns(database, options.cool_down)
        self.prospects = Prospects(database, options.cool_down)
        self.names = NameReads(database)
        self.transfer_reads = TransferReads(database, vault)
        self.charge_point_trails = ChargePointTrails(database, options.places_kept)
        self.audit_feed = AuditFeed(database)
        self.streams = Streams(self.audit_feed, options.streams)
        metrics.count_streams(lambda: self.streams.open)
        self.link_reads = LinkReads(database, vault)
        self.codes = LinkCodes(database, vault)
        self.sign_in_codes: SignInCodes = engine
        self.account_news: AccountNews = engine
        self.sign_ins = SignIns(database, vault, Counters(vault, options.limits))
        self.passkeys = self._passkeys(database, Counters(vault, options.limits))
        self.issuer = Issuer(options.issuer, f"{options.origin.rstrip('/')}{CALLBACK}") if options.issuer else None
        self.load = Load(database, options.transfers_at_once)
        self.requests = Requests(database, vault, options.limits, options.policy)
        self.orders = OrderBook(database, vault, options.limits)
        self.session_orders = SessionOrders(database, vault)
        self.erasures = Erasures(database, vault)
        self.personal_data = PersonalData(database, vault)
        self.attempts = RefusedAttempts(database, vault, options.limits, metrics.unrecorded)
        self.issuing = Issuing(database, vault)

    def _passkeys(self, database: Database, counters: Counters) -> Passkeys | None:
        """Build what works with passkeys; None where browsers have none for us."""
        party = RelyingParty.of(self.options.origin)
        return Passkeys(database, counters, self.sign_ins, party) if party else None


def backend_of(request: Request) -> Backend:
    """Give what the application that serves the request works with."""
    return cast(Backend, request.app.state.backend)


BackendDep = Annotated[Backend, Depends(backend_of)]
_bearer = HTTPBearer(
    auto_error=False,
    scheme_name="API key",
    bearerFormat="hk_<id>_<secret>",
    description="An API key, from `./handover keys create USER`. It may do what its user may, and what its scopes add.",
)


async def caller_of(
    backend: BackendDep, bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Caller:
    """Say who calls; raises NotAuthenticated."""
    if bearer is None:
        raise NotAuthenticated("No API key; send one as Authorization: Bearer hk_….")
    return await backend.callers.caller(bearer.credentials)


@dataclass(frozen=True)
class LastingCaller:
    """Who calls, and what asks it anew: a key may be revoked while a call lasts."""

    now: Caller
    again: Callable[[], Awaitable[Caller]]


def lasting_caller_of(
    backend: BackendDep,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    caller: Annotated[Caller, Depends(caller_of)],
) -> LastingCaller:
    """Say who calls, for a call that lasts; raises NotAuthenticated."""
    return LastingCaller(caller, partial(caller_of, backend, bearer))


def idempotency_key(
    key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            description="Of your making, for each thing that you want done, like `move-lilas-1-2026-11-25`. The same "
            "key with the same call: one effect, and the same answer; with another call: 422.",
            json_schema_extra={"minLength": 1, "maxLength": _LONGEST_KEY, "pattern": "^[ -~]+$"},
        ),
    ] = None,
) -> str | None:
    """Give the idempotency key, if one was sent; raises InvalidRequest."""
    if key is not None and not (1 <= len(key) <= _LONGEST_KEY and key.isascii() and key.isprintable()):
        raise InvalidRequest(
            f"Idempotency-Key must be 1 to {_LONGEST_KEY} printable ASCII characters; send another one."
        )
    return key


def act_id(caller: Caller, key: str | None) -> str:
    """Give the id of what a caller does: the same for the same idempotency key, else one of its own."""
    return fingerprint(f"{caller.id} {key}")[:32] if key else secrets.token_hex(16)


def no_query(request: Request) -> None:
    """Refuse query parameters: one that is not understood may have been meant to keep the call from doing anything."""
    if request.query_params:
        raise InvalidRequest("This call takes no query parameters; leave them out.")


def only_dry_run(request: Request) -> None:
    """Refuse query parameters but `dry_run`."""
    if set(request.query_params) - {"dry_run"}:
        raise InvalidRequest("This call takes no query parameters but dry_run; leave the others out.")


CallerDep = Annotated[Caller, Depends(caller_of)]
LastingCallerDep = Annotated[LastingCaller, Depends(lasting_caller_of)]
KeyDep = Annotated[str | None, Depends(idempotency_key)]
PathId = Annotated[str, Path(pattern=ID_PATTERN.pattern, description="Its id.")]
Limit = Annotated[int, Query(ge=1, le=200, description="How many items at most.")]
Cursor = Annotated[str | None, Query(max_length=300, description="`next` of the page before.")]
