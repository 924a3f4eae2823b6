"""Every table of the first release."""

from alembic import op
import sqlalchemy as sa


revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit_counters",
        sa.Column("transfer_id", sa.String(length=80), nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("transfer_id", name=op.f("pk_audit_counters")),
    )
    op.create_table(
        "audit_events",
        sa.Column("transfer_id", sa.String(length=80), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.String(length=96), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.Column("once", sa.String(length=128), nullable=True),
        sa.PrimaryKeyConstraint("transfer_id", "sequence", name=op.f("pk_audit_events")),
        sa.UniqueConstraint("transfer_id", "once", name=op.f("uq_audit_events_transfer_id_once")),
    )
    op.create_table(
        "users",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("locale", sa.String(length=16), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
    )
    op.create_index(op.f("ix_users_email"), "users", ["email"], unique=False)
    op.create_index(op.f("ix_users_phone"), "users", ["phone"], unique=False)
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("user_id", sa.String(length=80), nullable=False),
        sa.Column("secret_hash", sa.String(length=64), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_api_keys_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
    )
    op.create_index(op.f("ix_api_keys_user_id"), "api_keys", ["user_id"], unique=False)
    op.create_table(
        "groups",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("personal_of", sa.String(length=80), nullable=True),
        sa.ForeignKeyConstraint(["personal_of"], ["users.id"], name=op.f("fk_groups_personal_of")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_groups")),
        sa.UniqueConstraint("personal_of", name=op.f("uq_groups_personal_of")),
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("user_id", sa.String(length=80), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_idempotency_keys_user_id")),
        sa.PrimaryKeyConstraint("user_id", "key", name=op.f("pk_idempotency_keys")),
    )
    op.create_table(
        "charge_points",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("identity", sa.String(length=255), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("location", sa.Text(), nullable=True),
        sa.Column("owner_id", sa.String(length=80), nullable=False),
        sa.Column("group_id", sa.String(length=80), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("owner_changed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sessions_blocked_by", sa.String(length=80), nullable=True),
        sa.Column("ocpp", sa.String(length=8), nullable=False),
        sa.Column("vendor", sa.Text(), nullable=True),
        sa.Column("model", sa.Text(), nullable=True),
        sa.Column("firmware", sa.Text(), nullable=True),
        sa.Column("booted_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["group_id"], ["groups.id"], name=op.f("fk_charge_points_group_id")),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name=op.f("fk_charge_points_owner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_charge_points")),
        sa.UniqueConstraint("identity", name=op.f("uq_charge_points_identity")),
    )
    op.create_index(op.f("ix_charge_points_group_id"), "charge_points", ["group_id"], unique=False)
    op.create_index(op.f("ix_charge_points_owner_id"), "charge_points", ["owner_id"], unique=False)
    op.create_table(
        "memberships",
        sa.Column("group_id", sa.String(length=80), nullable=False),
        sa.Column("user_id", sa.String(length=80), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(["group_id"], ["groups.id"], name=op.f("fk_memberships_group_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_memberships_user_id")),
        sa.PrimaryKeyConstraint("group_id", "user_id", name=op.f("pk_memberships")),
    )
    op.create_index(op.f("ix_memberships_user_id"), "memberships", ["user_id"], unique=False)
    op.create_table(
        "tags",
        sa.Column("group_id", sa.String(length=80), nullable=False),
        sa.Column("id_tag", sa.String(length=20), nullable=False),
        sa.ForeignKeyConstraint(["group_id"], ["groups.id"], name=op.f("fk_tags_group_id")),
        sa.PrimaryKeyConstraint("group_id", "id_tag", name=op.f("pk_tags")),
    )
    op.create_table(
        "charger_links",
        sa.Column("charge_point_id", sa.String(length=80), nullable=False),
        sa.Column("node", sa.String(length=80), nullable=True),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("quarantined", sa.Boolean(), nullable=False),
        sa.Column("connected_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("disconnected_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["charge_point_id"], ["charge_points.id"], name=op.f("fk_charger_links_charge_point_id")
        ),
        sa.PrimaryKeyConstraint("charge_point_id", name=op.f("pk_charger_links")),
    )
    op.create_index(op.f("ix_charger_links_node"), "charger_links", ["node"], unique=False)
    op.create_table(
        "charging_sessions",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("charge_point_id", sa.String(length=80), nullable=False),
        sa.Column("connector", sa.Integer(), nullable=False),
        sa.Column("id_tag", sa.String(length=20), nullable=False),
        sa.Column("owner_id", sa.String(length=80), nullable=False),
        sa.Column("group_id", sa.String(length=80), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("meter_start", sa.Integer(), nullable=False),
        sa.Column("last_meter", sa.Integer(), nullable=True),
        sa.Column("stopped_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("meter_stop", sa.Integer(), nullable=True),
        sa.Column("stop_reason", sa.String(length=32), nullable=True),
        sa.ForeignKeyConstraint(
            ["charge_point_id"], ["charge_points.id"], name=op.f("fk_charging_sessions_charge_point_id")
        ),
        sa.ForeignKeyConstraint(["group_id"], ["groups.id"], name=op.f("fk_charging_sessions_group_id")),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name=op.f("fk_charging_sessions_owner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_charging_sessions")),
        sa.UniqueConstraint(
            "charge_point_id",
            "connector",
            "id_tag",
            "started_at",
            "meter_start",
            name=op.f("uq_charging_sessions_charge_point_id_connector_id_tag_started_at_meter_start"),
        ),
    )
    op.create_index("ix_charging_sessions_open", "charging_sessions", ["charge_point_id", "stopped_at"], unique=False)
    op.create_table(
        "credentials",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("charge_point_id", sa.String(length=80), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("mac", sa.String(length=64), nullable=False),
        sa.Column("mac_decoded", sa.String(length=64), nullable=True),
        sa.Column("sealed_key", sa.LargeBinary(), nullable=True),
        sa.Column("order_id", sa.String(length=80), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answer", sa.String(length=16), nullable=True),
        sa.Column("maybe_taken", sa.Boolean(), nullable=False),
        sa.Column("quarantines_old", sa.Boolean(), nullable=False),
        sa.Column("unattended", sa.Boolean(), nullable=False),
        sa.Column("old_key_returns", sa.Integer(), nullable=False),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("proved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["charge_point_id"], ["charge_points.id"], name=op.f("fk_credentials_charge_point_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credentials")),
    )
    op.create_index("ix_credentials_charge_point_id_state", "credentials", ["charge_point_id", "state"], unique=False)
    op.create_index(
        "uq_credentials_current",
        "credentials",
        ["charge_point_id"],
        unique=True,
        sqlite_where=sa.text("state = 'current'"),
        postgresql_where=sa.text("state = 'current'"),
    )
    op.create_index(
        "uq_credentials_pending",
        "credentials",
        ["charge_point_id"],
        unique=True,
        sqlite_where=sa.text("state = 'pending'"),
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_table(
        "local_lists",
        sa.Column("charge_point_id", sa.String(length=80), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("entries", sa.JSON(), nullable=False),
        sa.Column("order_id", sa.String(length=80), nullable=True),
        sa.Column("replaced", sa.JSON(), nullable=True),
        sa.ForeignKeyConstraint(["charge_point_id"], ["charge_points.id"], name=op.f("fk_local_lists_charge_point_id")),
        sa.PrimaryKeyConstraint("charge_point_id", name=op.f("pk_local_lists")),
    )
    op.create_table(
        "ownership_periods",
        sa.Column("charge_point_id", sa.String(length=80), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("owner_id", sa.String(length=80), nullable=False),
        sa.Column("group_id", sa.String(length=80), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("transfer_id", sa.String(length=80), nullable=True),
        sa.Column("change", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(
            ["charge_point_id"], ["charge_points.id"], name=op.f("fk_ownership_periods_charge_point_id")
        ),
        sa.ForeignKeyConstraint(["group_id"], ["groups.id"], name=op.f("fk_ownership_periods_group_id")),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name=op.f("fk_ownership_periods_owner_id")),
        sa.PrimaryKeyConstraint("charge_point_id", "version", name=op.f("pk_ownership_periods")),
        sa.UniqueConstraint("transfer_id", "change", name=op.f("uq_ownership_periods_transfer_id_change")),
    )
    op.create_index(op.f("ix_ownership_periods_owner_id"), "ownership_periods", ["owner_id"], unique=False)
    op.create_table(
        "requests",
        sa.Column("transfer_id", sa.String(length=80), nullable=False),
        sa.Column("user_id", sa.String(length=80), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("charge_point_id", sa.String(length=80), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("idempotency_key", sa.String(length=255), nullable=True),
        sa.Column("body_hash", sa.String(length=64), nullable=False),
        sa.Column("sealed_body", sa.LargeBinary(), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["charge_point_id"], ["charge_points.id"], name=op.f("fk_requests_charge_point_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_requests_user_id")),
        sa.PrimaryKeyConstraint("transfer_id", name=op.f("pk_requests")),
        sa.UniqueConstraint("user_id", "idempotency_key", name=op.f("uq_requests_user_id_idempotency_key")),
    )
    op.create_table(
        "transfers",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("attention", sa.String(length=32), nullable=False),
        sa.Column("waiting_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.String(length=64), nullable=True),
        sa.Column("refusal", sa.Text(), nullable=True),
        sa.Column("warnings", sa.JSON(), nullable=False),
        sa.Column("charge_point_id", sa.String(length=80), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("connection", sa.String(length=16), nullable=False),
        sa.Column("acceptance", sa.String(length=16), nullable=False),
        sa.Column("running_session", sa.String(length=16), nullable=False),
        sa.Column("if_offline", sa.String(length=16), nullable=False),
        sa.Column("from_group_id", sa.String(length=80), nullable=False),
        sa.Column("from_owner_id", sa.String(length=80), nullable=False),
        sa.Column("to_group_id", sa.String(length=80), nullable=True),
        sa.Column("to_owner_id", sa.String(length=80), nullable=True),
        sa.Column("accepted_by", sa.String(length=80), nullable=True),
        sa.Column("asked_over_owner", sa.Boolean(), nullable=False),
        sa.Column("requested_by", sa.String(length=80), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("from_version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["accepted_by"], ["users.id"], name=op.f("fk_transfers_accepted_by")),
        sa.ForeignKeyConstraint(["charge_point_id"], ["charge_points.id"], name=op.f("fk_transfers_charge_point_id")),
        sa.ForeignKeyConstraint(["from_group_id"], ["groups.id"], name=op.f("fk_transfers_from_group_id")),
        sa.ForeignKeyConstraint(["from_owner_id"], ["users.id"], name=op.f("fk_transfers_from_owner_id")),
        sa.ForeignKeyConstraint(["requested_by"], ["users.id"], name=op.f("fk_transfers_requested_by")),
        sa.ForeignKeyConstraint(["to_group_id"], ["groups.id"], name=op.f("fk_transfers_to_group_id")),
        sa.ForeignKeyConstraint(["to_owner_id"], ["users.id"], name=op.f("fk_transfers_to_owner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transfers")),
    )
    op.create_index(op.f("ix_transfers_from_owner_id"), "transfers", ["from_owner_id"], unique=False)
    op.create_index("ix_transfers_requested_at_id", "transfers", ["requested_at", "id"], unique=False)
    op.create_index(op.f("ix_transfers_requested_by"), "transfers", ["requested_by"], unique=False)
    op.create_index(op.f("ix_transfers_state"), "transfers", ["state"], unique=False)
    op.create_index(op.f("ix_transfers_to_owner_id"), "transfers", ["to_owner_id"], unique=False)
    op.create_index(
        "uq_transfers_active",
        "transfers",
        ["charge_point_id"],
        unique=True,
        sqlite_where=sa.text("active"),
        postgresql_where=sa.text("active"),
    )
    op.create_table(
        "approval_links",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("transfer_id", sa.String(length=80), nullable=False),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("codes_asked", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["transfer_id"], ["transfers.id"], name=op.f("fk_approval_links_transfer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approval_links")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_approval_links_token_hash")),
        sa.UniqueConstraint(
            "transfer_id", "channel", "generation", name=op.f("uq_approval_links_transfer_id_channel_generation")
        ),
    )
    op.create_table(
        "transfer_steps",
        sa.Column("transfer_id", sa.String(length=80), nullable=False),
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["transfer_id"], ["transfers.id"], name=op.f("fk_transfer_steps_transfer_id")),
        sa.PrimaryKeyConstraint("transfer_id", "name", name=op.f("pk_transfer_steps")),
    )
    op.create_table(
        "codes",
        sa.Column("link_id", sa.String(length=80), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("mac", sa.String(length=64), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("wrong_tries", sa.Integer(), nullable=False),
        sa.Column("used_for", sa.String(length=16), nullable=True),
        sa.ForeignKeyConstraint(["link_id"], ["approval_links.id"], name=op.f("fk_codes_link_id")),
        sa.PrimaryKeyConstraint("link_id", "number", name=op.f("pk_codes")),
    )


def downgrade() -> None:
    op.drop_table("codes")
    op.drop_table("transfer_steps")
    op.drop_table("approval_links")
    op.drop_index(
        "uq_transfers_active",
        table_name="transfers",
        sqlite_where=sa.text("active"),
        postgresql_where=sa.text("active"),
    )
    op.drop_index(op.f("ix_transfers_to_owner_id"), table_name="transfers")
    op.drop_index(op.f("ix_transfers_state"), table_name="transfers")
    op.drop_index(op.f("ix_transfers_requested_by"), table_name="transfers")
    op.drop_index("ix_transfers_requested_at_id", table_name="transfers")
    op.drop_index(op.f("ix_transfers_from_owner_id"), table_name="transfers")
    op.drop_table("transfers")
    op.drop_table("requests")
    op.drop_index(op.f("ix_ownership_periods_owner_id"), table_name="ownership_periods")
    op.drop_table("ownership_periods")
    op.drop_table("local_lists")
    op.drop_index(
        "uq_credentials_pending",
        table_name="credentials",
        sqlite_where=sa.text("state = 'pending'"),
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.drop_index(
        "uq_credentials_current",
        table_name="credentials",
        sqlite_where=sa.text("state = 'current'"),
        postgresql_where=sa.text("state = 'current'"),
    )
    op.drop_index("ix_credentials_charge_point_id_state", table_name="credentials")
    op.drop_table("credentials")
    op.drop_index("ix_charging_sessions_open", table_name="charging_sessions")
    op.drop_table("charging_sessions")
    op.drop_index(op.f("ix_charger_links_node"), table_name="charger_links")
    op.drop_table("charger_links")
    op.drop_table("tags")
    op.drop_index(op.f("ix_memberships_user_id"), table_name="memberships")
    op.drop_table("memberships")
    op.drop_index(op.f("ix_charge_points_owner_id"), table_name="charge_points")
    op.drop_index(op.f("ix_charge_points_group_id"), table_name="charge_points")
    op.drop_table("charge_points")
    op.drop_table("idempotency_keys")
    op.drop_table("groups")
    op.drop_index(op.f("ix_api_keys_user_id"), table_name="api_keys")
    op.drop_table("api_keys")
    op.drop_index(op.f("ix_users_phone"), table_name="users")
    op.drop_index(op.f("ix_users_email"), table_name="users")
    op.drop_table("users")
    op.drop_table("audit_events")
    op.drop_table("audit_counters")
