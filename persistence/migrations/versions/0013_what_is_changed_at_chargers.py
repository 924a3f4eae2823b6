"""Of what type a tag is; what orders changed at chargers beside their lists; how often and since when a key is out."""

from alembic import op
import sqlalchemy as sa


revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

#: What every tag was sent as before.
TYPE = sa.text("'ISO14443'")


def upgrade() -> None:
    op.create_table(
        "charger_changes",
        sa.Column("order_id", sa.String(length=80), nullable=False),
        sa.Column("charge_point_id", sa.String(length=80), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("former_tags", sa.Integer(), nullable=False),
        sa.Column("charging_limits", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["charge_point_id"], ["charge_points.id"], name=op.f("fk_charger_changes_charge_point_id")
        ),
        sa.PrimaryKeyConstraint("order_id", name=op.f("pk_charger_changes")),
    )
    with op.batch_alter_table("credentials", reflect_kwargs={"resolve_fks": False}) as table:
        table.add_column(sa.Column("sendings", sa.Integer(), nullable=False, server_default=sa.text("0")))
        table.add_column(sa.Column("restarted_at", sa.DateTime(timezone=True), nullable=True))
    with op.batch_alter_table("credentials", reflect_kwargs={"resolve_fks": False}) as table:
        table.alter_column("sendings", server_default=None)
    with op.batch_alter_table("groups") as table:
        table.add_column(
            sa.Column("charges_anybody", sa.Boolean(), nullable=False, server_default=sa.text("false"))
        )
    with op.batch_alter_table("groups") as table:
        table.alter_column("charges_anybody", server_default=None)
    with op.batch_alter_table("tags") as table:
        table.add_column(sa.Column("type", sa.String(length=20), nullable=False, server_default=TYPE))
        table.drop_constraint(op.f("pk_tags"), type_="primary")
        table.create_primary_key(op.f("pk_tags"), ["group_id", "id_tag", "type"])
    with op.batch_alter_table("tags") as table:
        table.alter_column("type", server_default=None)


def downgrade() -> None:
    op.execute(  # one of each value is what is known there
        "DELETE FROM tags WHERE type <> 'ISO14443' AND EXISTS (SELECT 1 FROM tags AS other WHERE"
        " other.group_id = tags.group_id AND other.id_tag = tags.id_tag AND other.type < tags.type)"
    )
    op.execute(
        "DELETE FROM tags WHERE type <> 'ISO14443' AND EXISTS (SELECT 1 FROM tags AS other WHERE"
        " other.group_id = tags.group_id AND other.id_tag = tags.id_tag AND other.type = 'ISO14443')"
    )
    with op.batch_alter_table("tags") as table:
        table.drop_constraint(op.f("pk_tags"), type_="primary")
        table.drop_column("type")
        table.create_primary_key(op.f("pk_tags"), ["group_id", "id_tag"])
    with op.batch_alter_table("credentials", reflect_kwargs={"resolve_fks": False}) as table:
        table.drop_column("restarted_at")
        table.drop_column("sendings")
    with op.batch_alter_table("groups") as table:
        table.drop_column("charges_anybody")
    op.drop_table("charger_changes")
