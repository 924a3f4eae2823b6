"""Who knows a key, what it was made for and where it was sent; who waits for a charger's place; gateways' signs of life."""

from typing import Any

from alembic import op
import sqlalchemy as sa


revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

#: Of each table the columns that get a value in every row that is there.
FILLED: dict[str, dict[str, tuple[Any, str]]] = {
    "charge_points": {"owner_version": (sa.Integer(), "0"), "serials": (sa.JSON(), "'[]'")},
    "charger_links": {"contender_answered": (sa.Boolean(), "false")},
    "credentials": {
        "known_to": (sa.String(length=16), "'people'"),
        "purpose": (sa.String(length=16), "'given'"),
        "version": (sa.Integer(), "0"),
        "successor": (sa.Boolean(), "false"),
        "sent_elsewhere": (sa.Boolean(), "false"),
        "open_line": (sa.Boolean(), "false"),
        "serials": (sa.JSON(), "'[]'"),
        "answer_counts": (sa.Boolean(), "false"),
        "starts_with_old": (sa.Integer(), "0"),
    },
    "transfers": {"until_new_key": (sa.String(length=16), "'serve'"), "from_owner_version": (sa.Integer(), "0")},
}
#: Of each table the columns that may be empty.
EMPTY: dict[str, dict[str, Any]] = {
    "charge_points": {"rotates": sa.Boolean(), "until_new_key": sa.String(length=16)},
    "charger_links": {
        "credential_id": sa.String(length=80),
        "address": sa.String(length=64),
        "contender": sa.String(length=80),
        "contender_node": sa.String(length=80),
        "contender_address": sa.String(length=64),
        "contended_at": sa.DateTime(timezone=True),
    },
    "credentials": {
        "decoded": sa.Boolean(),
        "last_sent_at": sa.DateTime(timezone=True),
        "sent_over": sa.Integer(),
    },
    "transfers": {"new_key": sa.Boolean(), "from_until_new_key": sa.String(length=16)},
}
CONTENDED = sa.text("contender IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "gateway_nodes",
        sa.Column("node", sa.String(length=80), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("steady_since", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("node", name=op.f("pk_gateway_nodes")),
    )
    for name, columns in FILLED.items():
        with op.batch_alter_table(name) as table:
            for column, (kind, value) in columns.items():
                table.add_column(sa.Column(column, kind, nullable=False, server_default=sa.text(value)))
            for column, kind in EMPTY[name].items():
                table.add_column(sa.Column(column, kind, nullable=True))
        with op.batch_alter_table(name) as table:
            for column in columns:
                table.alter_column(column, server_default=None)
    op.create_index("ix_credentials_mac", "credentials", ["mac"])
    with op.batch_alter_table("charger_links") as table:
        table.create_index("ix_charger_links_contended", ["node"], sqlite_where=CONTENDED, postgresql_where=CONTENDED)
        table.create_index("ix_charger_links_contender_node", ["contender_node"])
    _keys_are_known_to_people()


def _keys_are_known_to_people() -> None:
    """Over which connections a key was sent is not on record: somebody may have read any of them."""
    of_it = "SELECT {} FROM charge_points c WHERE c.id = credentials.charge_point_id"
    owners = "c.owner_changed_at IS NULL OR COALESCE(proved_at, created_at) >= c.owner_changed_at"
    older = (
        "EXISTS (SELECT 1 FROM credentials k WHERE k.charge_point_id = charge_points.id AND k.state = 'current'"
        " AND k.version < charge_points.owner_version)"
    )
    op.execute("UPDATE charge_points SET owner_version = version WHERE owner_changed_at IS NOT NULL")
    op.execute("UPDATE credentials SET purpose = 'transfer' WHERE order_id IS NOT NULL")
    op.execute("UPDATE credentials SET last_sent_at = sent_at")
    op.execute("UPDATE credentials SET decoded = false WHERE state = 'current' AND mac_decoded IS NULL")
    op.execute(
        f"UPDATE credentials SET version = ({of_it.format(f'CASE WHEN {owners} THEN c.version ELSE -1 END')})"
    )
    op.execute(f"UPDATE charge_points SET until_new_key = 'serve' WHERE {older}")
    awaited = of_it.format("1") + " AND c.until_new_key IS NOT NULL"
    op.execute(f"UPDATE credentials SET state = 'beside' WHERE state = 'pending' AND EXISTS ({awaited})")
    op.execute(
        "UPDATE transfers SET from_owner_version = (SELECT owner_version FROM charge_points c"
        " WHERE c.id = transfers.charge_point_id) WHERE active AND state IN ('awaiting_acceptance', 'transferring')"
    )


def downgrade() -> None:
    op.execute("UPDATE credentials SET state = 'revoked', sealed_key = NULL WHERE state = 'beside'")
    op.execute("UPDATE credentials SET mac = mac_decoded WHERE decoded AND mac_decoded IS NOT NULL")
    op.execute("UPDATE credentials SET mac_decoded = NULL WHERE decoded IS NOT NULL OR state = 'revoked'")
    with op.batch_alter_table("charger_links") as table:
        table.drop_index("ix_charger_links_contender_node")
        table.drop_index("ix_charger_links_contended")
    op.drop_index("ix_credentials_mac", table_name="credentials")
    for name, columns in FILLED.items():
        with op.batch_alter_table(name) as table:
            for column in (*columns, *EMPTY[name]):
                table.drop_column(column)
    op.drop_table("gateway_nodes")
