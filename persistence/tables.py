"""Every table, in the words of the domain. Times are aware UTC; ids are texts."""

from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from domain.passkeys import LONGEST_NAME
from domain.sign_in import LONGEST_BROWSER
from domain.tags import TagType
from domain.trail import REFUSALS
from persistence.caseless import Caseless

ID = String(80)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware time, in UTC on both databases; SQLite gives naive ones back. A naive one is refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's
        """Write in UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - same
        """Read in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Table(DeclarativeBase):
    """Root of the tables; constraint names are spelled so that migrations can name them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: UtcDateTime, dict[str, Any]: JSON, list[Any]: JSON}  # noqa: RUF012 - SQLAlchemy's spelling


# --- accounts -----------------------------------------------------------------------------------------------------


class User(Table):
    """An account. `email` is lower-cased and `phone` E.164: what look-ups compare; neither is unique (ambiguity)."""

    __tablename__ = "users"
    id: Mapped[str] = mapped_column(ID, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    email: Mapped[str | None] = mapped_column(Text, index=True)
    phone: Mapped[str | None] = mapped_column(Text, index=True)
    locale: Mapped[str] = mapped_column(String(16))
    status: Mapped[str] = mapped_column(String(16))
    """`active`, `blocked` or `deleted`; only active accounts are usable."""
    created_at: Mapped[datetime]
    erased_at: Mapped[datetime | None]
    """When what is personal was taken out, for good: the row stays for what points to it, its name is empty."""


class Group(Table):
    """A team; a personal one has `personal_of`."""

    __tablename__ = "groups"
    id: Mapped[str] = mapped_column(ID, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    personal_of: Mapped[str | None] = mapped_column(ForeignKey("users.id"), unique=True)
    charges_anybody: Mapped[bool] = mapped_column(Boolean, default=False)
    """Whether who names nobody may charge (OCPP 2.0.1's `NoAuthorization`)."""


class Membership(Table):
    """A user's role in a group."""

    __tablename__ = "memberships"
    group_id: Mapped[str] = mapped_column(ForeignKey("groups.id"), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), primary_key=True, index=True)
    role: Mapped[str] = mapped_column(String(16))


class Tag(Table):
    """An RFID tag that a group lets charge."""

    __tablename__ = "tags"
    group_id: Mapped[str] = mapped_column(ForeignKey("groups.id"), primary_key=True)
    id_tag: Mapped[str] = mapped_column(String(36), primary_key=True)
    """As OCPP compares it: case-insensitive, kept in upper case. A charger of 1.6 reads no more than 20 characters."""
    type: Mapped[str] = mapped_column(String(20), primary_key=True, default=TagType.ISO14443.value)
    """domain.tags.TagType."""


