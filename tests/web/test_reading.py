"""Answers over HTTP: the figures, where they come from, and what is wrong with a question."""

import base64
import csv
import io
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from pydantic import BaseModel

from projections.registry import read_models
from projections.sides import build_side
from questions.question import ListAnswer
from questions.registry import QUESTIONS
from tests.conftest import Cluster
from tests.web.conftest import Api, standing
from web.health import Health, Status


def event(type_: str, at: str, data: dict[str, Any]) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": f"{type_} {at} {data['customer_id']}",
        "source": "test",
        "type": type_,
        "time": at,
        "data": data,
    }


def touchpoint(number: int, customer: str, channel: str, at: str, **data: Any) -> dict[str, Any]:
    named = {"touchpoint_id": f"T-{number}", "customer_id": customer, "channel": channel}
    return event("touchpoint.recorded.v1", at, {**named, "direction": "inbound"} | data)


def promise(step: str, promise_id: str, customer: str, at: str, **data: Any) -> dict[str, Any]:
    return event(
        f"promise.{step}.v1", at, {"promise_id": promise_id, "customer_id": customer} | data
    )


def complaint(step: str, complaint_id: str, at: str, **data: Any) -> dict[str, Any]:
    named = {"complaint_id": complaint_id, "customer_id": "C-1"}
    return event(f"complaint.{step}.v1", at, named | data)


def statement(statement_id: str, at: str, **data: Any) -> dict[str, Any]:
    named = {"statement_id": statement_id, "customer_id": "C-3", "claim_key": "price:SKU-1"}
    return event("statement.made.v1", at, named | data)


ADA = "C/1 ä%2F?#"
"""An id with everything that a path would take for something else."""
HISTORY = [
    touchpoint(1, ADA, "mail", "2026-03-02T09:00:00Z", case_id="A", note="call me: Ada Lovelace"),
    touchpoint(2, ADA, "mail", "2026-03-02T11:00:00Z", case_id="A", direction="outbound"),
    touchpoint(3, "C-1", "phone", "2026-03-03T09:00:00Z"),
    promise("made", "P-1", ADA, "2026-03-02T11:00:00Z", statement="by Friday", channel="mail",
            due_at="2026-03-06T12:00:00Z"),
    promise("made", "P-2", "C-1", "2026-03-02T11:00:00Z", statement="by Friday", channel="phone",
            due_at="2026-03-06T12:00:00Z"),
    promise("kept", "P-1", ADA, "2026-03-06T12:00:00Z"),
    promise("kept", "P-2", "C-1", "2026-03-07T12:00:00Z"),
    complaint("raised", "K/1", "2026-03-08T09:00:00Z", channel="phone", description="so rude"),
    complaint("apologized", "K/1", "2026-03-08T10:00:00Z", admits_fault=True, words="dear Ada"),
    complaint("closed", "K/1", "2026-03-09T10:00:00Z", outcome="upheld"),
    event("customer.tiered.v1", "2026-03-01T09:00:00Z", {"customer_id": "C-2", "tier": "negative"}),
    event("support.requested.v1", "2026-03-10T09:00:00Z",
          {"request_id": "R-1", "customer_id": "C-2", "kind": "technical", "promise_id": "P-2"}),
    # One matter on two channels, of which each names another price.
    touchpoint(4, "C-3", "chat", "2026-04-02T09:00:00Z", topic="price"),
    touchpoint(5, "C-3", "visit", "2026-04-02T12:00:00Z", topic="price"),
    statement("S-1", "2026-04-02T09:05:00Z", channel="chat", value="19.99"),
    statement("S-2", "2026-04-02T12:05:00Z", channel="visit", value="24.99"),
]  # fmt: skip


@pytest.fixture
def api(api: Api) -> Api:
    assert api.post(HISTORY).status_code == 202
    api.project()
    return api


