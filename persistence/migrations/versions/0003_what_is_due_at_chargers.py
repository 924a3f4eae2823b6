"""What transfers leave due at chargers; the cool-down before a transfer; a request's API key; codes not sent yet; longer tags."""

from alembic import op
import sqlalchemy as sa


revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("transfers") as table:
        table.add_column(sa.Column("from_owner_changed_at", sa.DateTime(timezone=True), nullable=True))
        table.add_column(sa.Column("due", sa.Boolean(), nullable=False, server_default=sa.false()))
        table.add_column(sa.Column("rescue_tried_at", sa.DateTime(timezone=True), nullable=True))
        table.add_column(sa.Column("rescue_tries", sa.Integer(), nullable=False, server_default="0"))
        table.create_index(
            "ix_transfers_due", ["charge_point_id"], sqlite_where=sa.text("due"), postgresql_where=sa.text("due")
        )
    with op.batch_alter_table("transfers") as table:
        table.alter_column("due", server_default=None)
        table.alter_column("rescue_tries", server_default=None)
    for warning in ("lists_due", "credentials_due", "release_due"):
        op.execute(f"UPDATE transfers SET due = true WHERE NOT active AND CAST(warnings AS TEXT) LIKE '%{warning}%'")
    op.execute(
        "UPDATE transfers SET from_owner_changed_at = (SELECT owner_changed_at FROM charge_points c"
        " WHERE c.id = transfers.charge_point_id) WHERE active AND state IN ('awaiting_acceptance', 'transferring')"
    )
    with op.batch_alter_table("credentials") as table:
        table.add_column(sa.Column("taken_from", sa.String(length=80), nullable=True))
    with op.batch_alter_table("requests") as table:
        table.add_column(sa.Column("api_key_id", sa.String(length=80), nullable=True))
        table.create_foreign_key(table.f("fk_requests_api_key_id_api_keys"), "api_keys", ["api_key_id"], ["id"])
    with op.batch_alter_table("codes") as table:
        table.alter_column("sent_at", existing_type=sa.DateTime(timezone=True), nullable=True)
    with op.batch_alter_table("tags") as table:
        table.alter_column("id_tag", existing_type=sa.String(length=20), type_=sa.String(length=36))


def downgrade() -> None:
    op.execute("DELETE FROM tags WHERE length(id_tag) > 20")
    with op.batch_alter_table("tags") as table:
        table.alter_column("id_tag", existing_type=sa.String(length=36), type_=sa.String(length=20))
    op.execute("UPDATE codes SET sent_at = expires_at WHERE sent_at IS NULL")
    with op.batch_alter_table("codes") as table:
        table.alter_column("sent_at", existing_type=sa.DateTime(timezone=True), nullable=False)
    with op.batch_alter_table("credentials") as table:
        table.drop_column("taken_from")
    with op.batch_alter_table("requests") as table:
        table.drop_constraint(table.f("fk_requests_api_key_id_api_keys"), type_="foreignkey")
        table.drop_column("api_key_id")
    with op.batch_alter_table("transfers") as table:
        table.drop_index("ix_transfers_due")
        table.drop_column("rescue_tries")
        table.drop_column("rescue_tried_at")
        table.drop_column("due")
        table.drop_column("from_owner_changed_at")
