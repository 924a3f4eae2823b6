"""Identities of charge points are unique without regard to case, as OCPP compares them."""

from alembic import op
import sqlalchemy as sa

from domain.errors import NotPossible


revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

INDEX = "uq_charge_points_identity_caseless"


def upgrade() -> None:
    upper = 'upper(identity COLLATE "C")' if op.get_bind().dialect.name == "postgresql" else "upper(identity)"
    if clashes := _clashes(upper):
        raise NotPossible(
            "Nothing was migrated: charge points have identities that differ by case alone, so that a charger could not "
            f"be told from another: {'; '.join(clashes)}. Give all but one of each another identity, in the database "
            "and in the charger, then migrate again."
        )
    op.execute(f"CREATE UNIQUE INDEX {INDEX} ON charge_points ({upper})")


def _clashes(upper: str) -> list[str]:
    """Name the identities that are one, each with its charge point."""
    same = f"SELECT {upper} FROM charge_points GROUP BY {upper} HAVING COUNT(*) > 1"
    rows = op.get_bind().execute(
        sa.text(f"SELECT {upper}, identity, id FROM charge_points WHERE {upper} IN ({same})")
    )
    found: dict[str, list[str]] = {}
    for key, identity, charge_point_id in sorted(rows):
        found.setdefault(key, []).append(f"{identity} ({charge_point_id})")
    return [" and ".join(named) for named in found.values()]


def downgrade() -> None:
    op.drop_index(INDEX, "charge_points")