@pytest.fixture(scope="module")
def server(cluster: Cluster, migrated_template: str) -> Iterator[Api]:
    with standing(cluster, migrated_template, HISTORY) as api:
        yield api


def rows(response: httpx.Response) -> list[dict[str, Any]]:
    assert response.status_code == 200, response.text
    answer = response.json()
    assert answer["position"] == len(HISTORY)
    assert answer["metric_version"] >= 1
    found: list[dict[str, Any]] = answer["rows"]
    return found


def parameter_problem(response: httpx.Response) -> dict[str, str]:
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["type"] == "urn:servicetrail:problem:bad-parameter"
    return {each["name"]: each["expected"] for each in problem["parameters"]}


def test_a_timeline_of_a_customer_with_any_id(api: Api) -> None:
    timeline = rows(api.client.get(f"/customers/{quote(ADA, safe='')}/timeline"))
    assert [row["type"] for row in timeline] == [
        "touchpoint.recorded.v1",
        "touchpoint.recorded.v1",
        "promise.made.v1",
        "promise.kept.v1",
    ]
    assert [row["position"] for row in timeline] == [1, 2, 4, 6]
    assert timeline[0]["occurred_at"] == "2026-03-02T09:00:00Z"
    assert "Lovelace" not in str(timeline)


def test_what_had_happened_by_then_and_what_was_known_by_then(api: Api) -> None:
    path = "/customers/C-1/timeline"
    assert len(rows(api.client.get(path))) == 6
    assert len(rows(api.client.get(path, params={"as_of": "2026-03-07T13:00:00+02:00"}))) == 2
    known = api.client.get(path, params={"known_at": "5"}).json()
    assert (known["position"], len(known["rows"])) == (5, 2)


def test_a_customer_with_a_tier_is_told_step_by_step(api: Api) -> None:
    steps = api.client.get("/customers/C-2/replay").json()
    assert steps["rows"][0]["type"] == "customer.tiered.v1"


def test_of_one_customer_what_was_known_then_is_told_at_once(api: Api) -> None:
    def verdicts(known_at: int | str) -> list[str]:
        asked = {"customer_id": ADA, "known_at": known_at, "as_of": "2026-03-31"}
        response = api.client.get("/promises", params=asked)
        assert response.status_code == 200, response.text
        return [row["verdict"] for row in response.json()["rows"]]

    assert (verdicts(3), verdicts(5), verdicts(6)) == ([], ["overdue"], ["kept"])
    assert verdicts("2026-01-01") == []
    (told,) = api.client.get("/complaints/K%2F1?known_at=8").json()["rows"]
    assert [step["type"] for step in told["steps"]] == ["complaint.raised.v1"]
    assert api.client.get("/complaints/K%2F1?known_at=7").status_code == 404
    steps = api.client.get("/customers/C-1/replay?known_at=5").json()
    assert (steps["position"], len(steps["rows"])) == (5, 2)


def test_of_all_customers_what_was_known_then_is_built_first(api: Api) -> None:
    refused = parameter_problem(api.client.get("/channels?known_at=5"))
    assert "servicetrail replay" in refused["known_at"]
    missing = parameter_problem(api.client.get("/channels?read=march"))
    assert "there are no read models called march" in missing["read"]
    build_side(api.datastore, read_models, "march", 5)
    known = api.client.get("/channels?read=march").json()
    assert known["position"] == 5
    assert sum(row["promises_due"] for row in known["rows"]) == 2
    assert sum(row["kept"] for row in known["rows"]) == 0
    assert sum(row["kept"] for row in api.client.get("/channels").json()["rows"]) == 1
    both = parameter_problem(api.client.get("/channels?read=march&known_at=5"))
    assert both["known_at"]


