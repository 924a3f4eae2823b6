"""The database's own clock, and the time between two of its moments, on both kinds of database."""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Float
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from persistence.tables import UtcDateTime


class Now(FunctionElement[datetime]):
    """The moment by the database's clock: of the statement, not of its transaction's begin."""

    type = UtcDateTime()
    inherit_cache = True


class SecondsBetween(FunctionElement[float]):
    """The seconds from an earlier moment to a later one; negative the other way round."""

    type = Float()
    inherit_cache = True

    def __init__(self, earlier: ColumnElement[Any] | Any, later: ColumnElement[Any] | Any) -> None:
        """Take two columns, or Now()."""
        super().__init__(earlier, later)


@compiles(Now, "postgresql")
def _now(_element: Now, _compiler: SQLCompiler, **_: Any) -> str:
    return "clock_timestamp()"


@compiles(Now, "sqlite")
def _now_sqlite(_element: Now, _compiler: SQLCompiler, **_: Any) -> str:
    return "strftime('%Y-%m-%d %H:%M:%f000', 'now')"  # as SQLAlchemy spells a time there


@compiles(SecondsBetween, "postgresql")
def _seconds(element: SecondsBetween, compiler: SQLCompiler, **more: Any) -> str:
    earlier, later = (compiler.process(one, **more) for one in element.clauses)
    return f"CAST(EXTRACT(EPOCH FROM ({later} - {earlier})) AS DOUBLE PRECISION)"


@compiles(SecondsBetween, "sqlite")
def _seconds_sqlite(element: SecondsBetween, compiler: SQLCompiler, **more: Any) -> str:
    earlier, later = (compiler.process(one, **more) for one in element.clauses)
    return f"((julianday({later}) - julianday({earlier})) * 86400.0)"
