"""domain.caseless in SQL, the same on either database and in whatever language that sorts."""

from typing import Any

from sqlalchemy import String
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement


class Caseless(FunctionElement[str]):
    """The spelling that all spellings of a column's text share: what `domain.caseless.caseless` gives of it."""

    type = String()
    inherit_cache = True


@compiles(Caseless)
def _of_sqlite(element: Caseless, compiler: Any, **options: Any) -> str:
    """SQLite changes ASCII letters alone."""
    return f"upper({compiler.process(element.clauses, **options)})"


@compiles(Caseless, "postgresql")
def _of_postgresql(element: Caseless, compiler: Any, **options: Any) -> str:
    """PostgreSQL goes by the database's language: the upper case of a Turkish i is another letter."""
    return f'upper({compiler.process(element.clauses, **options)} COLLATE "C")'