def test_channels_are_compared(api: Api) -> None:
    by_channel = {row["channel"]: row for row in rows(api.client.get("/channels"))}
    mail, phone = by_channel["mail"], by_channel["phone"]
    assert (mail["touchpoints_in"], mail["answered"], mail["waiting"]) == (1, 1, 0)
    assert mail["first_response_median_seconds"] == 7_200
    assert (mail["kept"], mail["keep_rate"]) == (1, 1.0)
    assert (phone["waiting"], phone["kept_late"], phone["keep_rate"]) == (1, 1, 0.0)
    window = {"from": "2026-03-03", "to": "2026-03-04"}
    assert [r["channel"] for r in rows(api.client.get("/channels", params=window))] == ["phone"]


def test_response_times_by_several_dimensions(api: Api) -> None:
    asked = {"by": ["channel", "month"], "metric": "first_response", "to": "2026-04-01"}
    found = rows(api.client.get("/response-times", params=asked))
    assert [(r["channel"], r["month"], r["answered"], r["waiting"]) for r in found] == [
        ("mail", "2026-03", 1, 0),
        ("phone", "2026-03", 0, 1),
    ]


def test_a_matter_brought_to_two_channels_and_what_they_said_of_it(api: Api) -> None:
    (twice,) = rows(api.client.get("/channel-duplicates?first_channel=chat&customer_id=C-3"))
    assert (twice["first_touchpoint_id"], twice["second_touchpoint_id"]) == ("T-4", "T-5")
    assert (twice["after_seconds"], twice["first_still_waiting"]) == (10_800, True)
    assert rows(api.client.get("/channel-duplicates?first_channel=visit")) == []
    (pair,) = rows(api.client.get("/channel-duplicates-by-channels?from=2026-04-01"))
    assert (pair["first_channel"], pair["second_channel"], pair["duplicates"]) == (
        "chat",
        "visit",
        1,
    )
    assert rows(api.client.get(pair["explain"])) == [twice]
    (said,) = rows(api.client.get("/contradictions?claim_key=price:SKU-1&channel=visit"))
    assert (said["earlier_value"], said["later_value"]) == ("19.99", "24.99")
    assert said["contradicted_at"] == "2026-04-02T12:05:00Z"
    (pair,) = rows(api.client.get("/contradictions-by-channels"))
    assert (pair["channel"], pair["other_channel"], pair["claims"]) == ("chat", "visit", 1)
    assert rows(api.client.get(pair["explain"])) == [said]
    assert rows(api.client.get("/contradictions-by-channels?to=2026-04-02")) == []


def test_promises_are_judged_at_any_instant(api: Api) -> None:
    def verdicts(**asked: str) -> dict[str, str]:
        found = rows(api.client.get("/promises", params=asked))
        return {row["promise_id"]: row["verdict"] for row in found}

    assert verdicts() == {"P-1": "kept", "P-2": "kept_late"}
    assert verdicts(as_of="2026-03-05") == {"P-1": "pending", "P-2": "pending"}
    assert verdicts(as_of="2026-03-07") == {"P-1": "kept", "P-2": "overdue"}
    assert verdicts(verdict="kept", customer_id=ADA, channel="mail") == {"P-1": "kept"}


def test_a_complaint_tells_its_steps_without_what_was_said(api: Api) -> None:
    (listed,) = rows(api.client.get("/complaints", params={"open": "false"}))
    assert listed["closed_at"] == "2026-03-09T10:00:00Z"
    as_of = {"as_of": "2026-04-01"}
    (told,) = rows(api.client.get(f"/complaints/{quote('K/1', safe='')}", params=as_of))
    assert [step["type"] for step in told["steps"]] == [
        "complaint.raised.v1",
        "complaint.apologized.v1",
        "complaint.closed.v1",
    ]
    assert "rude" not in str(told)
    assert "Ada" not in str(told)
    assert told == rows(api.client.get("/complaints/K/1", params=as_of))[0]


