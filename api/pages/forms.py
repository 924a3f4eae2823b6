"""What people type into the pages' forms, and when it will do."""

from dataclasses import dataclass
from typing import Final

from starlette.requests import Request

from domain.account import LONGEST_NAME, parse_name
from domain.codes import DIGITS, NotACode
from domain.errors import InvalidRequest
from domain.transfer import UntilNewKey

_IGNORED_IN_CODES: Final = str.maketrans("", "", " -\t\u00a0\u202f")


class NoName(InvalidRequest):
    """An account can't be opened without a name, or under one that is too long or can't be printed."""

    def __init__(self, longest: int) -> None:
        """Say how many characters a name may have."""
        super().__init__(f"Type your name, in at most {longest} characters.")
        self.longest = longest


@dataclass(frozen=True)
class Typed:
    """The fields of an answer, tidied; empty where they were left out."""

    code: str
    name: str
    until_new_key: UntilNewKey | None = None
    """None where it was not chosen."""

    def check_code(self) -> None:
        """Raise NotACode for what can't be a code: that costs no try."""
        if not (len(self.code) == DIGITS and self.code.isascii() and self.code.isdigit()):
            raise NotACode(DIGITS)

    def check_name(self) -> None:
        """Raise NoName for what can't be the name of an account: that costs no code."""
        try:
            parse_name(self.name)
        except InvalidRequest:
            raise NoName(LONGEST_NAME) from None


async def fields(request: Request) -> dict[str, str]:
    """Read a form's fields, text alone, each once; an empty one counts as left out."""
    form = await request.form(max_files=0, max_fields=24)
    return {name: value.strip() for name, value in form.items() if isinstance(value, str) and value.strip()}


async def read(request: Request) -> Typed:
    """Read what was typed: a code in groups of digits as people write it, a name without blanks round it."""
    found = await fields(request)
    code, name, choice = (found.get(field, "") for field in ("code", "name", "until_new_key"))
    chosen = UntilNewKey(choice) if choice in set(UntilNewKey) else None
    return Typed(code.translate(_IGNORED_IN_CODES), " ".join(name.split()), chosen)
