"""When each charger was there, by our clock; and of a charging session what is not known, and what is doubtful."""

from alembic import op
import sqlalchemy as sa


revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

#: On PostgreSQL it is cut, as where it was made.
SAME_REPORT = op.f("uq_charging_sessions_charge_point_id_connector_id_tag_started_at_meter_start")
OPEN = sa.text("ended_at IS NULL")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "charger_connections",
        sa.Column("charge_point_id", sa.String(length=80), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("node", sa.String(length=80), nullable=False),
        sa.Column("opened_at", TIME, nullable=False),
        sa.Column("released_at", TIME, nullable=True),
        sa.Column("ended_at", TIME, nullable=True),
        sa.ForeignKeyConstraint(
            ["charge_point_id"],
            ["charge_points.id"],
            name=op.f("fk_charger_connections_charge_point_id"),
        ),
        sa.PrimaryKeyConstraint("charge_point_id", "generation", name=op.f("pk_charger_connections")),
    )
    op.create_index(op.f("ix_charger_connections_ended_at"), "charger_connections", ["ended_at"])
    op.create_index(
        "ix_charger_connections_open", "charger_connections", ["node"], sqlite_where=OPEN, postgresql_where=OPEN
    )
    op.create_table(
        "unmatched_stops",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("charge_point_id", sa.String(length=80), nullable=False),
        sa.Column("said_id", sa.BigInteger(), nullable=False),
        sa.Column("meter", sa.Integer(), nullable=True),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("reported_at", TIME, nullable=False),
        sa.Column("arrived_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["charge_point_id"], ["charge_points.id"], name=op.f("fk_unmatched_stops_charge_point_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_unmatched_stops")),
        sa.UniqueConstraint(
            "charge_point_id",
            "said_id",
            "reported_at",
            name=op.f("uq_unmatched_stops_charge_point_id_said_id_reported_at"),
        ),
    )
    op.execute(
        "INSERT INTO charger_connections (charge_point_id, generation, node, opened_at, released_at, ended_at)"
        " SELECT charge_point_id, generation, COALESCE(node, ''), connected_at,"
        " CASE WHEN quarantined THEN NULL ELSE connected_at END, disconnected_at"
        " FROM charger_links WHERE connected_at IS NOT NULL AND (node IS NOT NULL OR disconnected_at IS NOT NULL)"
    )
    with op.batch_alter_table("charging_sessions") as table:
        table.drop_constraint(
            SAME_REPORT, type_="unique"
        )
        table.drop_constraint("uq_charging_sessions_charge_point_id_reference", type_="unique")
        table.alter_column("connector", existing_type=sa.Integer(), nullable=True)
        table.alter_column("meter_start", existing_type=sa.Integer(), nullable=True)
        table.add_column(sa.Column("reported_at", TIME, nullable=True))
        table.add_column(sa.Column("arrived_at", TIME, nullable=True))
        table.add_column(sa.Column("start_heard", sa.Boolean(), nullable=False, server_default=sa.text("true")))
        table.add_column(sa.Column("late", sa.Boolean(), nullable=False, server_default=sa.text("false")))
        table.add_column(sa.Column("offline", sa.Boolean(), nullable=True))
        table.add_column(sa.Column("doubts", sa.JSON(), nullable=False, server_default=sa.text("'[]'")))
        table.add_column(sa.Column("stop_reported_at", TIME, nullable=True))
        table.create_index("ix_charging_sessions_reference", ["charge_point_id", "reference"])
    op.execute("UPDATE charging_sessions SET reported_at = started_at, arrived_at = started_at")
    op.execute("UPDATE charging_sessions SET stop_reported_at = stopped_at")
    with op.batch_alter_table("charging_sessions") as table:
        table.alter_column("reported_at", existing_type=TIME, nullable=False)
        table.alter_column("arrived_at", existing_type=TIME, nullable=False)
        table.alter_column("start_heard", server_default=None)
        table.alter_column("late", server_default=None)
        table.alter_column("doubts", server_default=None)


def downgrade() -> None:
    op.execute("UPDATE charging_sessions SET connector = 0 WHERE connector IS NULL")
    op.execute("UPDATE charging_sessions SET meter_start = 0 WHERE meter_start IS NULL")
    # what was reported twice as it seems is told apart by its reference alone there
    op.execute("UPDATE charging_sessions SET id_tag = SUBSTR(id_tag || '#' || id, 1, 36) WHERE id NOT IN (SELECT MIN(id)"
               " FROM charging_sessions GROUP BY charge_point_id, connector, id_tag, started_at, meter_start)")
    op.execute("UPDATE charging_sessions SET reference = NULL WHERE reference IS NOT NULL AND id NOT IN (SELECT MIN(id)"
               " FROM charging_sessions GROUP BY charge_point_id, reference)")
    with op.batch_alter_table("charging_sessions") as table:
        table.drop_index("ix_charging_sessions_reference")
        for name in ("stop_reported_at", "doubts", "offline", "late", "start_heard", "arrived_at", "reported_at"):
            table.drop_column(name)
        table.alter_column("meter_start", existing_type=sa.Integer(), nullable=False)
        table.alter_column("connector", existing_type=sa.Integer(), nullable=False)
        table.create_unique_constraint("uq_charging_sessions_charge_point_id_reference", ["charge_point_id", "reference"])
        table.create_unique_constraint(
            SAME_REPORT,
            ["charge_point_id", "connector", "id_tag", "started_at", "meter_start"],
        )
    op.drop_table("unmatched_stops")
    op.drop_table("charger_connections")
