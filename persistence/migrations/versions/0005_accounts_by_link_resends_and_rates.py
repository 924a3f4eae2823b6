"""Accounts opened by link; generations of links; what is counted against limits."""

from alembic import op
import sqlalchemy as sa


revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("transfers") as table:
        table.add_column(sa.Column("link_generation", sa.Integer(), nullable=False, server_default="1"))
    with op.batch_alter_table("transfers") as table:
        table.alter_column("link_generation", server_default=None)
    op.create_table(
        "account_openings",
        sa.Column("link_id", sa.String(length=80), nullable=False),
        sa.Column("sealed_body", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["link_id"], ["approval_links.id"], name=op.f("fk_account_openings_link_id")),
        sa.PrimaryKeyConstraint("link_id", name=op.f("pk_account_openings")),
    )
    op.create_table(
        "rate_counts",
        sa.Column("key", sa.String(length=96), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_rate_counts")),
    )
    op.create_index(op.f("ix_rate_counts_ends_at"), "rate_counts", ["ends_at"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_rate_counts_ends_at"), table_name="rate_counts")
    op.drop_table("rate_counts")
    op.drop_table("account_openings")
    with op.batch_alter_table("transfers") as table:
        table.drop_column("link_generation")
