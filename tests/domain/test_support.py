"""Where there is help: a line that leads nowhere, or at no time, is refused as the settings are read."""

from typing import Any

import pytest
from pydantic import ValidationError

from domain.support import SupportLine

HOURS = {"days": "mon-fri", "opens": "09:00", "closes": "17:00", "zone": "CET"}


@pytest.mark.parametrize("contact", ["https://help.example.com", "mailto:help@example.com", "tel:+33612345678"])
def test_a_line_leads_to_a_page_a_mailbox_or_a_phone(contact: str) -> None:
    assert SupportLine.model_validate({"contact": contact, "hours": HOURS, "answers_within": "PT5M"}).hours


@pytest.mark.parametrize(
    "wrong",
    [
        *(
            {"contact": contact}
            for contact in ("", "help.example.com", "javascript:alert(1)", "http://help.example.com")
        ),
        *({"hours": HOURS | change} for change in ({"days": "mon"}, {"days": "mon-xyz"}, {"opens": "25:00"})),
        {"answer_within": "PT5M"},
    ],
)
def test_what_is_no_line_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SupportLine.model_validate({"contact": "https://help.example.com", **wrong})