class ApiKey(Table):
    """An API key `hk_<id>_<secret>`; only the secret's SHA-256 is kept (the secret is random, 32 bytes)."""

    __tablename__ = "api_keys"
    id: Mapped[str] = mapped_column(ID, primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    secret_hash: Mapped[str] = mapped_column(String(64))
    scopes: Mapped[list[Any]]
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


# --- charge points ------------------------------------------------------------------------------------------------


class ChargePoint(Table):
    """A charge point; owner, group and version change by workflows' activities only."""

    __tablename__ = "charge_points"
    id: Mapped[str] = mapped_column(ID, primary_key=True)
    identity: Mapped[str] = mapped_column(String(255), unique=True)
    """As it was imported; compared, and unique, without regard to case."""
    name: Mapped[str] = mapped_column(Text)
    location: Mapped[str | None] = mapped_column(Text)
    owner_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    group_id: Mapped[str] = mapped_column(ForeignKey("groups.id"))
    version: Mapped[int]
    owner_version: Mapped[int] = mapped_column(default=0)
    """The version with which the present owner's time began: a key that was made under an earlier one is not theirs."""
    owner_changed_at: Mapped[datetime | None]
    sessions_blocked_by: Mapped[str | None] = mapped_column(ID)
    """What lets no new charging session start: the id of whoever quieted it."""
    ocpp: Mapped[str] = mapped_column(String(8))
    """`1.6` or `2.0.1`."""
    vendor: Mapped[str | None] = mapped_column(Text)
    model: Mapped[str | None] = mapped_column(Text)
    firmware: Mapped[str | None] = mapped_column(Text)
    serials: Mapped[list[Any]] = mapped_column(default=list)
    """The serial numbers that its latest BootNotification named."""
    booted_at: Mapped[datetime | None]
    rotates: Mapped[bool | None] = mapped_column(Boolean)
    """Whether it takes a key that it is sent; None until that was seen, and again once its firmware has changed."""
    until_new_key: Mapped[str | None] = mapped_column(String(16))
    """What keys older than its owner open (domain.transfer.UntilNewKey); empty where none does any more."""
    __table_args__ = (
        Index("uq_charge_points_identity_caseless", Caseless(identity), unique=True),
        Index("ix_charge_points_group_id_id", "group_id", "id"),
        Index("ix_charge_points_model", "model", "vendor", "ocpp", "id"),
        Index(
            "ix_charge_points_sessions_blocked_by",
            "sessions_blocked_by",
            sqlite_where=text("sessions_blocked_by IS NOT NULL"),
            postgresql_where=text("sessions_blocked_by IS NOT NULL"),
        ),
    )


class OwnershipPeriod(Table):
    """The ledger: one row per version of a charge point, never rewritten but for its end."""

    __tablename__ = "ownership_periods"
    charge_point_id: Mapped[str] = mapped_column(ForeignKey("charge_points.id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    group_id: Mapped[str] = mapped_column(ForeignKey("groups.id"))
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    transfer_id: Mapped[str | None] = mapped_column(ID)
    change: Mapped[str] = mapped_column(String(16))
    """`import`, `transfer` or `roll_back`."""
    __table_args__ = (UniqueConstraint("transfer_id", "change"),)


class Credential(Table):
    """A key with which a charger authenticates (docs/decisions/0014).

    States: `current`, `pending`, `beside`, `revoked`. While `pending`, `sealed_key` holds a key that is to be sent,
    encrypted; it is erased on proof. MACs are HMAC-SHA-256 by the vault, in hex.
    """

    __tablename__ = "credentials"
    id: Mapped[str] = mapped_column(ID, primary_key=True)
    charge_point_id: Mapped[str] = mapped_column(ForeignKey("charge_points.id"))
    state: Mapped[str] = mapped_column(String(16))
    known_to: Mapped[str] = mapped_column(String(16))
    """domain.keys.KnownTo; of one that is pending: what it will be with its proof."""
    purpose: Mapped[str] = mapped_column(String(16))
    """domain.keys.KeyPurpose."""
    version: Mapped[int]
    """The charge point's version when it was made: it is the key of who owned it then."""
    mac: Mapped[str] = mapped_column(String(64))
    """Of the key as it was sent or typed."""
    mac_decoded: Mapped[str | None] = mapped_column(String(64))
    """Of the bytes that its hex digits stand for: some stations decode them."""
    decoded: Mapped[bool | None] = mapped_column(Boolean)
    """Which of both forms its charger uses, the only one that opens from then on; None until that is known."""
    sealed_key: Mapped[bytes | None] = mapped_column(LargeBinary)
    order_id: Mapped[str | None] = mapped_column(ID)
    """Whoever ordered it: a repeat of that order gets this same key."""
    taken_from: Mapped[str | None] = mapped_column(ID)
    """The order that it was pending for before, and is again where this one withdraws it."""
    successor: Mapped[bool] = mapped_column(Boolean, default=False)
    """It replaces a key that only the charger knew, so nobody else can have read it, however often it was sent."""
    created_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    """The first time; the grace period counts from it."""
    last_sent_at: Mapped[datetime | None]
    sent_over: Mapped[int | None]
    """The generation of the connection over which it was first sent."""
    sent_elsewhere: Mapped[bool] = mapped_column(Boolean, default=False)
    """It was sent over another connection, too: one of both may have been somebody else's."""
    open_line: Mapped[bool] = mapped_column(Boolean, default=False)
    """It was sent over `ws`: whoever sees the network has read it."""
    serials: Mapped[list[Any]] = mapped_column(default=list)
    """The serial numbers that were named by what it was sent to."""
    answer: Mapped[str | None] = mapped_column(String(16))
    answer_counts: Mapped[bool] = mapped_column(Boolean, default=False)
    """It came over a connection that only the charger can have opened, and that was not in quarantine."""
    maybe_taken: Mapped[bool] = mapped_column(Boolean, default=False)
    """The charger may hold it, whatever it says later: it is not dropped before the charger has used either key."""
    sendings: Mapped[int] = mapped_column(default=0)
    """How often it was sent for its present order."""
    restarted_at: Mapped[datetime | None]
    """When the charger last accepted to restart for it; empty once it has started anew since."""
    starts_with_old: Mapped[int] = mapped_column(default=0)
    """How often the charger has started anew with the old key since the last sending."""
    quarantines_old: Mapped[bool] = mapped_column(Boolean)
    """The old key opens a quarantined connection at once: the owner changed while the charger was offline."""
    unattended: Mapped[bool] = mapped_column(Boolean, default=False)
    """Its transfer ended before its proof: where the charger refuses it, the gateway itself calls it off."""
    old_key_returns: Mapped[int]
    withdrawn_at: Mapped[datetime | None]
    """The change was called off: either key is good until the charger has used one."""
    proved_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    __table_args__ = (
        Index("ix_credentials_charge_point_id_state", "charge_point_id", "state"),
        Index("ix_credentials_mac", "mac"),
        Index(
            "uq_credentials_current",
            "charge_point_id",
            unique=True,
            sqlite_where=text("state = 'current'"),
            postgresql_where=text("state = 'current'"),
        ),
        Index(
            "uq_credentials_pending",
            "charge_point_id",
            unique=True,
            sqlite_where=text("state = 'pending'"),
            postgresql_where=text("state = 'pending'"),
        ),
    )


class GatewayNode(Table):
    """A gateway process's sign of life, by the database's clock."""

    __tablename__ = "gateway_nodes"
    node: Mapped[str] = mapped_column(ID, primary_key=True)
    seen_at: Mapped[datetime]
    steady_since: Mapped[datetime]
    """Since when no sign was late: only a node that could write all the time may say that another has not."""


class PresentConnection(Table):
    """Which gateway node holds a charger's socket; a newer socket raises `generation`, an older one can't clear it.

    Beside the socket that has the place one more may wait for it: its contender.
    """

    __tablename__ = "charger_links"
    charge_point_id: Mapped[str] = mapped_column(ForeignKey("charge_points.id"), primary_key=True)
    node: Mapped[str | None] = mapped_column(ID, index=True)
    """None while it is offline."""
    generation: Mapped[int]
    quarantined: Mapped[bool] = mapped_column(Boolean)
    credential_id: Mapped[str | None] = mapped_column(ID)
    """The key that opened it."""
    address: Mapped[str | None] = mapped_column(String(64))
    """Where it comes from; kept while it is open."""
    connected_at: Mapped[datetime | None]
    disconnected_at: Mapped[datetime | None]
    contender: Mapped[str | None] = mapped_column(ID)
    """The id of the socket that waits for the place with the same key; empty where none does."""
    contender_node: Mapped[str | None] = mapped_column(ID)
    contender_address: Mapped[str | None] = mapped_column(String(64))
    contended_at: Mapped[datetime | None]
    contender_answered: Mapped[bool] = mapped_column(Boolean, default=False)
    """The socket that has the place was asked whether it is there, and it is."""
    __table_args__ = (
        Index(
            "ix_charger_links_contended",
            "node",
            sqlite_where=text("contender IS NOT NULL"),
            postgresql_where=text("contender IS NOT NULL"),
        ),
        Index("ix_charger_links_contender_node", "contender_node"),
    )


class ChargerConnection(Table):
    """One connection that a charger had, by our clock. Its link has the newest one."""

    __tablename__ = "charger_connections"
    charge_point_id: Mapped[str] = mapped_column(ForeignKey("charge_points.id"), primary_key=True)
    generation: Mapped[int] = mapped_column(primary_key=True)
    node: Mapped[str] = mapped_column(ID)
    opened_at: Mapped[datetime]
    released_at: Mapped[datetime | None]
    """When it was an ordinary one; None: it was in quarantine all the time."""
    ended_at: Mapped[datetime | None] = mapped_column(index=True)
    clock_off: Mapped[int | None] = mapped_column(BigInteger)
    """What had to be added to the charger's clock, in seconds; None: it did not show that."""
    __table_args__ = (
        Index(
            "ix_charger_connections_open",
            "node",
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
    )


class LocalList(Table):
    """The local list that a charger was last sent: `[{"id_tag", "status", "type"}]`, and the one that it replaced."""

    __tablename__ = "local_lists"
    charge_point_id: Mapped[str] = mapped_column(ForeignKey("charge_points.id"), primary_key=True)
    version: Mapped[int]
    entries: Mapped[list[Any]]
    order_id: Mapped[str | None] = mapped_column(ID)
    replaced: Mapped[list[Any] | None]
    """What was there before the order `order_id`: its compensation sends this."""


class ChargerChange(Table):
    """What an order changed at a charger beside its list, and what it had to leave there."""

    __tablename__ = "charger_changes"
    order_id: Mapped[str] = mapped_column(ID, primary_key=True)
    charge_point_id: Mapped[str] = mapped_column(ForeignKey("charge_points.id"))
    settings: Mapped[list[Any]] = mapped_column(default=list)
    """`[{"name", "was", "now"}]`, written before it is set; `was` is null where the charger did not tell it."""
    former_tags: Mapped[int] = mapped_column(default=0)
    """How many tags of the last group may go on charging while it is offline."""
    charging_limits: Mapped[list[Any]] = mapped_column(default=list)
    """The charging profiles that stay: `[{"id", "purpose", "source", "evse"}]`."""


class ChargingSession(Table):
    """A charging session, booked to who held the charge point when it started. Its id is OCPP 1.6's transactionId.

    `reference` is OCPP 2.0.1's, which the charger chooses.
    """

    __tablename__ = "charging_sessions"
    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True)
    charge_point_id: Mapped[str] = mapped_column(ForeignKey("charge_points.id"))
    connector: Mapped[int | None] = mapped_column(BigInteger)
    """None until it is known: OCPP 2.0.1 may tell later."""
    id_tag: Mapped[str] = mapped_column(String(36))
    """Empty until it is known who charges: OCPP 2.0.1 may tell later."""
    reference: Mapped[str | None] = mapped_column(String(36))
    owner_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    group_id: Mapped[str] = mapped_column(ForeignKey("groups.id"))
    started_at: Mapped[datetime]
    """When it began by our clock, as far as that can be told."""
    reported_at: Mapped[datetime]
    """When it began as the charger says."""
    arrived_at: Mapped[datetime]
    """When it was first reported."""
    start_heard: Mapped[bool] = mapped_column(Boolean, default=True)
    """Its start was reported, not only something later: OCPP 2.0.1's events may come in another order."""
    late: Mapped[bool] = mapped_column(Boolean, default=False)
    """It happened while the charger was away, and is booked by its time."""
    offline: Mapped[bool | None] = mapped_column(Boolean)
    """What the charger says of that, in OCPP 2.0.1."""
    earliest_at: Mapped[datetime]
    """When it can have begun by our clock at the earliest."""
    doubts: Mapped[list[Any]] = mapped_column(default=list)
    """domain.charging.Doubt: what somebody has to look at, or has."""
    unsettled: Mapped[bool] = mapped_column(Boolean, default=False)
    """Nobody has settled its doubts yet."""
    to_be_told: Mapped[bool] = mapped_column(Boolean, default=False)
    """It is booked to a former owner, who was not told of it yet."""
    meter_start: Mapped[int | None] = mapped_column(BigInteger)
    """The meter's register in Wh; None where it was not told."""
    last_meter: Mapped[int | None] = mapped_column(BigInteger)
    stopped_at: Mapped[datetime | None]
    stop_reported_at: Mapped[datetime | None]
    meter_stop: Mapped[int | None] = mapped_column(BigInteger)
    stop_reason: Mapped[str | None] = mapped_column(String(32))

    @property
    def energy(self) -> int | None:
        """What flowed, in Wh; while it runs up to the last reading. None: it is not known."""
        last = self.last_meter if self.stopped_at is None else self.meter_stop
        return None if last is None or self.meter_start is None else last - self.meter_start

    __table_args__ = (
        Index("ix_charging_sessions_reference", "charge_point_id", "reference"),
        Index("ix_charging_sessions_charge_point_id_id", "charge_point_id", "id"),
        Index(
            "ix_charging_sessions_running",
            *("charge_point_id", "arrived_at"),
            sqlite_where=text("stopped_at IS NULL"),
            postgresql_where=text("stopped_at IS NULL"),
        ),
        *(
            Index(name, "charge_point_id", sqlite_where=text(which), postgresql_where=text(which))
            for name, which in (
                ("ix_charging_sessions_unsettled", "unsettled"),
                ("ix_charging_sessions_to_be_told", "to_be_told"),
            )
        ),
    )


class UnmatchedStop(Table):
    """A stop whose session can't be told: kept until somebody settles it."""

    __tablename__ = "unmatched_stops"
    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True)
    charge_point_id: Mapped[str] = mapped_column(ForeignKey("charge_points.id"))
    said_id: Mapped[int] = mapped_column(BigInteger)
    """OCPP 1.6's transactionId, as the charger says it: -1, 0, or none of ours."""
    meter: Mapped[int | None] = mapped_column(BigInteger)
    reason: Mapped[str] = mapped_column(String(32))
    reported_at: Mapped[datetime]
    stopped_at: Mapped[datetime]
    """When it was by our clock, as far as that can be told."""
    arrived_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]
    __table_args__ = (UniqueConstraint("charge_point_id", "said_id", "reported_at", "meter"),)


# --- transfers ----------------------------------------------------------------------------------------------------


class Request(Table):
    """A request to start a transfer, written before its workflow starts. `sealed_body` is its JSON body, encrypted."""

    __tablename__ = "requests"
    transfer_id: Mapped[str] = mapped_column(ID, primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    scopes: Mapped[list[Any]]
    """Of the API key that it came with: they count as long as that key does."""
    api_key_id: Mapped[str | None] = mapped_column(ForeignKey("api_keys.id"))
    charge_point_id: Mapped[str] = mapped_column(ForeignKey("charge_points.id"))
    kind: Mapped[str] = mapped_column(String(32))
    idempotency_key: Mapped[str | None] = mapped_column(String(255))
    body_hash: Mapped[str] = mapped_column(String(64))
    sealed_body: Mapped[bytes] = mapped_column(LargeBinary)
    policy: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """domain.policy.Policy as it was set when it was asked for."""
    requested_at: Mapped[datetime] = mapped_column(index=True)
    started_at: Mapped[datetime | None]
    """When its workflow answered; empty: to be started again."""
    __table_args__ = (
        UniqueConstraint("user_id", "idempotency_key"),
        Index(
            "ix_requests_not_started",
            "requested_at",
            sqlite_where=text("started_at IS NULL"),
            postgresql_where=text("started_at IS NULL"),
        ),
    )


#: Whether a transfer waits for something, or is under way.
WAITING: Final = "active OR attention <> ''"


class Transfer(Table):
    """A transfer as readers see it. `active` is true while it reserves its charge point: one row at most."""

    __tablename__ = "transfers"
    id: Mapped[str] = mapped_column(ID, primary_key=True)
    kind: Mapped[str] = mapped_column(String(32))
    state: Mapped[str] = mapped_column(String(32))
    attention: Mapped[str] = mapped_column(String(32))
    waiting_until: Mapped[datetime | None]
    reason: Mapped[str | None] = mapped_column(String(64))
    """Of a refused one the error code; else one of domain.transfer.Reason."""
    refusal: Mapped[str | None] = mapped_column(Text)
    warnings: Mapped[list[Any]]
    charge_point_id: Mapped[str] = mapped_column(ForeignKey("charge_points.id"))
    active: Mapped[bool] = mapped_column(Boolean)
    connection: Mapped[str] = mapped_column(String(16))
    acceptance: Mapped[str] = mapped_column(String(16))
    running_session: Mapped[str] = mapped_column(String(16))
    if_offline: Mapped[str] = mapped_column(String(16))
    until_new_key: Mapped[str] = mapped_column(String(16), default="serve")
    new_key: Mapped[bool | None] = mapped_column(Boolean)
    """Whether it waits for its new owner to type a key; None before the change, and once it turned back."""
    from_group_id: Mapped[str] = mapped_column(ForeignKey("groups.id"))
    from_owner_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    to_group_id: Mapped[str | None] = mapped_column(ForeignKey("groups.id"))
    to_owner_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"))
    """Known to the platform; shown to the sender of a transfer to a user only once it is accepted."""
    accepted_by: Mapped[str | None] = mapped_column(ForeignKey("users.id"))
    asked_over_owner: Mapped[bool] = mapped_column(Boolean)
    """It takes the charge point from an owner who did not ask."""
    requested_by: Mapped[str] = mapped_column(ForeignKey("users.id"))
    requested_at: Mapped[datetime]
    run_id: Mapped[str | None] = mapped_column(ID)
    """The run of its workflow that reserved it: any other goes on where the transfer stands."""
    expires_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    from_version: Mapped[int]
    """The charge point's version at the reservation."""
    from_owner_version: Mapped[int] = mapped_column(default=0)
    """The charge point's `owner_version` at the reservation, for a roll-back."""
    from_until_new_key: Mapped[str | None] = mapped_column(String(16))
    """The charge point's `until_new_key` at the reservation, for a roll-back."""
    from_owner_changed_at: Mapped[datetime | None]
    """The charge point's `owner_changed_at` at the reservation, for a roll-back."""
    due: Mapped[bool] = mapped_column(Boolean, default=False)
    """It has ended, and left something to do at the charger that is done when the charger is back."""
    link_generation: Mapped[int] = mapped_column(default=1)
    """Of the approval links that are valid: a resend raises it, and older ones are dead at once."""
    rescue_tried_at: Mapped[datetime | None]
    rescue_tries: Mapped[int] = mapped_column(default=0)
    """How often its charger was there and did not take all of it."""
    __table_args__ = (
        Index(
            "uq_transfers_active",
            "charge_point_id",
            unique=True,
            sqlite_where=text("active"),
            postgresql_where=text("active"),
        ),
        Index("ix_transfers_finished_at", "finished_at"),
        Index("ix_transfers_requested_at_id", "requested_at", "id"),
        *(  # each way in which a list finds its transfers, in the list's order
            Index(f"ix_transfers_{column}_requested_at_id", column, "requested_at", "id")
            for column in (
                *("state", "charge_point_id", "requested_by"),
                *("from_owner_id", "to_owner_id", "from_group_id", "to_group_id"),
            )
        ),
        *(  # the same, of few
            Index(
                f"ix_transfers_{column}_requested_at_id",
                *(column, "requested_at", "id"),
                sqlite_where=text(which),
                postgresql_where=text(which),
            )
            for column, which in (("accepted_by", "accepted_by IS NOT NULL"), ("attention", WAITING))
        ),
        Index("ix_transfers_due", "charge_point_id", sqlite_where=text("due"), postgresql_where=text("due")),
    )


class TransferStep(Table):
    """How one step of a transfer stands."""

    __tablename__ = "transfer_steps"
    transfer_id: Mapped[str] = mapped_column(ForeignKey("transfers.id"), primary_key=True)
    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    position: Mapped[int]
    state: Mapped[str] = mapped_column(String(16))
    attempts: Mapped[int]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    last_error: Mapped[str | None] = mapped_column(Text)


class OutboxLetter(Table):
    """A letter that a transfer owes: queued with what it follows from, sent by the outbox's workflow."""

    __tablename__ = "outbox"
    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True)
    transfer_id: Mapped[str] = mapped_column(ForeignKey("transfers.id"))
    subject: Mapped[str] = mapped_column(String(32))
    """domain.letters.Subject."""
    generation: Mapped[int]
    reminder: Mapped[int]
    queued_at: Mapped[datetime]
    due_at: Mapped[datetime | None]
    """When it is tried next; None: nothing is left to do about it."""
    closed_at: Mapped[datetime | None]
    tries: Mapped[int]
    """How often it could not be handed over to all whom it is for."""
    last_error: Mapped[str | None] = mapped_column(Text)
    taken: Mapped[list[Any]]
    """The Message-IDs under which it was handed over before the last try failed."""
    __table_args__ = (
        UniqueConstraint("transfer_id", "subject", "generation", "reminder"),
        Index(
            "ix_outbox_due_at",
            "due_at",
            sqlite_where=text("due_at IS NOT NULL"),
            postgresql_where=text("due_at IS NOT NULL"),
        ),
        Index(
            "ix_outbox_undelivered",
            "queued_at",
            sqlite_where=text("due_at IS NOT NULL AND tries > 0"),
            postgresql_where=text("due_at IS NOT NULL AND tries > 0"),
        ),
    )


class Order(Table):
    """What somebody has done to a transfer, a charge point or an account; a workflow hears of its id alone, afterwards.

    The free text that people type lies here, and nowhere else.
    """

    __tablename__ = "orders"
    id: Mapped[str] = mapped_column(ID, primary_key=True)
    subject: Mapped[str] = mapped_column(ID)
    """domain.trail.TrailSubject, as in the audit trail."""
    act: Mapped[str] = mapped_column(String(16))
    """domain.orders.OrderAct."""
    actor: Mapped[str] = mapped_column(String(96))
    """As in the audit trail."""
    user_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"))
    """Whose right is checked when it is carried out; None for an operator and for a link."""
    link_id: Mapped[str | None] = mapped_column(ForeignKey("approval_links.id"))
    """The link whose code was used up for it."""
    request_id: Mapped[str | None] = mapped_column(String(64))
    """Of what may be ordered more than once: a repeat of the same request is the same order."""
    reason: Mapped[str | None] = mapped_column(Text)
    choice: Mapped[str | None] = mapped_column(String(16))
    """Of an accept: `until_new_key`."""
    at: Mapped[datetime]
    carried_out_as: Mapped[str | None] = mapped_column(String(128))
    """The mark of the entry in the audit trail that it led to: it proves that one, and no other."""
    refusal: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    """`code` and `message` that it was refused with: given again, it is another order."""
    __table_args__ = (
        Index("uq_orders_request", "subject", "act", "actor", "request_id", unique=True),
        Index(
            "uq_orders_decision",
            "subject",
            "act",
            "actor",
            unique=True,
            sqlite_where=text("request_id IS NULL"),
            postgresql_where=text("request_id IS NULL"),
        ),
        Index(
            "ix_orders_refused",
            "at",
            sqlite_where=text("refusal IS NOT NULL"),
            postgresql_where=text("refusal IS NOT NULL"),
        ),
    )


#: Whether an entry tells of a refusal: another action (domain.trail) takes a migration of the index.
REFUSED: Final = f"action IN ({', '.join(sorted(repr(action.value) for action in REFUSALS))})"


class AuditEvent(Table):
    """One entry of an audit trail; `sequence` counts from 1 in each; where there are gaps a refusal was."""

    __tablename__ = "audit_events"
    subject: Mapped[str] = mapped_column(ID, primary_key=True)
    """domain.trail.TrailSubject: the id of a transfer, `charge_point:<id>` or `user:<id>`."""
    sequence: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(String(96))
    action: Mapped[str] = mapped_column(String(64))
    detail: Mapped[dict[str, Any]]
    order_id: Mapped[str | None] = mapped_column(ForeignKey("orders.id"))
    """Whose order it was, and why: as long as that is kept."""
    order: Mapped[Order | None] = relationship(lazy="joined")
    once: Mapped[str | None] = mapped_column(String(128))
    """What makes a repeat of the same entry no second one."""
    tells_place: Mapped[bool] = mapped_column(Boolean, default=False)
    """Its detail tells where somebody is, which is not kept for ever."""
    salt: Mapped[str | None] = mapped_column(String(32))
    """What the detail's digest is salted with; None once something was taken out of the detail."""
    digest: Mapped[str | None] = mapped_column(String(64))
    """SHA-256 over the salt and the detail as JSON with sorted keys."""
    hash: Mapped[str | None] = mapped_column(String(64))
    """SHA-256 over what never changes of the entry, and the hash of the one before it (persistence.transfers.audit)."""
    __table_args__ = (
        UniqueConstraint("subject", "once"),
        Index(
            "ix_audit_events_tells_place",
            "at",
            sqlite_where=text("tells_place"),
            postgresql_where=text("tells_place"),
        ),
        Index("ix_audit_events_refusals", "at", sqlite_where=text(REFUSED), postgresql_where=text(REFUSED)),
        Index(  # an order that goes is looked for here
            "ix_audit_events_order_id",
            "order_id",
            sqlite_where=text("order_id IS NOT NULL"),
            postgresql_where=text("order_id IS NOT NULL"),
        ),
    )


class AuditCounter(Table):
    """The last sequence of an audit trail; its row lock puts writers in line."""

    __tablename__ = "audit_counters"
    subject: Mapped[str] = mapped_column(ID, primary_key=True)
    last: Mapped[int]
    hash: Mapped[str | None] = mapped_column(String(64))
    """Of the last entry; None where that has none."""
    sealed: Mapped[int] = mapped_column(default=0, server_default="0")
    """The last sequence that was sealed."""
    __table_args__ = (
        Index(
            "ix_audit_counters_unsealed",
            "subject",
            sqlite_where=text("sealed < last"),
            postgresql_where=text("sealed < last"),
        ),
    )


class AuditGap(Table):
    """Where a refusal stood in an audit trail that is kept no more: its hash, by which the chain is still followed."""

    __tablename__ = "audit_gaps"
    subject: Mapped[str] = mapped_column(ID, primary_key=True)
    sequence: Mapped[int] = mapped_column(primary_key=True)
    hash: Mapped[str | None] = mapped_column(String(64))
    mac: Mapped[str] = mapped_column(String(64))
    """Over the other three under the server's key: who only reaches the database can make no gap."""


class AuditSeal(Table):
    """One sealing of the trails that have grown since the one before; a day has one at least."""

    __tablename__ = "audit_seals"
    number: Mapped[int] = mapped_column(primary_key=True)
    """Counts from 1, no number left out."""
    at: Mapped[datetime]
    trails: Mapped[int]
    digest: Mapped[str] = mapped_column(String(64))
    """SHA-256 over the digest before it, and the heads that it seals, in the order of their bytes."""
    mac: Mapped[str] = mapped_column(String(64))
    """Over the other four under the server's key."""


class AuditSealedHead(Table):
    """How far a trail was as it was sealed."""

    __tablename__ = "audit_sealed_heads"
    seal: Mapped[int] = mapped_column(ForeignKey("audit_seals.number"), primary_key=True)
    subject: Mapped[str] = mapped_column(ID, primary_key=True)
    sequence: Mapped[int]
    hash: Mapped[str | None] = mapped_column(String(64))
    __table_args__ = (Index("ix_audit_sealed_heads_subject", "subject", "sequence"),)


class Compatibility(Table):
    """Which releases work with the tables: one row, written by migrations alone."""

    __tablename__ = "compatibility"
    id: Mapped[int] = mapped_column(primary_key=True)
    oldest: Mapped[str] = mapped_column(String(32))
    """The oldest revision whose release does (persistence.schema)."""


class Finding(Table):
    """Something that disagreed: mended, or parked until it has settled (domain.reconciliation)."""

    __tablename__ = "findings"
    kind: Mapped[str] = mapped_column(String(32), primary_key=True)
    subject: Mapped[str] = mapped_column(ID, primary_key=True)
    """The id of a transfer or, by its kind, of a charge point."""
    settlement: Mapped[str] = mapped_column(String(16))
    """`mended`, `parked`, or `seen` where nobody has to settle it."""
    times: Mapped[int]
    """How often it came up anew."""
    found_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]
    """Empty while it is parked."""
    __table_args__ = (
        Index(
            "ix_findings_open",
            "kind",
            sqlite_where=text("settled_at IS NULL"),
            postgresql_where=text("settled_at IS NULL"),
        ),
    )


