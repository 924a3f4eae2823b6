"""Under which licence each component is, and which licences are good for us."""

from collections.abc import Mapping
from typing import Any, Final

from license_expression import AND, OR, ExpressionError, LicenseExpression, get_spdx_licensing
from packaging.utils import canonicalize_name

#: Permissive ones, and MPL-2.0: it holds for its own files, which we change none of.
ALLOWED: Final = frozenset(
    {"0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MIT-0", "MPL-2.0", "PSF-2.0", "Unlicense"}
)
#: Read in the licence's text, where the metadata has no SPDX name.
_READ: Final = {
    "isodate": "BSD-3-Clause",
    "jinja2": "BSD-3-Clause",
    "protobuf": "BSD-3-Clause",
    "pyasn1-modules": "BSD-2-Clause",
    "pyopenssl": "Apache-2.0",
    "segno": "BSD-3-Clause",
    "ua-parser-builtins": "Apache-2.0",
}
_SPDX: Final = get_spdx_licensing()


def licence_of(component: Mapping[str, Any]) -> str:
    """Give a component's licence as an SPDX expression: as declared, else as read; LookupError without either."""
    said = component.get("licenses", [])
    declared = [one.get("expression") or one["license"].get("id") for one in said]
    if named := [f"({one})" if " " in one and len(declared) > 1 else one for one in declared if one]:
        return " AND ".join(named)
    name = canonicalize_name(component["name"])
    if name not in _READ:
        raise LookupError(f"The metadata of {name} has no licence by an SPDX name: read its text, and note it here.")
    return _READ[name]


def is_allowed(expression: str) -> bool:
    """Tell whether a licence is good for us: of several to choose from one, of several that all hold each."""
    try:
        return _holds(_SPDX.parse(expression, validate=True))
    except ExpressionError:
        return False


def _holds(one: LicenseExpression) -> bool:
    if isinstance(one, OR):
        return any(map(_holds, one.args))
    if isinstance(one, AND):
        return all(map(_holds, one.args))
    return str(one) in ALLOWED
