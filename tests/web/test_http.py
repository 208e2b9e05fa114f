"""What HTTP itself promises: forms of an answer, methods, compression, parameters."""

import asyncio
import gzip
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st

from ledger.datastore import Datastore
from tests.conftest import Cluster
from tests.web.conftest import Api, standing
from tests.web.test_reading import ASKED, HISTORY, touchpoint
from web import problems
from web.preferences import CSV, JSON, preferred, weights

OFFERED = (JSON, CSV)


@pytest.mark.parametrize(
    ("accept", "found"),
    [
        ("", JSON),
        ("*/*", JSON),
        ("text/csv", CSV),
        ("TEXT/CSV; charset=utf-8", CSV),
        ("text/csv, application/json", JSON),
        ("text/csv, application/json;q=0.9", CSV),
        ("text/csv;q=0.5, application/json;q=0.4", CSV),
        ("text/csv, */*", CSV),
        ("text/*", CSV),
        ("text/*;q=0.2, */*;q=0.1", CSV),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", JSON),
        ("application/json;q=0, */*", CSV),
        ("*/*;q=0.1, application/*;q=0", CSV),
        ("image/png", None),
        ("text/csv;q=0", None),
        ("*/*;q=0", None),
        ("text/csv;q=2", JSON),  # no weight: as if it were not there
    ],
)
def test_the_form_that_a_client_would_rather_have(accept: str, found: str | None) -> None:
    assert preferred(accept, OFFERED) == found


@given(st.text())
def test_any_header_has_weights_from_0_to_1(header: str) -> None:
    assert all(0 <= weight <= 1 for weight in weights(header).values())
    assert preferred(header, OFFERED) in (*OFFERED, None)


@pytest.fixture(scope="module")
def server(cluster: Cluster, migrated_template: str) -> Iterator[Api]:
    many = [
        touchpoint(number, "A/timeline", "mail", f"2026-05-02T09:00:{number}Z")
        for number in range(10, 40)
    ]
    with standing(cluster, migrated_template, [*HISTORY, *many]) as api:
        yield api


