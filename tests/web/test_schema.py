"""Requests made from the OpenAPI document, by schemathesis: no 5xx, and every answer is one that the document names."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from lookalike.web.openapi import METHODS

schemathesis = pytest.importorskip("schemathesis", reason="needs schemathesis: install the extra dev")
checks = pytest.importorskip("schemathesis.specs.openapi.checks")

EXAMPLES = 12
"""Of each kind for each route: a look. `schemathesis run URL/api/v1/openapi.json -c all` by hand takes a long one."""

# Not told by a schema: which paths the collection holds, and that a repeated answer must be the same answer.
CHECKS = [
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
]


def operations(document: dict[str, Any], **given: Any) -> list[Any]:
    found = [operation.ok() for operation in schemathesis.openapi.from_dict(document).get_all_operations()]
    assert len(found) == sum(method in METHODS for methods in document["paths"].values() for method in methods)
    return found


@pytest.mark.parametrize("mode", ["positive", "negative"])
def test_every_route_answers_what_the_document_says(site: Any, mode: str) -> None:
    document = site.client.get("/api/v1/openapi.json").json()
    for operation in operations(document):
        said = document["paths"][operation.path][operation.method]
        if mode == "negative" and "requestBody" not in said and "query" not in str(said.get("parameters")):
            continue  # it takes nothing that could be wrong
        cases = operation.as_strategy(generation_mode=schemathesis.GenerationMode(mode))

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=cases)
        def holds(case: Any) -> None:
            answer = case.call(base_url=str(site.client.base_url))
            case.validate_response(answer, checks=CHECKS)

        holds()


def test_other_methods_are_405_and_say_which_ones_there_are(site: Any) -> None:
    paths = site.client.get("/api/v1/openapi.json").json()["paths"]
    for path in paths:
        # An address may be that of two paths, such as /jobs/choices and /jobs/{id}.
        same = [other for other in paths if re.fullmatch(re.sub(r"\{\w+\}", "[^/{}]+", other), path) or other == path]
        wanted = {method.upper() for other in same for method in METHODS if method in paths[other]}
        for method in {method.upper() for method in METHODS} - wanted:
            answer = site.client.request(method, path.replace("{image}", "a/02.jpg"))
            assert answer.status_code == 405, (method, path)
            assert set(answer.headers["allow"].split(", ")) == wanted


def test_the_document_names_what_stands_around_every_route(site: Any, closed: Any) -> None:
    open_to_all = site.client.get("/api/v1/openapi.json").json()
    with_keys = closed.ask("GET", "/api/v1/openapi.json", "reader").json()
    assert "securitySchemes" not in open_to_all["components"]
    for path, operations in open_to_all["paths"].items():
        for method, operation in operations.items():
            said = set(operation["responses"])
            assert {"403", "503"} <= said, (method, path)
            assert {"400", "408", "413", "422"} <= said or "requestBody" not in operation, (method, path)
            assert "HTTPValidationError" not in str(operation)
            kept = with_keys["paths"][path][method]
            assert {"401", "429"} <= set(kept["responses"])
            assert ("security" in kept) == (path not in ("/api/v1/health", "/api/v1/session"))
