"""Indexes for what the reconciler asks for every minute: requests that were not started, and recent ends."""

from alembic import op
import sqlalchemy as sa


revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_requests_not_started",
        "requests",
        ["requested_at"],
        unique=False,
        sqlite_where=sa.text("started_at IS NULL"),
        postgresql_where=sa.text("started_at IS NULL"),
    )
    op.create_index("ix_transfers_finished_at", "transfers", ["finished_at"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_transfers_finished_at", table_name="transfers")
    op.drop_index("ix_requests_not_started", table_name="requests")