def problem(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    told: dict[str, Any] = response.json()
    assert told["type"] == f"urn:servicetrail:problem:{code}"
    return told


def test_who_wants_another_form_is_told_which_there_are(server: Api) -> None:
    for path in ("/channels", "/dead-letters", "/events/test/nothing"):
        told = problem(
            server.client.get(path, headers={"Accept": "image/png"}), 406, "not-acceptable"
        )
        assert told["available"] == ["application/json", "text/csv"]
        assert "text/csv" in told["detail"]
    # Nothing is done before that.
    refused = server.client.post(
        "/dead-letters/discard", json={"all": True, "because": "x"}, headers={"Accept": "image/png"}
    )
    problem(refused, 406, "not-acceptable")


def paths(document: dict[str, Any]) -> Iterator[str]:
    """A path of each GET route that there is something at."""
    asked = {path.replace(":id", ""): paths_[0] for path, paths_ in ASKED.items()}
    named = {
        "/events/{source}/{id}": f"/events/test/{quote(HISTORY[0]['id'])}",
        "/schemas/{fingerprint}": "/schemas/0123456789abcdef",
        "/dead-letters/{kept_id}": "/dead-letters/1",
        "/checkpoints/{number}": "/checkpoints/1",
        "/proofs/inclusion/{position}": "/proofs/inclusion/1",
        "/proofs/consistency": "/proofs/consistency?from=1&to=1",
        "/evidence/{kind}/{id}": "/evidence/customer/C-1",
    }
    for path, operations in document["paths"].items():
        if "get" in operations:
            yield asked.get(path) or named.get(path, path)


def test_head_tells_of_every_route_what_get_would(server: Api) -> None:
    document = server.client.get("/openapi.json").json()
    for path in [*paths(document), "/openapi.json", "/nothing"]:
        head = server.client.head(path)
        assert head.content == b""
        if path != "/stream":
            got = server.client.get(path)
            told = ("content-type", "vary", "content-encoding", "cache-control")
            assert head.status_code == got.status_code, path
            assert [head.headers.get(name) for name in told] == [
                got.headers.get(name) for name in told
            ], path
    assert server.client.head("/nothing").status_code == 404
    assert server.client.head("/stream").headers["content-type"].startswith("text/event-stream")
    tag = server.client.get("/channels?as_of=2026-04-01").headers["etag"]
    unchanged = server.client.head("/channels?as_of=2026-04-01", headers={"If-None-Match": tag})
    assert (unchanged.status_code, unchanged.headers["etag"]) == (304, tag)


def test_a_method_that_is_not_there_is_told_which_there_are(server: Api) -> None:
    for path, methods in (
        ("/channels", {"GET", "HEAD"}),
        ("/events", {"POST"}),
        ("/customers/C-1/hold", {"GET", "HEAD", "POST"}),
        ("/dead-letters/redrive", {"GET", "HEAD", "POST"}),
    ):
        refused = server.client.request("DELETE", path)
        told = problem(refused, 405, "no-such-method")
        assert refused.headers["allow"] in told["detail"]
        options = server.client.options(path)
        assert options.status_code == 204
        for response in (refused, options):
            assert {*response.headers["allow"].split(", ")} == {*methods, "OPTIONS"}
    problem(server.client.options("/nothing"), 404, "no-such-route")


def test_answers_are_compressed_for_those_who_accept_it(server: Api) -> None:
    path = "/customers/A%2Ftimeline/timeline?as_of=2026-06-01"

    def got(encodings: str, accept: str = "*/*", **headers: str) -> tuple[httpx.Response, bytes]:
        asked = {"Accept-Encoding": encodings, "Accept": accept, **headers}
        with server.client.stream("GET", path, headers=asked) as response:
            return response, b"".join(response.iter_raw())

    plain, body = got("identity")
    small, packed = got("gzip, br;q=0.1")
    assert gzip.decompress(packed) == body
    assert len(packed) < len(body) / 3
    assert "content-encoding" not in plain.headers
    assert small.headers["content-encoding"] == "gzip"
    for refusing in ("gzip;q=0", "", "br", "*;q=0", "gzip;q=0, *"):
        assert "content-encoding" not in got(refusing)[0].headers
    for taking in ("*", "identity;q=0, *;q=1", "br, gzip;q=0.1, *;q=0"):
        assert got(taking)[0].headers["content-encoding"] == "gzip"
    # Both forms share one weak tag, and who has either is told that nothing has changed.
    assert plain.headers["etag"] == small.headers["etag"] != got("gzip", CSV)[0].headers["etag"]
    assert small.headers["etag"].startswith('W/"')
    unchanged, nothing = got("gzip", **{"If-None-Match": small.headers["etag"]})
    assert (unchanged.status_code, nothing) == (304, b"")
    for response in (plain, small, unchanged):
        assert response.headers["vary"] == "Accept, Accept-Encoding"


def test_ids_that_end_like_another_route_are_ids(server: Api) -> None:
    (customer,) = server.client.get("/customers/A%2Ftimeline").json()["rows"]
    assert customer["customer_id"] == "A/timeline"
    timeline = server.client.get("/customers/A%2Ftimeline/timeline").json()["rows"]
    assert len(timeline) == 30
    assert len(server.client.get("/customers/A%2Ftimeline/replay").json()["rows"]) == 30
    assert server.client.get("/customers/A/timeline").json()["rows"] == []
    for id_ in ("A%2Ftimeline", "A%252Ftimeline", "A/replay", "%25", "%", "%2f/timeline"):
        missing = server.client.get(f"/customers/{quote(id_, safe='')}")
        problem(missing, 404, "no-such-customer")
    held = server.client.post(
        "/customers/A%2Ftimeline/hold", json={"reason": "a case is open", "by": "ada"}
    )
    assert held.json()["customer_id"] == "A/timeline"


@pytest.mark.parametrize(
    ("path", "name", "meant"),
    [
        ("/channels?asof=2026-03-01", "asof", "as_of"),
        ("/promises?costumer_id=7", "costumer_id", "customer_id"),
        ("/explain?question=channels&chanel=mail", "chanel", "channel"),
        ("/dead-letters?reasons=x", "reasons", "reason"),
        ("/checkpoints?limits=7", "limits", "limit"),
        ("/stream?question=promises&verdic=kept", "verdic", "verdict"),
        ("/status?weather=fine", "weather", None),
        ("/health?weather=fine", "weather", None),
        ("/events/test/1?asof=2026-03-01", "asof", "as_of"),
    ],
)
def test_a_parameter_that_a_route_does_not_know_is_refused(
    server: Api, path: str, name: str, meant: str | None
) -> None:
    told = problem(server.client.get(path), 422, "bad-parameter")
    (wrong,) = told["parameters"]
    assert wrong["name"] == name
    expected = "there is none" if meant is None else f"did you mean {meant}?"
    assert wrong["expected"] == f"there is no such parameter; {expected}"


def test_a_parameter_that_is_no_list_is_taken_once(server: Api) -> None:
    path = "/channels?as_of=2026-03-01&as_of=2026-04-01"
    told = problem(server.client.get(path), 422, "bad-parameter")
    assert told["parameters"] == [{"name": "as_of", "expected": "give it once"}]
    for lists in ("state=parked&state=conflict", "ids=1&ids=2"):
        assert server.client.get(f"/dead-letters?{lists}").status_code == 200


def test_an_answer_that_the_client_has_is_not_sent_again(server: Api) -> None:
    def status(path: str, *told: str) -> int:
        headers = [("If-None-Match", each) for each in told]
        return server.client.get(path, headers=headers).status_code

    path = "/channels?as_of=2026-04-01"
    tag = server.client.get(path).headers["etag"]
    strong = tag.removeprefix("W/")
    for known in ((tag,), (strong,), (f'"other", {strong}',), ('"other"', tag), ("*",)):
        assert status(path, *known) == 304, known
    for unknown in (('"other"',), (f"w/{strong}",), ("",), (strong.strip('"'),)):
        assert status(path, *unknown) == 200, unknown
    # What is not there, or wrong, is told whatever the client has.
    assert status("/customers/C-1", "*") == 304
    assert status("/customers/nobody", "*") == 404
    assert status("/promises?cursor=none", "*") == 422


def test_what_the_database_refuses_is_told_by_whose_fault_it_is(datastore: Datastore) -> None:
    app = FastAPI()
    problems.install(app)

    @app.get("/share")
    def share(of: str) -> None:
        with datastore.transaction() as cursor:
            cursor.execute(f"SELECT 1 / {of}")

    async def asked(of: str) -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.get("/share", params={"of": of})

    told = problem(asyncio.run(asked("0")), 422, "bad-value")
    assert "the database cannot take a value" in told["detail"]
    assert "division" not in json.dumps(told)
    # A statement that cannot be run will not run later either: no 503 that asks to wait.
    problem(asyncio.run(asked("nothing_of_that_name")), 500, "fault")
