"""Entries of audit trails are hashed, each with the hash of the one before it; those that are there have none."""

from alembic import op
import sqlalchemy as sa


revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("audit_counters", sa.Column("hash", sa.String(length=64), nullable=True))
    for name, length in (("salt", 32), ("digest", 64), ("hash", 64)):
        op.add_column("audit_events", sa.Column(name, sa.String(length=length), nullable=True))


def downgrade() -> None:
    for name in ("hash", "digest", "salt"):
        op.drop_column("audit_events", name)
    op.drop_column("audit_counters", "hash")