def test_every_row_opens_to_the_events_that_made_it(api: Api) -> None:
    (mail, phone) = rows(api.client.get("/channels", params={"as_of": "2026-04-01"}))
    answered = rows(api.client.get(mail["explain"] + "&figure=answered"))
    assert [(each["kind"], each["seconds"]) for each in answered] == [("interval", 7200)]
    assert [event["position"] for event in answered[0]["events"]] == [1, 2]
    late = rows(api.client.get(phone["explain"] + "&figure=kept_late"))
    assert [(each["id"], each["state"]) for each in late] == [("P-2", "kept_late")]
    assert [event["position"] for event in late[0]["events"]] == [5, 7]
    text = api.client.get(mail["explain"], headers={"Accept": "text/csv"}).text
    assert text.startswith("kind,figures,")
    explained = [path for path, row in ANSWERS if "explain" in row.model_fields]
    for path in explained:
        for row in rows(api.client.get(path)):
            assert rows(api.client.get(row["explain"])), path


def test_one_event_with_what_stands_around_it(api: Api) -> None:
    (kept,) = rows(api.client.get("/events/by-position/6"))
    assert (kept["type"], kept["stream"], kept["version"]) == ("promise.kept.v1", "promise:P-1", 2)
    around = {each["relation"]: each["position"] for each in kept["neighbours"]}
    assert around == {"previous_in_stream": 4, "previous_of_customer": 4}
    (first,) = rows(api.client.get("/events/by-position/1"))
    assert "Lovelace" not in str(first)
    missing = api.client.get("/events/by-position/99")
    assert missing.status_code == 404
    assert missing.json()["type"] == "urn:servicetrail:problem:no-such-event"


def test_a_complaint_that_is_not_there(api: Api) -> None:
    for path in ("/complaints/K-9", "/complaints/K%2F1?as_of=2026-03-01"):
        response = api.client.get(path)
        assert response.status_code == 404
        assert response.json()["type"] == "urn:servicetrail:problem:no-such-complaint"
        assert response.json()["position"] == len(HISTORY)


def test_pages_follow_each_other_and_hold_every_row_once(api: Api) -> None:
    seen: list[int] = []
    asked: dict[str, str] = {"limit": "4"}
    while True:
        response = api.client.get("/customers/C-1/timeline", params=asked)
        seen += [row["position"] for row in rows(response)]
        if (cursor := response.json()["next"]) is None:
            break
        asked["cursor"] = cursor
    assert seen == [5, 3, 7, 8, 9, 10]


def test_csv_for_those_who_ask_for_it(api: Api) -> None:
    response = api.client.get("/promises?limit=1", headers={"Accept": "text/csv"})
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    assert response.headers["servicetrail-position"] == str(len(HISTORY))
    assert response.headers["servicetrail-next"]
    (row,) = csv.DictReader(io.StringIO(response.text))
    assert (row["promise_id"], row["verdict"], row["late_seconds"]) == ("P-1", "kept", "")
    nothing = api.client.get("/promises?channel=fax", headers={"Accept": "text/csv"})
    assert nothing.text.startswith("promise_id,customer_id,")