class ApprovalLink(Table):
    """A link that was sent to a recipient; only the SHA-256 of its token is kept.

    It is valid while it is of its transfer's generation.
    """

    __tablename__ = "approval_links"
    id: Mapped[str] = mapped_column(ID, primary_key=True)
    transfer_id: Mapped[str] = mapped_column(ForeignKey("transfers.id"))
    channel: Mapped[str] = mapped_column(String(16))
    generation: Mapped[int]
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime]
    codes_asked: Mapped[int]
    """The number of the latest one-time code; at most 5 are sent."""
    __table_args__ = (UniqueConstraint("transfer_id", "channel", "generation"),)


class Code(Table):
    """A one-time code of a link, kept as a keyed MAC (it is short). At most 5 wrong tries."""

    __tablename__ = "codes"
    link_id: Mapped[str] = mapped_column(ForeignKey("approval_links.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    mac: Mapped[str] = mapped_column(String(64))
    sent_at: Mapped[datetime | None]
    """When the mail server had it; empty: it is asked for again under the same number."""
    expires_at: Mapped[datetime]
    wrong_tries: Mapped[int]
    used_for: Mapped[str | None] = mapped_column(String(16))
    """`accept` or `decline`: the same decision may be sent again with it, after a lost answer."""


class SignIn(Table):
    """Somebody who is signed in at the pages, in one browser; the token is in its cookie alone."""

    __tablename__ = "sign_ins"
    id: Mapped[str] = mapped_column(ID, primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    browser: Mapped[str] = mapped_column(String(LONGEST_BROWSER))
    """What it says that it is, for people to know it by."""
    began_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    proven_at: Mapped[datetime]
    """When they last proved who they are."""
    ended_at: Mapped[datetime | None]


class SignInCode(Table):
    """A code to sign in with, asked for with an address that somebody may have; its digits follow from its id."""

    __tablename__ = "sign_in_codes"
    id: Mapped[str] = mapped_column(ID, primary_key=True)
    sealed_address: Mapped[bytes] = mapped_column(LargeBinary)
    asked_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    user_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"))
    """To whom it was sent; None: to nobody, or not yet."""
    sign_in_id: Mapped[str | None] = mapped_column(ForeignKey("sign_ins.id", ondelete="CASCADE"), index=True)
    """In which they prove anew who they are; None: it is to sign in with."""
    wrong_tries: Mapped[int]
    used_at: Mapped[datetime | None]


class Passkey(Table):
    """A passkey that somebody signs in with: what is needed to know it again; its private key is never here."""

    __tablename__ = "passkeys"
    id: Mapped[str] = mapped_column(ID, primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    user_handle: Mapped[bytes] = mapped_column(LargeBinary)
    """Random: what the device knows its user by; the same for all of a user's."""
    credential_id: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    public_key: Mapped[bytes] = mapped_column(LargeBinary)
    """As COSE writes it."""
    sign_count: Mapped[int] = mapped_column(BigInteger)
    """What the device has counted; one that is shared among devices counts nothing, and stays at 0."""
    name: Mapped[str] = mapped_column(String(LONGEST_NAME))
    added_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class PasskeyChallenge(Table):
    """Random bytes that a passkey is asked to sign, as their SHA-256; the row goes with the first answer."""

    __tablename__ = "passkey_challenges"
    challenge_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    ceremony: Mapped[str] = mapped_column(String(16))
    place_hash: Mapped[str] = mapped_column(String(64))
    """Where it may be answered: of the sign-in, or of what the browser holds that signs in."""
    user_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"))
    """None: who signs in is not known yet."""
    user_handle: Mapped[bytes | None] = mapped_column(LargeBinary)
    """Of the passkey that is being added."""
    expires_at: Mapped[datetime] = mapped_column(index=True)


class AccountOpening(Table):
    """What whoever holds a link typed to open an account: JSON of name and locale, encrypted, until it was read."""

    __tablename__ = "account_openings"
    link_id: Mapped[str] = mapped_column(ForeignKey("approval_links.id"), primary_key=True)
    sealed_body: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime]


class RateCount(Table):
    """How often something was done in the window of time that ends at `ends_at`; then the row counts anew, or goes."""

    __tablename__ = "rate_counts"
    key: Mapped[str] = mapped_column(String(96), primary_key=True)
    """What is counted, and a keyed MAC of whom it is counted for: no address is kept."""
    ends_at: Mapped[datetime] = mapped_column(index=True)
    count: Mapped[int]


class IdempotencyKey(Table):
    """What a caller's idempotency key was first used for: the same again is a repeat, anything else a conflict."""

    __tablename__ = "idempotency_keys"
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(64))
    """A keyed MAC of the call and its body: bodies hold addresses, which a plain hash would not hide."""
    created_at: Mapped[datetime] = mapped_column(index=True)
