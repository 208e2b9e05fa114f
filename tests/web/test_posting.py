"""Events over HTTP: a receipt for each, and a status that says whether all were taken."""

import json
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from ledger.account import account, differences
from ledger.datastore import Datastore
from schemas.codec import encode, single_object
from tests.web.conftest import PATIENCE_SECONDS, Api, serving


def touchpoint(number: int, **changes: Any) -> dict[str, Any]:
    """A structured CloudEvent."""
    return {
        "specversion": "1.0",
        "id": f"t-{number}",
        "source": "https://mail.example",
        "type": "touchpoint.recorded.v1",
        "time": "2026-03-02T09:30:00Z",
        "data": {
            "touchpoint_id": f"T-{number}",
            "customer_id": "C-1",
            "channel": "mail",
            "direction": "inbound",
        },
    } | changes


def kept(promise_id: str) -> dict[str, Any]:
    data = {"promise_id": promise_id, "customer_id": "C-1"}
    return touchpoint(0, id=f"kept-{promise_id}", type="promise.kept.v1", data=data)


def receipts(response: httpx.Response) -> list[tuple[str, str, str | None]]:
    return [(r["id"], r["outcome"], r["reason"]) for r in response.json()["receipts"]]


def test_one_structured_event_is_accepted_with_a_receipt(api: Api) -> None:
    response = api.post(touchpoint(1), "cloudevents+json")
    assert response.status_code == 202
    assert response.json() == {
        "receipts": [
            {
                "source": "https://mail.example",
                "id": "t-1",
                "outcome": "appended",
                "position": 1,
                "reason": None,
                "message": None,
                "path": None,
            }
        ]
    }


def test_sending_again_is_safe(api: Api) -> None:
    api.post(touchpoint(1), "cloudevents+json")
    again = api.post(touchpoint(1), "cloudevents+json")
    assert again.status_code == 202
    assert receipts(again) == [("t-1", "duplicate", "already_appended")]
    assert again.json()["receipts"][0]["position"] == 1


def test_binary_mode_brings_json_and_both_framings_of_avro(api: Api) -> None:
    data = touchpoint(1)["data"]
    bodies = [
        ("application/json", json.dumps(data).encode()),
        ("application/avro", single_object("touchpoint.recorded.v1", data)),
        ("application/avro", encode("touchpoint.recorded.v1", data)),
    ]
    outcomes = []
    for content_type, body in bodies:
        response = api.client.post(
            "/events",
            content=body,
            headers={
                "Content-Type": content_type,
                "ce-specversion": "1.0",
                "ce-id": "caf%C3%A9%2F1",
                "ce-source": "https://mail.example",
                "ce-type": "touchpoint.recorded.v1",
                "ce-time": "2026-03-02T09:30:00Z",
            },
        )
        assert response.status_code == 202
        outcomes += [(id_, outcome) for id_, outcome, _ in receipts(response)]
    assert outcomes == [
        ("café/1", "appended"),
        ("café/1", "duplicate"),
        ("café/1", "duplicate"),
    ]


def test_a_batch_answers_for_each_event_in_its_order(api: Api) -> None:
    mixed = api.post([touchpoint(1), touchpoint(2, type="no.such.v1"), kept("P-1"), touchpoint(1)])
    assert mixed.status_code == 207
    assert [(id_, outcome) for id_, outcome, _ in receipts(mixed)] == [
        ("t-1", "appended"),
        ("t-2", "rejected"),
        ("kept-P-1", "parked"),
        ("t-1", "duplicate"),
    ]
    assert api.post([]).json() == {"receipts": []}


def test_parked_is_taken(api: Api) -> None:
    response = api.post(kept("P-1"), "cloudevents+json")
    assert response.status_code == 202
    assert receipts(response) == [("kept-P-1", "parked", "promise_not_made")]


def test_what_is_refused_comes_back_as_a_problem_with_its_receipts(api: Api) -> None:
    changed = touchpoint(1)
    changed["data"] = changed["data"] | {"direction": "sideways"}
    response = api.post(changed, "cloudevents+json")
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["type"] == "urn:servicetrail:problem:not-taken"
    assert receipts(response) == [("t-1", "rejected", "unknown_symbol")]
    assert problem["receipts"][0]["path"] == "data.direction"

    api.post(touchpoint(2), "cloudevents+json")
    conflict = api.post(touchpoint(2, time="2026-03-02T09:31:00Z"), "cloudevents+json")
    assert conflict.status_code == 422
    assert receipts(conflict) == [("t-2", "conflict", "id_reused")]


