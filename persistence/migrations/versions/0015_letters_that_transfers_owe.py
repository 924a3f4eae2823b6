"""Letters that transfers owe, queued until they are sent."""

from alembic import op
import sqlalchemy as sa


revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

OPEN = sa.text("due_at IS NOT NULL")
UNDELIVERED = sa.text("due_at IS NOT NULL AND tries > 0")


def upgrade() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("transfer_id", sa.String(length=80), nullable=False),
        sa.Column("subject", sa.String(length=32), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("reminder", sa.Integer(), nullable=False),
        sa.Column("queued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("taken", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["transfer_id"], ["transfers.id"], name=op.f("fk_outbox_transfer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sa.UniqueConstraint(
            *("transfer_id", "subject", "generation", "reminder"),
            name=op.f("uq_outbox_transfer_id_subject_generation_reminder"),
        ),
    )
    for name, column, which in (("due_at", "due_at", OPEN), ("undelivered", "queued_at", UNDELIVERED)):
        op.create_index(f"ix_outbox_{name}", "outbox", [column], sqlite_where=which, postgresql_where=which)


def downgrade() -> None:
    op.drop_table("outbox")
