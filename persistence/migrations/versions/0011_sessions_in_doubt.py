"""What of charging sessions is in doubt, until somebody settles it; and what chargers' clocks were off by."""

from alembic import op
import sqlalchemy as sa


revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
STOPS = op.f("uq_unmatched_stops_charge_point_id_said_id_reported_at_meter")
#: What a charger may count beyond 32 bits.
COUNTS = ("connector", "meter_start", "last_meter", "meter_stop")


def upgrade() -> None:
    op.add_column("charger_connections", sa.Column("clock_off", sa.BigInteger(), nullable=True))
    with op.batch_alter_table("unmatched_stops") as table:
        table.add_column(sa.Column("settled_at", TIME, nullable=True))
        table.add_column(sa.Column("stopped_at", TIME, nullable=True))
        table.alter_column("meter", existing_type=sa.Integer(), type_=sa.BigInteger())
        table.drop_constraint(op.f("uq_unmatched_stops_charge_point_id_said_id_reported_at"), type_="unique")
        table.create_unique_constraint(STOPS, ["charge_point_id", "said_id", "reported_at", "meter"])
    op.execute("UPDATE unmatched_stops SET stopped_at = reported_at")
    with op.batch_alter_table("unmatched_stops") as table:
        table.alter_column("stopped_at", existing_type=TIME, nullable=False)
    with op.batch_alter_table("charging_sessions") as table:
        for name in COUNTS:
            table.alter_column(name, existing_type=sa.Integer(), type_=sa.BigInteger())
        table.add_column(sa.Column("earliest_at", TIME, nullable=True))
        table.add_column(sa.Column("unsettled", sa.Boolean(), nullable=False, server_default=sa.text("false")))
        table.add_column(sa.Column("to_be_told", sa.Boolean(), nullable=False, server_default=sa.text("false")))
    op.execute("UPDATE charging_sessions SET earliest_at = started_at")
    op.execute("UPDATE charging_sessions SET unsettled = true WHERE CAST(doubts AS TEXT) <> '[]'")
    op.execute("UPDATE findings SET settlement = 'parked', settled_at = NULL WHERE kind = 'sessions_in_doubt'")
    with op.batch_alter_table("charging_sessions") as table:
        table.alter_column("earliest_at", existing_type=TIME, nullable=False)
        table.alter_column("unsettled", server_default=None)
        table.alter_column("to_be_told", server_default=None)
    for name in ("unsettled", "to_be_told"):
        which = sa.text(name)
        op.create_index(
            f"ix_charging_sessions_{name}",
            "charging_sessions",
            ["charge_point_id"],
            sqlite_where=which,
            postgresql_where=which,
        )


def downgrade() -> None:
    for name in COUNTS:  # beyond 32 bits there is no room there
        op.execute(f"UPDATE charging_sessions SET {name} = NULL WHERE ABS({name}) > 2147483647")
    op.execute("UPDATE unmatched_stops SET meter = NULL WHERE ABS(meter) > 2147483647")
    op.execute("UPDATE findings SET settlement = 'seen', settled_at = found_at WHERE kind = 'sessions_in_doubt'")
    for name in ("unsettled", "to_be_told"):
        op.drop_index(f"ix_charging_sessions_{name}", "charging_sessions")
    with op.batch_alter_table("charging_sessions") as table:
        for name in ("to_be_told", "unsettled", "earliest_at"):
            table.drop_column(name)
        for name in COUNTS:
            table.alter_column(name, existing_type=sa.BigInteger(), type_=sa.Integer())
    # two of one second, with other meters, are told apart there by their ids alone
    op.execute("DELETE FROM unmatched_stops WHERE id NOT IN (SELECT MIN(id) FROM unmatched_stops"
               " GROUP BY charge_point_id, said_id, reported_at)")
    with op.batch_alter_table("unmatched_stops") as table:
        table.drop_constraint(STOPS, type_="unique")
        table.create_unique_constraint(
            op.f("uq_unmatched_stops_charge_point_id_said_id_reported_at"),
            ["charge_point_id", "said_id", "reported_at"],
        )
        table.alter_column("meter", existing_type=sa.BigInteger(), type_=sa.Integer())
        table.drop_column("stopped_at")
        table.drop_column("settled_at")
    op.drop_column("charger_connections", "clock_off")
