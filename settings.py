"""The environment, read once at a process's start and handed down as constructor arguments."""

from datetime import timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    IPvAnyAddress,
    IPvAnyNetwork,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from domain.approval import DEFAULT_EXPIRY, SHORTEST_EXPIRY
from domain.charger import OcppVersion
from domain.charging import CONNECTIONS_KEPT, CONNECTOR_POWER_LIMIT, LOST_AFTER, OPEN_LIMIT
from domain.issuer import is_safe
from domain.limits import CODES_KEPT, REFUSALS_KEPT, REQUESTS_KEPT, CallLimits
from domain.policy import Policy
from domain.proxies import ForwardedHeader, Proxies
from domain.rights import DEFAULT_COOL_DOWN
from domain.support import Audience, SupportLine
from domain.trail import PLACES_KEPT
from telemetry.choices import LogFormat, Ports

Port = Annotated[int, Field(ge=1, le=65535)]


class WrongSetting(Exception):
    """A setting can't be used; the text names it, and never repeats its value: it may be a key."""


#: What stations were seen to take for a restart.
_SHORTEST_RESTART: Final = timedelta(seconds=30)


class PolicySettings(Policy):
    """The durations as settings: a misspelt one is an error, while a transfer may come with one of a later release."""

    model_config = ConfigDict(extra="forbid")

    @field_validator("restart_patience")
    @classmethod
    def _long_enough_to_restart(cls, patience: timedelta) -> timedelta:
        if patience < _SHORTEST_RESTART:
            raise ValueError(f"{_SHORTEST_RESTART.total_seconds():.0f} seconds at least: a restart takes as long")
        return patience


