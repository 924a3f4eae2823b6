"""What the role of Handover's processes may do on PostgreSQL: read and write rows, and neither schema nor trail."""

from typing import Final

from sqlalchemy import Connection, text

from domain.errors import NotFound
from persistence.tables import Table

#: What each table is for, where it is not for everything; the trail's triggers narrow it further (migration 0020).
_LESS: Final = {
    "alembic_version": "SELECT",
    "compatibility": "SELECT",
    "audit_events": "SELECT, INSERT, DELETE, UPDATE (detail, tells_place, salt)",
    "audit_gaps": "SELECT, INSERT",
    "audit_sealed_heads": "SELECT, INSERT",
    "audit_seals": "SELECT, INSERT",
    "ownership_periods": "SELECT, INSERT, UPDATE (ended_at)",
}
_ALL: Final = "SELECT, INSERT, UPDATE, DELETE"


def grant(connection: Connection, role: str) -> None:
    """Let `role` do what the processes do, and no more, whatever it was granted before.

    In the transaction that it is called in: processes that run meanwhile are never without. Changes nothing where the
    tables belong to `role`; raises NotFound.
    """
    if not connection.scalar(_IS_THERE, {"role": role}):
        raise NotFound(f"The database has no role {role}, by which HANDOVER_DATABASE_URL connects; make it first.")
    if connection.scalar(_OWNS, {"role": role}):
        return
    quoted = connection.dialect.identifier_preparer.quote(role)
    connection.exec_driver_sql(f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {quoted}")
    for table in ("alembic_version", *Table.metadata.tables):
        connection.exec_driver_sql(f"GRANT {_LESS.get(table, _ALL)} ON public.{table} TO {quoted}")
    connection.exec_driver_sql(f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {quoted}")


_IS_THERE: Final = text("SELECT 1 FROM pg_roles WHERE rolname = :role")
#: A superuser, and who is a member of the owner, may do everything anyway.
_OWNS: Final = text(
    "SELECT pg_has_role(CAST(:role AS name), tableowner, 'USAGE') FROM pg_tables"
    " WHERE schemaname = 'public' AND tablename = 'alembic_version'"
)
