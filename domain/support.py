"""Where people find help, and when: a line for each kind of customer."""

from datetime import time, timedelta
from enum import StrEnum
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

#: The days of a week, Monday first, as Python and Babel count them.
DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAYS: Final = "|".join(DAYS)
_SCHEMES: Final = ("https://", "mailto:", "tel:")


class Audience(StrEnum):
    """Whom a line is for."""

    PRIVATE = "private"
    BUSINESS = "business"
    INSTALLERS = "installers"


class Hours(BaseModel):
    """From when to when somebody is there."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    days: str = Field("mon-sun", pattern=f"^({_DAYS})-({_DAYS})$")
    opens: time
    closes: time
    zone: str
    """As people call it: `CET`."""


def _leads_somewhere(contact: str) -> str:
    if not contact.startswith(_SCHEMES):
        raise ValueError(f"must begin with one of {', '.join(_SCHEMES)}")
    return contact


class SupportLine(BaseModel):
    """Where one kind of customer finds help."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    contact: Annotated[str, AfterValidator(_leads_somewhere)]
    """Where it is: `https://…`, `mailto:…` or `tel:…`."""
    hours: Hours | None = None
    """None: always."""
    answers_within: timedelta | None = None