@pytest.mark.parametrize("as_of", ["?as_of=2026-04-01", ""])
def test_an_answer_that_has_not_changed_is_not_sent_again(api: Api, as_of: str) -> None:
    first = api.client.get(f"/promises{as_of}")
    again = {"If-None-Match": f'"other", {first.headers["etag"]}'}
    unchanged = api.client.get(f"/promises{as_of}", headers=again)
    if unchanged.status_code == 200:  # the minute was over just then
        assert not as_of
        again = {"If-None-Match": unchanged.headers["etag"]}
        unchanged = api.client.get(f"/promises{as_of}", headers=again)
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    assert unchanged.headers["etag"] == again["If-None-Match"].rpartition(" ")[2]

    for other in (f"/promises{as_of or '?'}&limit=1", f"/complaints{as_of}"):
        assert api.client.get(other, headers=again).status_code == 200
    as_csv = api.client.get(f"/promises{as_of}", headers={**again, "Accept": "text/csv"})
    assert as_csv.status_code == 200
    api.post([touchpoint(9, "C-9", "mail", "2026-03-02T09:00:00Z")])
    api.project()
    changed = api.client.get(f"/promises{as_of}", headers=again)
    assert changed.status_code == 200
    assert changed.headers["etag"] != first.headers["etag"]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/channels?as_of=yesterday", "as_of"),
        ("/channels?as_of=2026-03-01T09:00:00", "as_of"),
        ("/channels?from=2026-02-30", "from"),
        ("/channels?asof=2026-03-01", "asof"),
        ("/channels?from=2026-03-02&to=2026-03-01", "to"),
        ("/customers/C-1/timeline?known_at=soon", "known_at"),
        ("/customers/C-1/timeline?limit=0", "limit"),
        ("/customers/C-1/timeline?limit=1001", "limit"),
        ("/customers/C-1/timeline?cursor=abc", "cursor"),
        ("/customers/C%00/timeline", "customer_id"),
        ("/customers/C%07/timeline", "customer_id"),
        ("/channels?read=", "read"),
        ("/explain?question=channels&channel=%00", "channel"),
        ("/dead-letters?source=%00", "source"),
        ("/dead-letters?ids=9007199254740992", "ids"),
        (f"/customers/{'x' * 201}/timeline", "customer_id"),
        ("/promises?verdict=kep", "verdict"),
        ("/promises?customer_id=%00", "customer_id"),
        ("/response-times?metric=speed", "metric"),
        ("/response-times?by=weather", "by"),
        ("/response-times?by=channel&by=channel", "by"),
        ("/complaints?open=maybe", "open"),
        ("/contradictions?unknown=team", "unknown"),
        ("/explain?question=weather", "question"),
        ("/explain?question=channels&figure=judged", "figure"),
        ("/explain?question=channels&team=north", "team"),
        ("/explain", "question"),
        ("/events/by-position/first", "position"),
    ],
)
def test_a_parameter_at_fault_is_named_and_what_is_expected_said(
    server: Api, path: str, name: str
) -> None:
    assert parameter_problem(server.client.get(path))[name]


def test_a_cursor_belongs_to_its_question(api: Api) -> None:
    cursor = api.client.get("/customers/C-1/timeline?limit=1").json()["next"]
    assert "cursor" in parameter_problem(api.client.get("/promises", params={"cursor": cursor}))


def test_routes_that_are_not_there(api: Api) -> None:
    for method, path, status in (("GET", "/nothing", 404), ("DELETE", "/channels", 405)):
        response = api.client.request(method, path)
        assert response.status_code == status
        assert response.headers["content-type"] == "application/problem+json"


def test_status_and_health_tell_how_far_the_read_models_are(api: Api) -> None:
    api.post([touchpoint(9, "C-9", "mail", "2026-03-02T09:00:00Z")])
    status = Status.model_validate(api.client.get("/status").json())
    assert (status.position, status.last_position, status.behind) == (
        len(HISTORY),
        len(HISTORY) + 1,
        1,
    )
    assert [(line.source, line.received, line.appended) for line in status.rows] == [
        ("test", len(HISTORY) + 1, len(HISTORY) + 1)
    ]
    health = Health.model_validate(api.client.get("/health").json())
    assert (health.status, health.database, health.behind) == ("up", "up", 1)


