"""The slips: small changes of the source that somebody may make and not see."""

import ast
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

#: What narrows a question: each argument is a condition.
_NARROWING: Final = frozenset({"where", "filter", "and_", "filter_by"})
#: Calls that only tell people something, that the library makes by itself later, or that nobody comes to.
_TELLING: Final = frozenset(
    {"debug", "info", "warning", "error", "exception", "log", "critical", "learn", "flush", "assert_never"}
)
_BOUNDS: Final = {ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">"}
_OPPOSITES: Final = {
    ast.Eq: "!=",
    ast.NotEq: "==",
    ast.In: "not in",
    ast.NotIn: "in",
    ast.Is: "is not",
    ast.IsNot: "is",
}


@dataclass(frozen=True)
class Slip:
    """One change: `start` to `end` of the file's text becomes `new`."""

    file: str
    function: str
    line: int
    what: str
    start: int
    end: int
    old: str
    new: str
    begin: int = 0
    """The first line inside its function."""
    nth: int = 0
    """How many that say the same are before it."""

    @property
    def id(self) -> str:
        """Give a name that stays the same as long as the function says the same there, wherever it lives."""
        said = f"{self.function}:{self.what}:{' '.join(self.old.split())}:{self.nth or ''}".rstrip(":")
        return hashlib.sha256(said.encode()).hexdigest()[:8]

    def apply(self, text: str) -> str:
        """Give the file's text with the slip."""
        return text[: self.start] + self.new + text[self.end :]


def slips_in(root: Path, *files: str) -> list[Slip]:
    """Find every slip that can be made in some files."""
    found: dict[str, Slip] = {}
    for file in files:
        for slip in _Finder(file, (root / file).read_text()).slips():
            again = slip
            while again.id in found:
                again = replace(again, nth=again.nth + 1)
            found[again.id] = again
    return list(found.values())


class _Finder:
    """Walks the functions of one file."""

    def __init__(self, file: str, text: str) -> None:
        self._file, self._text = file, text
        self._lines = [0]
        for line in text.splitlines(keepends=True):
            self._lines.append(self._lines[-1] + len(line))

    def slips(self) -> Iterator[Slip]:
        """Give the slips of every function."""
        yield from self._inside(ast.parse(self._text), "", 0)

    def _inside(self, node: ast.AST, name: str, begin: int) -> Iterator[Slip]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                body = child.body[1:] if ast.get_docstring(child) and len(child.body) > 1 else child.body
                yield from self._inside(child, f"{name}.{child.name}".lstrip("."), body[0].lineno)
                continue
            if name:
                yield from (replace(slip, begin=begin) for slip in self._at(child, name))
            yield from self._inside(child, name, begin)

    def _at(self, node: ast.AST, name: str) -> Iterator[Slip]:
        yield from self._of_conditions(node, name)
        yield from self._of_acts(node, name)

    def _of_conditions(self, node: ast.AST, name: str) -> Iterator[Slip]:
        match node:
            case ast.BoolOp(op=op, values=values):
                glue = " and " if isinstance(op, ast.And) else " or "
                for left_out in values:
                    kept = [self._source(value) for value in values if value is not left_out]
                    yield self._slip(name, node, f"without {self._short(left_out)}", f"({glue.join(kept)})")
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _BOUNDS | _OPPOSITES:
                new = (_BOUNDS | _OPPOSITES)[type(op)]
                what = f"{new} for {self._short(node)}"
                yield self._slip(name, node, what, f"{self._source(left)} {new} {self._source(right)}")
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                yield self._slip(name, node, f"no not before {self._short(operand)}", self._source(operand))
            case ast.If(test=ast.Name() | ast.Call() | ast.Attribute() | ast.Await() as test):
                yield self._slip(name, test, f"never {self._short(test)}", "False")
            case ast.Call(func=ast.Attribute(attr=attr), args=args) if attr in _NARROWING:
                yield from self._narrower(name, node, args)
            case ast.Call(func=ast.Name(id=called), args=args) if called in _NARROWING:
                yield from self._narrower(name, node, args)
            case _:
                return

    def _of_acts(self, node: ast.AST, name: str) -> Iterator[Slip]:
        match node:
            case ast.Raise() if not ast.unparse(node).startswith("raise AssertionError"):  # nobody can come there
                yield self._slip(name, node, f"no {self._short(node)}", "pass")
            case ast.Expr(value=ast.Await(value=ast.Call()) | ast.Call() as call) if not self._tells(call):
                yield self._slip(name, node, f"no {self._short(node)}", "pass")
            case ast.Return(value=ast.Constant(value=bool(value)) as constant):
                yield self._slip(name, constant, f"returns {not value}", str(not value))
            case _:
                return

    def _narrower(self, name: str, call: ast.Call, args: list[ast.expr]) -> Iterator[Slip]:
        """Leave out one condition; where it is the only one, all of it is let through."""
        for left_out in args:
            if isinstance(left_out, ast.Starred):
                continue
            what = f"without {self._short(left_out)}"
            if len(args) + len(call.keywords) > 1:
                start, end = self._span(left_out)
                rest = self._text[end:]
                tail = len(rest) - len(rest.lstrip())
                end += tail + 1 if rest.lstrip().startswith(",") else 0
                yield self._made(name, left_out.lineno, what, start, end, "")

    def _tells(self, call: ast.expr) -> bool:
        inner = call.value if isinstance(call, ast.Await) else call
        func = inner.func if isinstance(inner, ast.Call) else inner
        called = func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")
        return called in _TELLING

    def _slip(self, name: str, node: ast.stmt | ast.expr, what: str, new: str) -> Slip:
        start, end = self._span(node)
        return self._made(name, node.lineno, what, start, end, new)

    def _made(self, name: str, line: int, what: str, start: int, end: int, new: str) -> Slip:
        return Slip(self._file, name, line, what, start, end, self._text[start:end], new)

    def _span(self, node: ast.stmt | ast.expr) -> tuple[int, int]:
        begin = self._offset(node.lineno, node.col_offset)
        return begin, self._offset(node.end_lineno or node.lineno, node.end_col_offset or 0)

    def _offset(self, line: int, column: int) -> int:
        """Give a place in the text; columns count bytes."""
        start = self._lines[line - 1]
        return start + len(self._text[start : self._lines[line]].encode()[:column].decode())

    def _source(self, node: ast.expr) -> str:
        start, end = self._span(node)
        inner = self._text[start:end]
        return inner if isinstance(node, ast.Name | ast.Call | ast.Attribute | ast.Constant) else f"({inner})"

    def _short(self, node: ast.AST) -> str:
        said = " ".join(ast.unparse(node).split()).replace("|", "/").replace("`", "'")
        return said if len(said) <= _SHOWN else said[: _SHOWN - 1] + "…"


#: How much of a condition a slip's name shows.
_SHOWN: Final = 60
