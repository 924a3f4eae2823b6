"""What of charging sessions is in doubt, until somebody settles it; and what chargers' clocks were off by."""

from alembic import op
import sqlalchemy as sa


revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("charger_connections", sa.Column("clock_off", sa.BigInteger(), nullable=True))
    op.add_column("unmatched_stops", sa.Column("settled_at", TIME, nullable=True))
    with op.batch_alter_table("charging_sessions") as table:
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
    op.execute("UPDATE findings SET settlement = 'seen', settled_at = found_at WHERE kind = 'sessions_in_doubt'")
    for name in ("unsettled", "to_be_told"):
        op.drop_index(f"ix_charging_sessions_{name}", "charging_sessions")
    with op.batch_alter_table("charging_sessions") as table:
        for name in ("to_be_told", "unsettled", "earliest_at"):
            table.drop_column(name)
    op.drop_column("unmatched_stops", "settled_at")
    op.drop_column("charger_connections", "clock_off")
