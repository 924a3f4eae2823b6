"""An audit trail is of a transfer or of a charge point; what tells where somebody is can be found, and forgotten."""

from alembic import op
import sqlalchemy as sa


revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

TELLS_PLACE = sa.text("tells_place")
#: Written under the ids of transfers that never were, until now.
OF_CHARGE_POINTS = "action IN ('request_refused', 'connected_afresh') AND subject NOT LIKE 'charge\\_point:%' ESCAPE '\\'"


def upgrade() -> None:
    _rename("transfer_id", "subject")
    with op.batch_alter_table("audit_events") as table:
        table.add_column(sa.Column("tells_place", sa.Boolean(), nullable=False, server_default=sa.text("false")))
    with op.batch_alter_table("audit_events") as table:
        table.alter_column("tells_place", server_default=None)
        table.create_index(
            "ix_audit_events_tells_place", ["at"], sqlite_where=TELLS_PLACE, postgresql_where=TELLS_PLACE
        )
    _give_to_charge_points()
    told = " OR ".join(f"{_value(key)} IS NOT NULL" for key in ("address", "holder_address", "iccid", "imsi"))
    op.execute(f"UPDATE audit_events SET tells_place = true WHERE {told}")


def downgrade() -> None:
    with op.batch_alter_table("audit_events") as table:
        table.drop_index("ix_audit_events_tells_place")
        table.drop_column("tells_place")
    _rename("subject", "transfer_id")


def _rename(old: str, new: str) -> None:
    """Rename the column that says whose trail it is, and the constraint that is named after it; no row is touched."""
    if op.get_bind().dialect.name == "postgresql":
        op.alter_column("audit_events", old, new_column_name=new)
        op.execute(
            f"ALTER TABLE audit_events RENAME CONSTRAINT uq_audit_events_{old}_once TO uq_audit_events_{new}_once"
        )
    else:  # no constraint is renamed there: the table is written anew
        with op.batch_alter_table("audit_events") as table:
            table.drop_constraint(f"uq_audit_events_{old}_once", type_="unique")
            table.alter_column(old, new_column_name=new)
        with op.batch_alter_table("audit_events") as table:
            table.create_unique_constraint(f"uq_audit_events_{new}_once", [new, "once"])
    op.execute(f"ALTER TABLE audit_counters RENAME COLUMN {old} TO {new}")


def _give_to_charge_points() -> None:
    """Put what was written under ids of transfers that never were into the trails of the charge points they are about.

    Behind what a trail has already: it has some where this was undone before.
    """
    point = f"'charge_point:' || {_value('charge_point_id')}"
    op.execute(
        f"""
        UPDATE audit_events SET subject = given.subject, sequence = given.sequence
        FROM (
          SELECT old.subject AS old, old.point AS subject,
            COALESCE(last, 0) + row_number() OVER (PARTITION BY old.point ORDER BY old.at, old.subject) AS sequence
          FROM (SELECT subject, at, {point} AS point FROM audit_events WHERE {OF_CHARGE_POINTS}) AS old
          LEFT JOIN audit_counters ON audit_counters.subject = old.point
          WHERE old.point IS NOT NULL
        ) AS given
        WHERE audit_events.subject = given.old
        """
    )
    op.execute("DELETE FROM audit_counters WHERE subject NOT IN (SELECT subject FROM audit_events)")
    op.execute(
        """
        INSERT INTO audit_counters (subject, last)
        SELECT subject, MAX(sequence) FROM audit_events
        WHERE subject LIKE 'charge\\_point:%' ESCAPE '\\' GROUP BY subject
        ON CONFLICT (subject) DO UPDATE SET last = excluded.last
        """
    )


def _value(key: str) -> str:
    """Spell what an entry's detail has under a key; null where it has none."""
    sqlite = op.get_bind().dialect.name == "sqlite"
    return f"json_extract(detail, '$.{key}')" if sqlite else f"(detail ->> '{key}')"