class OidcSettings(BaseModel):
    """An issuer of OpenID Connect."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    issuer: str | None = None
    """An issuer of OpenID Connect that people may sign in by, as it names itself, over TLS; unset: none. It has to let
    them come back to `<HANDOVER_ORIGIN>/account/oidc/callback`, and to confirm their e-mail address."""
    client_id: str | None = Field(None, validate_default=True)
    """What we are called there; required where there is an issuer."""
    client_secret: SecretStr | None = None
    """What we are known by there; unset: by PKCE alone, as a public client."""
    name: str = "OpenID Connect"
    """What people know the issuer by: on the button stands “Sign in with …”."""

    @field_validator("issuer")
    @classmethod
    def _over_tls(cls, issuer: str | None) -> str | None:
        if issuer and not is_safe(issuer):
            raise ValueError("it has to be an address that begins with https://")
        return issuer or None

    @field_validator("client_id")
    @classmethod
    def _named(cls, client_id: str | None, others: ValidationInfo) -> str | None:
        if others.data.get("issuer") and not client_id:
            raise ValueError("set it together with HANDOVER_OIDC__ISSUER")
        return client_id


class Settings(BaseSettings):
    """Every setting, as `HANDOVER_<NAME>`; durations in ISO 8601 (`PT10M`)."""

    model_config = SettingsConfigDict(env_prefix="HANDOVER_", env_nested_delimiter="__", extra="ignore")

    database_url: str = "sqlite+aiosqlite:///.handover/handover.db"
    """The database; PostgreSQL in production, as `postgresql+asyncpg://…`, with `?pooler=transaction` behind PgBouncer
    in that mode."""
    migration_database_url: str | None = None
    """The same database, as the role that its tables belong to: for `./handover migrate`, which lets the role of
    HANDOVER_DATABASE_URL read and write rows then, and change neither tables nor trails. Unset: they are one role."""
    temporal_address: str | None = None
    """Where Temporal is; unset: as its own variables and profile file say, from which TLS and keys always come, else
    `127.0.0.1:7233`."""
    temporal_namespace: str | None = None
    """Its namespace; unset: the same, else `default`."""
    secret_keys: Annotated[list[SecretStr], NoDecode] = Field(default_factory=list)
    """Required: keys of 32 characters or more, separated by commas; the first writes, all read. `./handover
    new-secret-key` makes one."""

    trusted_proxies: Annotated[list[IPvAnyNetwork], NoDecode] = Field(default_factory=list)
    """Addresses and networks of the proxies before API and gateway, separated by commas: what these say of where a call
    comes from counts, and nobody else's word."""
    forwarded_header: ForwardedHeader = ForwardedHeader.X_FORWARDED_FOR
    """The header in which they say so: `x-forwarded-for`, or `forwarded` (RFC 7239); the other one is not read."""

    origin: str = "http://127.0.0.1:8000"
    """Where recipients reach the pages; the links in letters begin with it. Of the worker too."""
    support: dict[Audience, SupportLine] = Field(default_factory=dict)
    """Where people find help, at the foot of each page, as JSON: for `private`, `business` and `installers` each its
    `contact` (`https:`, `mailto:`, `tel:`), and where you like `hours` (`days`, `opens`, `closes`, `zone`) and
    `answers_within`."""
    api_host: str = "127.0.0.1"
    """The address that the API listens at."""
    api_port: int = 8000
    """Its port."""
    api_patience: timedelta = Field(timedelta(seconds=30), gt=timedelta(0))
    """How long a call may take to come whole, and its answer to be read; then its connection is closed."""
    start_timeout: timedelta = timedelta(seconds=5)
    """How long a start waits for a worker before it is answered 202; how long other calls wait for Temporal."""
    body_limit: int = 64 * 1024
    """The largest body of a call, in bytes; beyond it 413."""
    stream_poll_every: timedelta = Field(timedelta(milliseconds=500), gt=timedelta(0))
    """How often the audit trails are asked for what is new, while anybody listens."""
    stream_check_every: timedelta = Field(timedelta(seconds=30), gt=timedelta(0))
    """How often a stream checks that its key is valid, and its caller may still see the transfer."""
    stream_limit: NonNegativeInt = 1000
    """Event streams of one process; beyond it 503. 0: none."""
    stream_limit_per_user: NonNegativeInt = 100
    """Of these, one user's; beyond it 429."""
    api_connections: PositiveInt = 2000
    """Connections of one process, more than event streams: beyond it the one is closed that has waited longest for a
    call, and where all are at one, the newcomer."""

    transfers_at_once: NonNegativeInt = 100
    """How many transfers may run that wait for nobody, over all processes; beyond it a start is answered 503, before
    anything is written. As many as the workers end in some 10 seconds. 0: any number."""

    limits: CallLimits = CallLimits()
    """How often somebody may start, write to others and guess, as HANDOVER_LIMITS__TRANSFERS_PER_HOUR and so on."""

    oidc: OidcSettings = OidcSettings()
    """By whom people may sign in beside us, as HANDOVER_OIDC__ISSUER and so on."""

    gateway_host: str = "127.0.0.1"
    """The address that chargers connect to."""
    gateway_port: int = 9000
    """Its port."""
    gateway_node: str = "node-1"
    """This process's name: unique, and the same after a restart."""
    gateway_tls_cert: Path | None = None
    """The PEM file of its certificate, with the chain: with it, it serves `wss`, else `ws`."""
    gateway_tls_key: Path | None = None
    """The PEM file of the certificate's key; changes of both files are taken over without a restart."""
    gateway_frame_limit: NonNegativeInt = 256 * 1024
    """The largest frame in bytes; a StopTransaction may carry a night of meter values. 0: no limit."""
    gateway_messages_per_second: NonNegativeFloat = 20
    """How fast one charger's messages are read; 0: no limit."""
    gateway_message_burst: PositiveInt = 200
    """How many are read at once before that counts."""
    gateway_garbage_limit: NonNegativeInt = 50
    """Frames in a row that are no OCPP before the connection is closed; 0: no limit."""
    gateway_ping_every: timedelta = Field(timedelta(seconds=30), ge=timedelta(0))
    """How often a charger is asked whether it is there; `PT0S`: never."""
    gateway_ping_timeout: timedelta = Field(timedelta(seconds=20), gt=timedelta(0))
    """How long it may take to answer that."""
    gateway_guesses_per_identity: NonNegativeInt = 20
    """Failed authentications of one identity from one address in a minute; 0: no limit."""
    gateway_guesses_per_address: NonNegativeInt = 1000
    """The same of all identities at one address; 0 behind a proxy that hides the addresses."""
    call_timeout: timedelta = timedelta(seconds=30)
    """How long a charger may take to answer a call."""
    key_grace: timedelta = timedelta(minutes=10)
    """How long after a new key was sent the old one still opens an ordinary connection."""

    connector_power_limit: PositiveFloat = CONNECTOR_POWER_LIMIT
    """What a connector gives at most, in kW: a session with more energy than that allows is marked, and a finding.
    Of the gateway, and of the API for what is ended by hand."""
    session_lost_after: timedelta = Field(LOST_AFTER, ge=timedelta(0))
    """How long after its last start or connection a charger has told of every session that it kept: one that still
    runs then on a connector that it calls `Available` has lost its stop, and is ended. Of the gateway."""
    session_open_limit: timedelta = Field(OPEN_LIMIT, gt=timedelta(0))
    """How long a charging session may run before it is a finding. Of the worker."""

    strict_key_end: bool = False
    """Whether the old key opens nothing any more once a charger has accepted a new one, as OCPP says (A01.FR.03); a
    charger that lied is locked out then. Never while it is enrolled."""
    gateway_proxy_protocol: bool = False
    """Whether TCP proxies before it begin each connection with the PROXY protocol (1 or 2), before TLS: those in
    HANDOVER_TRUSTED_PROXIES; from anybody else it is read as it is."""
    gateway_behind_tls: bool = False
    """A proxy before it does the TLS, so that `ws` is no open line."""
    gateway_without_subprotocol: OcppVersion | None = None
    """The version of OCPP, `1.6` or `2.0.1`, of chargers that offer none as they connect; unset: their connection is
    closed."""
    enrolment: str = "on"
    """Whether keys that people know are replaced by ones that only the charger does: `on`, `off`, or for these
    models, comma-separated."""
    enrolments_at_once: PositiveInt = 20
    """How many chargers a process enrols at the same time."""
    enrolments_per_hour: PositiveInt = 1000
    """How many it begins with in an hour."""
    enrolment_restart_hours: Annotated[str, Field(pattern=r"^([01]?\d|2[0-4])-([01]?\d|2[0-4])$")] = "1-5"
    """Between which hours (UTC) a charger may be restarted that needs it for its key, when nobody charges; `0-24`:
    always."""

    smtp_host: str = "127.0.0.1"
    """The mail server."""
    smtp_port: int = 1025
    """Its port."""
    smtp_user: str | None = None
    """The name to log in with; unset: without."""
    smtp_password: SecretStr | None = None
    """Its password."""
    smtp_starttls: bool = False
    """Whether nothing is sent unless TLS is up."""
    mail_from: str = "Handover <handover@localhost>"
    """The sender of letters."""

    default_expiry: timedelta = DEFAULT_EXPIRY
    """How long a recipient has to accept where the request has no `expires_in`."""
    shortest_expiry: timedelta = SHORTEST_EXPIRY
    """The shortest `expires_in`; the longest is 60 days."""
    cool_down: timedelta = DEFAULT_COOL_DOWN
    """How long after its owner changed a charge point can't be transferred again, but by operators. Of the worker
    too."""
    policy: PolicySettings = PolicySettings()
    """Durations of a transfer, as HANDOVER_POLICY__SESSION_DEADLINE and so on."""

    reconcile_every: timedelta = Field(timedelta(minutes=1), ge=timedelta(seconds=1))
    """How often register, workflows and credentials are compared, and requests that were kept are started."""

    patches: Annotated[list[str], NoDecode] = Field(default_factory=list)
    """Changes of workflows that this release brings and that are to be on, separated by commas, once every worker is of
    it and none is to go back (docs/deployment.md). Of the worker."""

    addresses_kept: timedelta = Field(PLACES_KEPT, gt=timedelta(0))
    """How long the trail of a charge point keeps, and shows, from where somebody connected. Of the worker too, which
    takes it out."""

    connections_kept: timedelta = Field(CONNECTIONS_KEPT, ge=timedelta(days=1))
    """How long it is kept when chargers were connected: what they report of earlier is no more told from a lie. Of
    the worker, which takes it out."""

    requests_kept: timedelta = Field(REQUESTS_KEPT, ge=timedelta(days=7))
    """How long a request is kept once its transfer is over, and an idempotency key from its use on: as long a call may
    be repeated under it; 7 days at least. Of the worker, which takes them out."""
    refusals_kept: timedelta = Field(REFUSALS_KEPT, ge=timedelta(days=1))
    """How long audit trails tell of what somebody was refused; a day at least, as some of that is written once a day.
    Of the worker, which takes it out."""
    codes_kept: timedelta = Field(CODES_KEPT, ge=timedelta(days=1))
    """How long one-time codes are kept once their transfer is over; a day at least, as a used one repeats its answer.
    Of the worker, which takes them out."""

    api_url: str = "http://127.0.0.1:8000"
    """Where the API is."""
    api_key: SecretStr | None = None
    """The key to call it with: what it may do, the command line may."""
    temporal_ui: str | None = None
    """Where Temporal's UI is; `show` then gives a transfer's address there."""

    log_level: str = "INFO"
    """The least important lines of the log that are written."""
    log_format: LogFormat = LogFormat.TEXT
    """`text` for people, `json` for programs."""
    metrics_host: IPvAnyAddress = IPv4Address("127.0.0.1")
    """Where the two ports below listen."""
    metrics_port: Port | None = None
    """`/metrics`, `/healthz` and `/readyz` of a worker or a gateway; unset: none. The API has its own."""
    sdk_metrics_port: Port | None = None
    """What the Temporal SDK measures, of the API too; one for each process of a machine."""
    traces_exporter: Literal["otlp", "none"] | None = Field(None, validation_alias="OTEL_TRACES_EXPORTER")
    """`otlp` or `none`; unset: `otlp` where one of the next two is set."""
    traces_endpoint: str | None = Field(
        None, validation_alias=AliasChoices("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
    )
    """Where traces go, as OpenTelemetry's exporter reads it; to the second `/v1/traces` is added."""

    @property
    def enrolled_models(self) -> frozenset[str] | None:
        """The models whose chargers are enrolled, in lower case; None: all."""
        if self.enrolment.lower() in {"on", "off"}:
            return None if self.enrolment.lower() == "on" else frozenset()
        return frozenset(name.strip().lower() for name in self.enrolment.split(",") if name.strip())

    @property
    def restart_hours(self) -> tuple[int, int]:
        """`enrolment_restart_hours` as two hours."""
        begin, _, end = self.enrolment_restart_hours.partition("-")
        return int(begin), int(end)

    @property
    def proxies(self) -> Proxies:
        """The proxies that are trusted."""
        return Proxies(tuple(self.trusted_proxies), self.forwarded_header)

    @property
    def traced(self) -> bool:
        """Whether traces are wanted."""
        return (self.traces_exporter or ("otlp" if self.traces_endpoint else "none")) == "otlp"

    @property
    def metrics_ports(self) -> Ports:
        """Where metrics are read."""
        return Ports(str(self.metrics_host), self.metrics_port, self.sdk_metrics_port)

    @field_validator("secret_keys", "trusted_proxies", "patches", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @field_validator("trusted_proxies")
    @classmethod
    def _not_everybody(cls, networks: list[IPvAnyNetwork]) -> list[IPvAnyNetwork]:
        if not all(network.prefixlen for network in networks):
            raise ValueError("name the proxies alone: where everybody is trusted anybody says where they are")
        return networks

    @field_validator("api_connections")
    @classmethod
    def _more_than_streams(cls, count: int, others: ValidationInfo) -> int:
        if count <= others.data.get("stream_limit", 0):
            raise ValueError("it has to be more than HANDOVER_STREAM_LIMIT, or event streams take every place")
        return count

    @field_validator("gateway_proxy_protocol")
    @classmethod
    def _of_somebody(cls, spoken: bool, others: ValidationInfo) -> bool:
        if spoken and not others.data.get("trusted_proxies"):
            raise ValueError("name the proxies that speak it in HANDOVER_TRUSTED_PROXIES")
        return spoken

    @field_validator("gateway_tls_key")
    @classmethod
    def _both_or_none(cls, key: Path | None, others: ValidationInfo) -> Path | None:
        if (key is None) != (others.data.get("gateway_tls_cert") is None):
            raise ValueError("set it together with HANDOVER_GATEWAY_TLS_CERT to serve wss, or unset both to serve ws")
        return key

    def server_keys(self) -> list[str]:
        """Give the plain server keys; raises WrongSetting where there is none."""
        if not self.secret_keys:
            raise WrongSetting(
                "HANDOVER_SECRET_KEYS is not set. Make a key with `./handover new-secret-key`, keep it safe, and set "
                "it; the API, the worker and the gateway need the same one."
            )
        return [key.get_secret_value() for key in self.secret_keys]


def read_settings() -> Settings:
    """Read the environment; raises WrongSetting."""
    try:
        return Settings()
    except ValidationError as error:
        faults = "; ".join(f"{_name(fault['loc'])}: {fault['msg']}" for fault in error.errors())
        raise WrongSetting(f"Correct {faults}.") from None


def _name(place: tuple[int | str, ...]) -> str:
    """Spell a setting as it is in the environment."""
    if str(place[0]).startswith("OTEL_"):
        return str(place[0])
    return f"HANDOVER_{'__'.join(map(str, place)).upper().removeprefix('HANDOVER_')}"
