"""What somebody has done is an order, which is its proof; free text that people type lies there, and nowhere else."""

from secrets import token_hex

from alembic import op
import sqlalchemy as sa


revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

ONE_DECISION = sa.text("request_id IS NULL")
#: What an operator's entry was of: there the reason stood in the detail.
ACTS = {
    "reserved": "start",
    "resolved_retry": "retry",
    "resolved_roll_back": "roll_back",
    "resolved_complete": "complete",
    "step_paused": "pause",
    "step_resumed": "resume",
}
EVENTS = sa.table(
    "audit_events",
    sa.column("subject"),
    sa.column("sequence"),
    sa.column("at"),
    sa.column("actor"),
    sa.column("action"),
    sa.column("detail", sa.JSON()),
    sa.column("once"),
    sa.column("order_id"),
)
ORDERS = sa.table(
    "orders",
    *(sa.column(name) for name in ("id", "subject", "act", "actor", "request_id", "reason", "at", "carried_out_as")),
)


def upgrade() -> None:
    op.create_table(
        "orders",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("subject", sa.String(length=80), nullable=False),
        sa.Column("act", sa.String(length=16), nullable=False),
        sa.Column("actor", sa.String(length=96), nullable=False),
        sa.Column("user_id", sa.String(length=80), nullable=True),
        sa.Column("link_id", sa.String(length=80), nullable=True),
        sa.Column("request_id", sa.String(length=64), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("choice", sa.String(length=16), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("carried_out_as", sa.String(length=128), nullable=True),
        sa.Column("refusal", sa.JSON(), nullable=True),
        sa.ForeignKeyConstraint(["link_id"], ["approval_links.id"], name=op.f("fk_orders_link_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_orders_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_orders")),
    )
    op.create_index("uq_orders_request", "orders", ["subject", "act", "actor", "request_id"], unique=True)
    op.create_index(
        "uq_orders_decision",
        "orders",
        ["subject", "act", "actor"],
        unique=True,
        sqlite_where=ONE_DECISION,
        postgresql_where=ONE_DECISION,
    )
    with op.batch_alter_table("requests") as table:
        table.add_column(sa.Column("policy", sa.JSON(), nullable=False, server_default=sa.text("'{}'")))
    with op.batch_alter_table("requests") as table:
        table.alter_column("policy", server_default=None)
    with op.batch_alter_table("transfers") as table:
        table.add_column(sa.Column("run_id", sa.String(length=80), nullable=True))
    with op.batch_alter_table("audit_events") as table:
        table.add_column(sa.Column("order_id", sa.String(length=80), nullable=True))
        table.create_foreign_key(op.f("fk_audit_events_order_id"), "orders", ["order_id"], ["id"])
    _move_reasons()


def _move_reasons() -> None:
    """Put what operators typed with an order of its own."""
    connection = op.get_bind()
    for row in connection.execute(sa.select(EVENTS).where(EVENTS.c.action.in_(ACTS))).all():
        detail = dict(row.detail)
        reason = detail.pop("reason", None)
        if not reason:
            continue
        order_id = f"ord_{token_hex(16)}"
        values = {
            "id": order_id,
            "subject": row.subject,
            "act": ACTS[row.action],
            "actor": row.actor,
            "request_id": None if row.action == "reserved" else f"{row.sequence}",
            "reason": reason,
            "at": row.at,
            "carried_out_as": row.once,
        }
        connection.execute(ORDERS.insert().values(values))
        this = (EVENTS.c.subject == row.subject, EVENTS.c.sequence == row.sequence)
        connection.execute(EVENTS.update().where(*this).values(detail=detail, order_id=order_id))


def downgrade() -> None:
    connection = op.get_bind()
    wanted = sa.select(EVENTS.c.subject, EVENTS.c.sequence, EVENTS.c.detail, ORDERS.c.reason)
    reasons = wanted.join(ORDERS, ORDERS.c.id == EVENTS.c.order_id).where(
        ORDERS.c.reason.is_not(None), EVENTS.c.action.in_(ACTS)
    )
    for row in connection.execute(reasons).all():
        this = (EVENTS.c.subject == row.subject, EVENTS.c.sequence == row.sequence)
        connection.execute(EVENTS.update().where(*this).values(detail=row.detail | {"reason": row.reason}))
    # a word that is not known there is no mark of anything
    op.execute("UPDATE audit_events SET once = NULL WHERE action = 'unproven'")
    with op.batch_alter_table("audit_events") as table:
        table.drop_constraint(op.f("fk_audit_events_order_id"), type_="foreignkey")
        table.drop_column("order_id")
    with op.batch_alter_table("transfers") as table:
        table.drop_column("run_id")
    with op.batch_alter_table("requests") as table:
        table.drop_column("policy")
    op.drop_table("orders")
