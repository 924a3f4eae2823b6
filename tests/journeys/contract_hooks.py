"""What Schemathesis has to know of well-formed calls that no schema can say; loaded by it, see test_contract.py."""

import secrets
from typing import Any

import schemathesis
from schemathesis import Case, HookContext

#: An address of each kind: which text is one is a matter of RFC 5321 and E.164, not of a schema.
RECIPIENTS = ("chloe@example.com", "nobody@example.org", "+33 6 12 34 56 03")


@schemathesis.hook
def before_call(_context: HookContext, case: Case[Any], _kwargs: Any) -> None:
    """Make well-formed what only looks so, of a call that is to be accepted: what is the server's alone to judge."""
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    if case.query:
        case.query.pop("cursor", None)  # opaque: pages hand them out
    for name in list(case.headers or {}):
        if name.lower() == "idempotency-key":
            case.headers[name] = secrets.token_hex(8)  # one that was used for another call is refused, as documented
    if isinstance(case.body, dict) and isinstance(case.body.get("expires_in"), str):
        case.body["expires_in"] = "P3D"  # 1 hour to 60 days: of a duration no schema says how long it is
    if isinstance(case.body, dict) and "recipient" in case.body and case.body["recipient"] not in RECIPIENTS:
        case.body["recipient"] = RECIPIENTS[len(str(case.body["recipient"])) % len(RECIPIENTS)]
