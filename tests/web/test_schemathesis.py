"""The API keeps to its OpenAPI document, whatever it is sent: every route, every check."""

import re
from collections.abc import Iterator
from typing import Any

import schemathesis
from schemathesis.config import GenerationConfig, ProjectConfig, ProjectsConfig, SchemathesisConfig
from schemathesis.core.failures import Failure
from schemathesis.core.transport import Response
from schemathesis.engine import Status, StopReason, events, from_schema
from schemathesis.openapi.checks import (
    AllowHeaderMismatch,
    RejectedPositiveData,
    UnsupportedMethodResponse,
)

from ledger.datastore import Datastore
from projections.registry import read_models
from projections.sides import build_side
from tests.web.conftest import Api, serving
from tests.web.test_reading import HISTORY

EXAMPLES_PER_ROUTE = 8
OPERATOR = "the operator's own token"

LEFT_OUT = {"/stream": "it does not end"}
"""Routes that are not tried, each with the reason why."""

OF_ONE = ("{customer_id}", "{promise_id}", "{complaint_id}")
"""What stands in the path of a question about one customer."""

MEANT = {
    "by": "it is recorded with your own name, and",
    "known_at": "for one customer only|read models of a name",
    "from": "must not be larger than to",
    "to": "must not be before from",
    "figure": "rows of .* have",
    "body": "say which inputs|a repair is for one id|give the repaired body once"
    "|a signed note is text, an empty line|Field required"
    "|a channel's token names|only a channel's token has|a token that has expired",
}
"""For which parameter, and in which words, a request of the right form is refused none the less:
no schema can say what is about two values, or about what is there.
"""
NOT_IN_THE_ROW = "rows of .* have no"

SHADOWED = ("/dead-letters/", "/checkpoints/cosignatures", "/customers/{customer_id}/")
"""Beside these paths of POST there is a GET whose id is any text: GET /dead-letters/redrive asks
for the input "redrive", GET /customers/7/hold for the customer "7/hold".
"""


def is_failure(failure: Failure, case: schemathesis.Case[Any], response: Response) -> bool:
    """Whether what a check found is one."""
    if isinstance(failure, RejectedPositiveData) and response.status_code == 410:
        return False  # what is asked for was erased by another request
    if isinstance(failure, RejectedPositiveData) and response.status_code == 422:
        problem = response.json()
        if problem["type"].endswith(":not-taken"):  # what an event says is judged by its type
            return False
        return not all(
            re.match(MEANT.get(each["name"], NOT_IN_THE_ROW), each["expected"])
            or guessed_wrongly(each["name"], case)
            for each in problem.get("parameters", [{"name": "", "expected": ""}])
        )
    if isinstance(failure, UnsupportedMethodResponse | AllowHeaderMismatch):
        return not (case.operation.method == "post" and case.path.startswith(SHADOWED))
    return True


def guessed_wrongly(name: str, case: schemathesis.Case[Any]) -> bool:
    """Whether an id of one thing, found in an answer, was put into the path where the document has
    the number of another.
    """
    numbers = {
        each.name
        for each in case.operation.path_parameters
        if each.definition["schema"].get("type") == "integer"
    }
    return name in numbers and not str(case.path_parameters[name]).isdecimal()


def to_be_tried(api: Api) -> dict[str, Any]:
    """The document, where it can be said with values that are there: a cursor comes from a former
    answer, and read models of a name have been built. What was known at some time can be told of
    one customer only, or of read models that were built as of then.
    """
    document: dict[str, Any] = api.client.get("/openapi.json").json()
    for path in LEFT_OUT:
        document["paths"].pop(path, None)
    for path, operations in document["paths"].items():
        for operation in operations.values():
            parameters = {each["name"]: each for each in operation.get("parameters", [])}
            parameters.pop("cursor", None)
            parameters.pop("read" if any(each in path for each in OF_ONE) else "known_at", None)
            if "read" in parameters:
                parameters["read"]["schema"] = {"type": "string", "enum": ["march"]}
            operation["parameters"] = list(parameters.values())
    document["components"]["schemas"]["RedriveRequest"]["properties"].pop("cursor")
    return document


def tried(api: Api) -> schemathesis.BaseSchema:
    """How a server that has a history is tried: the same way each time."""
    assert api.post(HISTORY).status_code == 202
    api.project()
    build_side(api.datastore, read_models, "march", 5)
    project = ProjectConfig(
        base_url=str(api.client.base_url),
        headers={"Authorization": f"Bearer {OPERATOR}"},
        generation=GenerationConfig(
            deterministic=True, max_examples=EXAMPLES_PER_ROUTE, no_shrink=True, database="none"
        ),
        continue_on_failure=True,
        workers=1,
    )
    config = SchemathesisConfig(seed=1, projects=ProjectsConfig(default=project))
    schema = schemathesis.openapi.from_dict(to_be_tried(api), config=config)

    @schema.hook
    def filter_failure(
        context: schemathesis.HookContext,
        failure: Failure,
        case: schemathesis.Case[Any],
        response: Response,
    ) -> bool:
        return is_failure(failure, case, response)

    return schema


def wrong(schema: schemathesis.BaseSchema, routes: set[str]) -> Iterator[str]:
    """What does not keep to the document, with the request that shows it. Adds to `routes` those
    that were tried.
    """
    for event in from_schema(schema).execute():
        if isinstance(event, events.NonFatalError):
            yield f"{event.label}: {event.value}"
        elif isinstance(event, events.FatalError):
            yield str(event.exception)
        elif isinstance(event, events.EngineFinished) and event.stop_reason != StopReason.COMPLETED:
            yield f"stopped: {event.stop_reason}"
        elif isinstance(event, events.ScenarioFinished):
            routes.add(event.recorder.label)
            for case_id, nodes in event.recorder.checks.items():
                response = event.recorder.interactions[case_id].response
                # A file of an export is no text.
                said = response and response.content.decode(errors="replace")
                answer = response and f"{response.status_code} {said}"
                for node in nodes:
                    if node.status == Status.FAILURE and node.failure_info is not None:
                        failure = node.failure_info.failure
                        yield (
                            f"{event.recorder.label}: {node.name}: {failure.title}: "
                            f"{failure.message}\n  {node.failure_info.code_sample}\n  {answer}"
                        )


def test_every_route_keeps_to_the_document(datastore: Datastore) -> None:
    with serving(datastore, access_token=OPERATOR) as api:
        api.client.headers["Authorization"] = f"Bearer {OPERATOR}"
        schema = tried(api)
        routes: set[str] = set()
        found = list(wrong(schema, routes))
        document = api.client.get("/openapi.json").json()
    assert not found, "\n".join(found)
    assert routes >= {
        f"{method.upper()} {path}"
        for path, operations in document["paths"].items()
        for method in operations
        if path not in LEFT_OUT
    }
