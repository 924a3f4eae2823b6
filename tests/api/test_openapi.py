"""The OpenAPI document: it lists every call and every answer, each with examples that are true."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from fastapi import FastAPI
from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from api.describing import example_of
from api.problems import PROBLEMS
from domain.errors import ErrorCode
from domain.transfer import FINAL, Connection, StepName, device_steps

Operation = Mapping[str, Any]


@pytest.fixture
def document(bare: FastAPI) -> dict[str, Any]:
    return bare.openapi()


def operations(document: Mapping[str, Any]) -> Iterator[tuple[str, Operation]]:
    """Give each call, by its method and its path."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def contents(operation: Operation) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Give each kind of content that a call takes (`body`) or answers with, by its status."""
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        yield "body", kind, content
    for status, answer in operation["responses"].items():
        for kind, content in answer.get("content", {}).items():
            yield status, kind, content


def examples(content: Mapping[str, Any]) -> list[Any]:
    return [one["value"] for one in content.get("examples", {}).values()] + [
        content[name] for name in ("example",) if name in content
    ]


def test_every_call_has_a_name_a_summary_a_description_and_one_tag_that_is_described(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, operation in operations(document)]
    described = {tag["name"] for tag in document["tags"]}

    assert len(set(names)) == len(names)
    for call, operation in operations(document):
        assert operation["summary"][0].isupper(), call
        assert operation["description"].endswith((".", "!")), call
        assert len(operation["tags"]) == 1, call
        assert set(operation["tags"]) <= described, call
        assert all(parameter.get("description") for parameter in operation.get("parameters", [])), call


def test_every_body_and_every_answer_has_examples_that_fit_its_schema(document: dict[str, Any]) -> None:
    registry = Registry().with_resource("urn:api", DRAFT202012.create_resource(document))
    checked = 0
    for call, operation in operations(document):
        for place, kind, content in contents(operation):
            found = examples(content)
            assert found, f"{call} {place} {kind} has no example"
            schema = {"$id": "urn:here", **absolute(content["schema"])}
            for example in found:
                Draft202012Validator(schema, registry=registry).validate(example)
                checked += 1

    assert checked > 100


def test_every_path_names_something_that_its_schema_allows(document: dict[str, Any]) -> None:
    for call, operation in operations(document):
        for parameter in operation.get("parameters", []):
            if parameter["in"] == "path":
                assert "example" in parameter, f"{call} {parameter['name']}"
                Draft202012Validator(parameter["schema"]).validate(parameter["example"])


def test_the_steps_of_each_example_are_those_that_such_a_transfer_takes(document: dict[str, Any]) -> None:
    seen = []
    for call, operation in operations(document):
        for _, _, content in contents(operation):
            for transfer in transfers(examples(content)):
                seen.append(transfer["state"])
                states = {StepName(step["name"]): step["state"] for step in transfer["steps"]}
                wanted = device_steps(
                    owner_changes=not transfer["to"] or transfer["to"]["owner_id"] != transfer["from"]["owner_id"],
                    group_changes=transfer["kind"] != "transfer_ownership",
                    connection=Connection(transfer["connection"]),
                )
                taken = {
                    StepName.QUIET_CHARGER: wanted.quiet,
                    StepName.REPLACE_LISTS: wanted.lists,
                    StepName.ROTATE_CREDENTIALS: wanted.rotate,
                    StepName.RELEASE_CHARGER: wanted.quiet,
                }
                if transfer["state"] == "completed":
                    assert {step: states[step] == "done" for step in taken} == taken, call
                if transfer["state"] in FINAL:
                    assert {step for step, state in states.items() if state == "pending"} <= {StepName.TELL_PARTIES}
                if transfer["state"] != "requested":
                    asked = transfer["acceptance"] == "required"
                    assert (states[StepName.ASK_RECIPIENT] != "skipped") is asked, call
    assert {"completed", "declined", "cancelled", "transferring", "awaiting_acceptance"} <= set(seen)


def transfers(found: Any) -> Iterator[dict[str, Any]]:
    """Give the transfers among examples, those of pages too."""
    for one in found:
        if isinstance(one, dict):
            yield from [one] if "steps" in one else transfers(one.get("items", []))


def absolute(part: Any) -> Any:
    """Have references lead into the document from wherever they are."""
    if isinstance(part, dict):
        return {key: f"urn:api{value}" if key == "$ref" else absolute(value) for key, value in part.items()}
    return [absolute(item) for item in part] if isinstance(part, list) else part


def test_examples_of_problems_are_what_callers_get_each_under_its_status(document: dict[str, Any]) -> None:
    for call, operation in operations(document):
        for status, kind, content in contents(operation):
            if kind == "application/problem+json":
                for name, example in content["examples"].items():
                    code = ErrorCode(name)
                    checks = {"checks": example["value"]["checks"]} if call == "GET /readyz" else {}
                    assert example["value"] == example_of(code, **checks), call
                    assert int(status) == PROBLEMS[code][0], call


def test_every_call_with_a_key_says_so_and_what_it_comes_to_without_a_valid_one(document: dict[str, Any]) -> None:
    for call, operation in operations(document):
        keyed = "/v1/" in call
        assert bool(operation.get("security")) is keyed, call
        assert ("401" in operation["responses"]) is keyed, call
        answered = operation["responses"]
        if keyed:
            assert answered["503"]["headers"]["Retry-After"], call
            assert "WWW-Authenticate" in answered["401"]["headers"], call
        if call.startswith("POST"):
            assert [one["name"] for one in operation["parameters"] if one["in"] == "header"] == ["Idempotency-Key"]
            assert set(answered["422"]["content"]["application/problem+json"]["examples"]) == {
                "invalid_request",
                "idempotency_conflict",
            }
    start = document["paths"]["/v1/charge-points/{charge_point_id}/transfers"]["post"]["responses"]
    assert start["201"]["headers"].keys() == start["202"]["headers"].keys() == {"Location"}


def test_every_link_leads_to_a_call_with_parameters_that_it_has(document: dict[str, Any]) -> None:
    parameters = {
        operation["operationId"]: {parameter["name"] for parameter in operation.get("parameters", [])}
        for _, operation in operations(document)
    }
    links = [
        link
        for _, operation in operations(document)
        for answer in operation["responses"].values()
        for link in answer.get("links", {}).values()
    ]

    assert links
    assert all(set(link["parameters"]) <= parameters[link["operationId"]] for link in links)
