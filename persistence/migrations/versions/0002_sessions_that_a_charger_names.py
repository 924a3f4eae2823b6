"""Sessions that a charger names: OCPP 2.0.1's transactionId, and its longer tags."""

from alembic import op
import sqlalchemy as sa


revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

NAME = "uq_charging_sessions_charge_point_id_reference"


def upgrade() -> None:
    with op.batch_alter_table("charging_sessions") as table:
        table.add_column(sa.Column("reference", sa.String(length=36), nullable=True))
        table.alter_column("id_tag", existing_type=sa.String(length=20), type_=sa.String(length=36), existing_nullable=False)
        table.create_unique_constraint(table.f(NAME), ["charge_point_id", "reference"])


def downgrade() -> None:
    with op.batch_alter_table("charging_sessions") as table:
        table.drop_constraint(table.f(NAME), type_="unique")
        table.alter_column("id_tag", existing_type=sa.String(length=36), type_=sa.String(length=20), existing_nullable=False)
        table.drop_column("reference")