ASKED = {
    "/customers/{customer_id:id}/timeline": ["/customers/C-1/timeline"],
    "/customers/{customer_id:id}/replay": ["/customers/C-1/replay"],
    "/customers/{customer_id:id}": [
        "/customers/C-1",
        "/customers/C-1?as_of=2026-03-08T12:00:00Z",
        "/customers/C-2?only_this_id=true",
    ],
    "/support-times": ["/support-times?by=team&by=month"],
    "/effects": ["/effects?days=30", "/effects?by=severity"],
    "/value-cost/customers": ["/value-cost/customers?tier=negative&quartile=unserved"],
    "/response-times": [
        "/response-times",
        "/response-times?by=topic&by=team&by=department&by=employee",
    ],
    "/promises/{promise_id:id}": ["/promises/P-1"],
    "/promise-quality": ["/promise-quality", "/promise-quality?by=tier&by=month"],
    "/complaints/{complaint_id:id}": ["/complaints/K%2F1"],
    "/events/by-position/{position}": ["/events/by-position/2"],
    "/explain": ["/explain?question=channels&channel=mail", "/explain?question=response-times"],
    "/complaint-quality": ["/complaint-quality", "/complaint-quality?by=origin&by=severity"],
}
"""How questions are asked here that cannot be asked by their path alone."""
ANSWERS = [
    (path, question.row)
    for question in QUESTIONS
    for path in ASKED.get(question.path, [question.path])
    if question.about != "access"  # of which tests/web/test_who_looked.py tells
]


PAGED = [
    *(
        ASKED.get(question.path, [question.path])[0]
        for question in QUESTIONS
        if "cursor" in question.parameters.model_fields
    ),
    "/dead-letters",
]


@pytest.mark.parametrize("path", PAGED)
def test_a_cursor_that_was_not_given_out_is_refused(server: Api, path: str) -> None:
    given = server.client.get("/customers/C-1/timeline?limit=1").json()["next"]
    checksum, _, _ = base64.urlsafe_b64decode(given).partition(b"[")
    joint = "&" if "?" in path else "?"
    keys: tuple[Any, ...] = (
        ["soon", "x"],
        [None, {}, 0],
        [2**70],
        ["infinity", "\0", "\0"],
        [],
        "x",
    )
    for key in keys:
        for question in ("timeline", "promises", "explain", "dead-letters"):
            made_up = json.dumps([question, "2026-03-01T00:00:00+00:00", key]).encode()
            for token in (made_up, checksum + made_up):
                cursor = base64.urlsafe_b64encode(token).decode()
                refused = server.client.get(f"{path}{joint}cursor={cursor}")
                assert (
                    parameter_problem(refused)["cursor"] == "this is not a token of a former answer"
                )


@pytest.mark.parametrize(("path", "row"), ANSWERS, ids=[path for path, _ in ANSWERS])
def test_answers_are_what_the_document_says(server: Api, path: str, row: type[BaseModel]) -> None:
    answer = server.client.get(path).json()
    assert answer["rows"]
    ListAnswer[row].model_validate(answer)  # type: ignore[valid-type]


def test_the_document_names_every_route_with_examples_and_problems(api: Api) -> None:
    document = api.client.get("/openapi.json").json()
    assert set(document["paths"]) == {
        "/events",
        *(question.shown_path for question in QUESTIONS),
        "/customers/{customer_id}/erasure",
        "/customers/{customer_id}/hold",
        "/customers/{customer_id}/hold/lift",
        "/events/{source}/{id}",
        "/schemas/{fingerprint}",
        "/stream",
        "/dead-letters",
        "/dead-letters/{kept_id}",
        "/dead-letters/redrive",
        "/dead-letters/discard",
        "/checkpoints",
        "/checkpoints/latest",
        "/checkpoints/keys",
        "/checkpoints/cosignatures",
        "/checkpoints/{number}",
        "/proofs/inclusion/{position}",
        "/proofs/consistency",
        "/evidence/{kind}/{id}",
        "/export",
        "/tokens",
        "/tokens/{token_id}/revocation",
        "/status",
        "/health",
    }
    post = document["paths"]["/events"]["post"]
    content = post["requestBody"]["content"]
    example = content["application/cloudevents+json"]["example"]
    taken = api.post(example, "cloudevents+json")
    assert taken.status_code == 202
    assert {"202", "207", "400", "413", "415", "422", "503"} <= post["responses"].keys()
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert operation["summary"], path
            for status, response in operation["responses"].items():
                if status[0] in "45" and path != "/health":
                    assert list(response["content"]) == ["application/problem+json"], path
