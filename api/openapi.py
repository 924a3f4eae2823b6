"""The OpenAPI document as a whole: what no single call says."""

import json
from typing import Any, Final

from fastapi import FastAPI

from api.examples import IN_PATHS
from api.problems import SCHEMA

DESCRIPTION: Final = """\
Moves an EV charge point from one owner to another: each transfer is durable: it comes about, or it is undone.

Send an API key as `Authorization: Bearer hk_…`. What you may not see is 404.

Bodies and answers are JSON. Times are RFC 3339 in UTC, durations ISO 8601. A list is a page,
`{"items": […], "next": …}`: `next` is the `cursor` of the following page, null on the last.

Every POST takes an `Idempotency-Key`: repeat a call whose answer you did not get, and it is done once.

An error is `application/problem+json` (RFC 9457). Programs go by its `code`, which is stable; `detail` says what to
do. Of `unavailable` (503) `Retry-After` says when to try again.
"""
TAGS: Final = [
    {"name": "transfers", "description": "Start transfers, look at them, follow them."},
    {
        "name": "decisions",
        "description": "What the parties decide, and what operators do about what is stuck.",
    },
    {
        "name": "charge points",
        "description": "Charge points, their periods of ownership, their credentials, what their chargers are told.",
    },
    {
        "name": "charging sessions",
        "description": "Who charged when, and how much.",
    },
    {"name": "groups", "description": "The teams that charge points are in. Every user has one of their own."},
    {"name": "people", "description": "What operators do about what is kept of people."},
    {"name": "me", "description": "Whose API key it is, and what is kept about them."},
    {"name": "platform", "description": "For the platform that runs this; without a key."},
]


def install(app: FastAPI) -> None:
    """Have `app` complete its document, once."""
    made = app.openapi

    def complete() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _completed(made())
        return app.openapi_schema

    app.openapi = complete  # type: ignore[method-assign]


def _completed(document: dict[str, Any]) -> dict[str, Any]:
    """Add what a problem looks like; take out what the framework thinks of errors and of headers left out.

    What a path names is that of the demo's data, so that calls can be tried as they stand.
    """
    schemas = document["components"]["schemas"]
    schemas["Problem"] = dict(SCHEMA)
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    document["tags"] = [{**tag, "x-displayName": tag["name"].capitalize()} for tag in document["tags"]]
    for path in document["paths"].values():
        for operation in path.values():
            for parameter in operation.get("parameters", []):
                parameter["schema"] = _never_null(parameter["schema"])
                if parameter["in"] == "path" and parameter["name"] in IN_PATHS:
                    parameter["example"] = IN_PATHS[parameter["name"]]
            for answer in operation["responses"].values():
                _read_examples(answer.get("content", {}).get("application/json", {}))
            if "application/json" in operation["responses"].get("422", {}).get("content", {}):
                del operation["responses"]["422"]
    return document


def _read_examples(content: dict[str, Any]) -> None:
    for example in content.get("examples", {}).values():
        example["value"] = json.loads(example["value"])


def _never_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Leave out that a parameter may be null: it is left out instead."""
    kinds = [kind for kind in schema.pop("anyOf", []) if kind != {"type": "null"}]
    return {**kinds[0], **schema} if len(kinds) == 1 else schema