@pytest.mark.parametrize("missing", ["id", "type", "source"])
def test_a_missing_attribute_is_refused_and_kept(api: Api, missing: str) -> None:
    headers = {
        "Content-Type": "application/json",
        "ce-specversion": "1.0",
        "ce-id": "t-1",
        "ce-source": "https://mail.example",
        "ce-type": "touchpoint.recorded.v1",
    }
    del headers[f"ce-{missing}"]
    response = api.client.post("/events", json=touchpoint(1)["data"], headers=headers)
    assert response.status_code == 422
    (receipt,) = response.json()["receipts"]
    assert (receipt["outcome"], receipt["reason"]) == ("rejected", "missing_attribute")
    assert receipt["path"] == missing
    with api.datastore.transaction() as cursor:
        assert sum(line.rejected for line in account(cursor)) == 1
        assert differences(cursor) == []


def test_what_cannot_be_told_apart_is_unreadable(api: Api) -> None:
    response = api.client.post(
        "/events",
        content=b'[{"id": 1},',
        headers={"Content-Type": "application/cloudevents-batch+json"},
    )
    assert response.status_code == 400
    assert response.json()["type"] == "urn:servicetrail:problem:unreadable"


def test_other_content_types_are_told_what_is_accepted(api: Api) -> None:
    response = api.client.post("/events", content=b"<event/>", headers={"Content-Type": "text/xml"})
    assert response.status_code == 415
    assert "application/cloudevents+json" in response.json()["detail"]


def test_one_event_too_large_is_kept_and_answered_with_its_receipt(api: Api) -> None:
    large = touchpoint(1)
    large["data"]["note"] = "x" * 2_000_000
    response = api.post(large, "cloudevents+json")
    assert response.status_code == 413
    assert receipts(response) == [("", "rejected", "too_large")]


def test_a_request_too_large_is_refused_before_it_is_read(api: Api) -> None:
    with socket.create_connection((api.client.base_url.host, api.client.base_url.port)) as line:
        line.settimeout(PATIENCE_SECONDS)
        line.sendall(
            b"POST /events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999999999\r\n"
            b"Content-Type: application/cloudevents+json\r\n\r\n"
        )
        assert line.recv(1_024).startswith(b"HTTP/1.1 413 ")


def test_a_request_that_turns_out_too_large_is_not_read_on(api: Api) -> None:
    chunk = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    with socket.create_connection((api.client.base_url.host, api.client.base_url.port)) as line:
        line.settimeout(PATIENCE_SECONDS)
        line.sendall(
            b"POST /events HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
            b"Content-Type: application/cloudevents+json\r\n\r\n"
        )
        for _ in range(3_000_000 // 65_536 + 1):
            line.sendall(chunk)
        assert line.recv(1_024).startswith(b"HTTP/1.1 413 ")


def test_concurrent_requests_are_committed_together_and_none_is_lost(api: Api) -> None:
    def send(worker: int) -> list[str]:
        outcomes = []
        with httpx.Client(base_url=api.client.base_url, timeout=60) as client:
            for number in range(25):
                event = touchpoint(worker * 1_000 + number)
                headers = {"Content-Type": "application/cloudevents+json"}
                response = client.post("/events", json=event, headers=headers)
                outcomes.append(response.json()["receipts"][0]["outcome"])
        return outcomes

    with ThreadPoolExecutor(8) as workers:
        outcomes = [outcome for each in workers.map(send, range(8)) for outcome in each]
    assert outcomes == ["appended"] * 200
    with api.datastore.transaction() as cursor:
        cursor.execute("SELECT count(*), max(position) FROM ledger.events")
        assert cursor.fetchone() == (200, 200)
        cursor.execute("SELECT count(DISTINCT recorded_at) FROM ledger.events")
        (transactions,) = cursor.fetchone() or (0,)
    assert transactions < 200


def test_with_a_token_set_nothing_but_health_answers_without_it(datastore: Datastore) -> None:
    token = "a-token-of-some-length"
    with serving(datastore, access_token=token) as api:
        for path in ("/channels", "/openapi.json", "/no/such/path"):
            refused = api.client.get(path)
            assert refused.status_code == 401
            assert refused.headers["www-authenticate"] == "Bearer"
            assert refused.headers["content-type"] == "application/problem+json"
        assert api.post(touchpoint(1), "cloudevents+json").status_code == 401
        assert api.client.get("/health").status_code in (200, 503)
        wrong = {"Authorization": f"Bearer {token}x"}
        assert api.client.get("/openapi.json", headers=wrong).status_code == 401
        api.client.headers["Authorization"] = f"Bearer {token}"
        assert api.client.get("/openapi.json").status_code == 200
        assert api.post(touchpoint(1), "cloudevents+json").status_code == 202
