"""Each way in which a list finds its rows has an index in the list's order; so has what is looked for to be deleted."""

from alembic import op
import sqlalchemy as sa


revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

#: Table, columns and condition of each new index, by its name.
NEW = {
    "ix_charge_points_group_id_id": ("charge_points", ["group_id", "id"], None),
    "ix_charge_points_model": ("charge_points", ["model", "vendor", "ocpp", "id"], None),
    "ix_charge_points_sessions_blocked_by": (
        "charge_points",
        ["sessions_blocked_by"],
        "sessions_blocked_by IS NOT NULL",
    ),
    "ix_charging_sessions_charge_point_id_id": ("charging_sessions", ["charge_point_id", "id"], None),
    "ix_charging_sessions_running": ("charging_sessions", ["charge_point_id", "arrived_at"], "stopped_at IS NULL"),
    **{
        f"ix_transfers_{column}_requested_at_id": ("transfers", [column, "requested_at", "id"], which)
        for column, which in (
            ("state", None),
            ("charge_point_id", None),
            ("requested_by", None),
            ("from_owner_id", None),
            ("to_owner_id", None),
            ("from_group_id", None),
            ("to_group_id", None),
            ("accepted_by", "accepted_by IS NOT NULL"),
            ("attention", "active OR attention <> ''"),
        )
    },
    "ix_requests_requested_at": ("requests", ["requested_at"], None),
    "ix_idempotency_keys_created_at": ("idempotency_keys", ["created_at"], None),
    "ix_orders_refused": ("orders", ["at"], "refusal IS NOT NULL"),
    "ix_audit_events_order_id": ("audit_events", ["order_id"], "order_id IS NOT NULL"),
    "ix_audit_events_refusals": (
        "audit_events",
        ["at"],
        "action IN ('accept_refused', 'cancel_refused', 'decline_refused', 'pause_refused', 'request_refused',"
        " 'resend_refused', 'resolve_refused', 'resume_refused')",
    ),
}
#: Those whose columns the new ones begin with.
OLD = {
    "ix_charge_points_group_id": ("charge_points", ["group_id"]),
    "ix_charging_sessions_open": ("charging_sessions", ["charge_point_id", "stopped_at"]),
    "ix_transfers_state": ("transfers", ["state"]),
    "ix_transfers_requested_by": ("transfers", ["requested_by"]),
    "ix_transfers_from_owner_id": ("transfers", ["from_owner_id"]),
    "ix_transfers_to_owner_id": ("transfers", ["to_owner_id"]),
}


def upgrade() -> None:
    for name, (table, columns, which) in NEW.items():
        where = sa.text(which) if which else None
        op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)
    for name, (table, _) in OLD.items():
        op.drop_index(name, table_name=table)


def downgrade() -> None:
    for name, (table, columns) in OLD.items():
        op.create_index(name, table, columns)
    for name, (table, *_) in NEW.items():
        op.drop_index(name, table_name=table)
