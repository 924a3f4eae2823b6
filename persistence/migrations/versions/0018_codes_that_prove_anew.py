"""Codes with which who is signed in proves anew who they are."""

from alembic import op
import sqlalchemy as sa


revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("sign_in_codes") as table:
        table.add_column(sa.Column("sign_in_id", sa.String(length=80), nullable=True))
        table.create_foreign_key(
            op.f("fk_sign_in_codes_sign_in_id"), "sign_ins", ["sign_in_id"], ["id"], ondelete="CASCADE"
        )
        table.create_index(op.f("ix_sign_in_codes_sign_in_id"), ["sign_in_id"])


def downgrade() -> None:
    op.execute("DELETE FROM sign_in_codes WHERE sign_in_id IS NOT NULL")  # the older release would sign in with them
    with op.batch_alter_table("sign_in_codes") as table:
        table.drop_index(op.f("ix_sign_in_codes_sign_in_id"))
        table.drop_constraint(op.f("fk_sign_in_codes_sign_in_id"), type_="foreignkey")
        table.drop_column("sign_in_id")
