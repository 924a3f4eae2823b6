"""The database says which releases work with its tables, so that one can go on while another is rolled out."""

from alembic import op
import sqlalchemy as sa


revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None
oldest = "0021"


def upgrade() -> None:
    table = op.create_table(
        "compatibility",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("oldest", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_compatibility")),
    )
    op.bulk_insert(table, [{"id": 1, "oldest": oldest}])


def downgrade() -> None:
    op.drop_table("compatibility")
