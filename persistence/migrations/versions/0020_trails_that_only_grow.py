"""Audit trails only grow: what was written is neither changed nor deleted, but for what retention takes out; seals."""

from alembic import op
import sqlalchemy as sa


revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_REFUSALS = (
    "accept_refused",
    "cancel_refused",
    "decline_refused",
    "pause_refused",
    "request_refused",
    "resend_refused",
    "resolve_refused",
    "resume_refused",
)
_REFUSED = f"OLD.action IN ({', '.join(repr(action) for action in _REFUSALS)})"
#: What no entry ever changes.
_FIXED = ("subject", "sequence", "at", "actor", "action", "order_id", "once", "digest", "hash")
_WHY = "an entry of an audit trail is neither changed nor deleted"


def upgrade() -> None:
    with op.batch_alter_table("audit_counters") as table:
        table.add_column(sa.Column("sealed", sa.Integer(), nullable=False, server_default="0"))
    op.create_index(
        "ix_audit_counters_unsealed",
        "audit_counters",
        ["subject"],
        sqlite_where=sa.text("sealed < last"),
        postgresql_where=sa.text("sealed < last"),
    )
    op.create_table(
        "audit_gaps",
        sa.Column("subject", sa.String(length=80), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=True),
        sa.Column("mac", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("subject", "sequence", name=op.f("pk_audit_gaps")),
    )
    op.create_table(
        "audit_seals",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("trails", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("mac", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_audit_seals")),
    )
    op.create_table(
        "audit_sealed_heads",
        sa.Column("seal", sa.Integer(), nullable=False),
        sa.Column("subject", sa.String(length=80), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(["seal"], ["audit_seals.number"], name=op.f("fk_audit_sealed_heads_seal")),
        sa.PrimaryKeyConstraint("seal", "subject", name=op.f("pk_audit_sealed_heads")),
    )
    op.create_index("ix_audit_sealed_heads_subject", "audit_sealed_heads", ["subject", "sequence"])
    if op.get_bind().dialect.name == "postgresql":
        same = " AND ".join(f"NEW.{name} IS NOT DISTINCT FROM OLD.{name}" for name in _FIXED)
        op.execute(
            f"""
            CREATE FUNCTION audit_events_only_grow() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
              IF TG_OP = 'DELETE' AND {_REFUSED} THEN RETURN OLD; END IF;
              IF TG_OP = 'UPDATE' AND NEW.salt IS NULL AND {same} THEN RETURN NEW; END IF;
              RAISE EXCEPTION '{_WHY}';
            END $$
            """
        )
        op.execute(
            "CREATE TRIGGER audit_events_only_grow BEFORE UPDATE OR DELETE ON audit_events "
            "FOR EACH ROW EXECUTE FUNCTION audit_events_only_grow()"
        )
    else:
        same = " AND ".join(f"NEW.{name} IS OLD.{name}" for name in _FIXED)
        op.execute(
            "CREATE TRIGGER audit_events_not_changed BEFORE UPDATE ON audit_events "
            f"WHEN NOT (NEW.salt IS NULL AND {same}) BEGIN SELECT RAISE(ABORT, '{_WHY}'); END"
        )
        op.execute(
            "CREATE TRIGGER audit_events_not_deleted BEFORE DELETE ON audit_events "
            f"WHEN NOT ({_REFUSED}) BEGIN SELECT RAISE(ABORT, '{_WHY}'); END"
        )


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP TRIGGER audit_events_only_grow ON audit_events")
        op.execute("DROP FUNCTION audit_events_only_grow()")
    else:
        op.execute("DROP TRIGGER audit_events_not_changed")
        op.execute("DROP TRIGGER audit_events_not_deleted")
    op.drop_table("audit_sealed_heads")
    op.drop_table("audit_seals")
    op.drop_table("audit_gaps")
    op.drop_index("ix_audit_counters_unsealed", table_name="audit_counters")
    with op.batch_alter_table("audit_counters") as table:
        table.drop_column("sealed")
