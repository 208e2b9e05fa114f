"""Live figures, as server-sent events."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from tests.web.conftest import Api
from tests.web.test_reading import touchpoint


@contextmanager
def stream(api: Api, path: str, **headers: str) -> Iterator[Iterator[dict[str, Any]]]:
    with api.client.stream("GET", path, headers=headers) as response:
        assert response.status_code == 200, response.read()
        assert response.headers["content-type"].startswith("text/event-stream")
        yield events(response)


def events(response: httpx.Response) -> Iterator[dict[str, Any]]:
    told: dict[str, Any] = {}
    for line in response.iter_lines():
        if not line:
            if told:
                yield told
            told = {}
            continue
        name, _, value = line.partition(": ")
        if name:
            told[name] = json.loads(value) if name in ("data", "id") else value


def publish(api: Api, number: int) -> int:
    api.post([touchpoint(number, "C-1", "mail", f"2026-03-02T09:{number:02}:00Z")])
    return api.project()


@pytest.fixture
def api(api: Api) -> Api:
    publish(api, 1)
    return api


def test_every_advance_is_told(api: Api) -> None:
    with stream(api, "/stream") as told:
        first = next(told)
        assert (first["event"], first["id"], first["data"]["position"]) == ("position", 1, 1)
        publish(api, 2)
        assert next(told)["data"]["position"] == 2


def test_an_answer_is_told_when_its_rows_change(api: Api) -> None:
    with stream(api, "/stream?question=channels&from=2026-03-01") as told:
        assert next(told)["event"] == "position"
        answer = next(told)
        assert (answer["event"], answer["id"]) == ("answer", 1)
        assert [row["touchpoints_in"] for row in answer["data"]["rows"]] == [1]
        publish(api, 2)
        assert next(told)["event"] == "position"
        assert [row["touchpoints_in"] for row in next(told)["data"]["rows"]] == [2]


def test_whoever_comes_back_hears_from_there_on(api: Api) -> None:
    with stream(api, "/stream", **{"Last-Event-ID": "1"}) as told:
        publish(api, 2)
        assert next(told)["id"] == 2


def test_there_is_a_limit_and_who_leaves_makes_room(api: Api) -> None:
    with stream(api, "/stream") as one, stream(api, "/stream") as two:
        with stream(api, "/stream") as three:
            for each in (one, two, three):
                next(each)
            refused = api.client.get("/stream")
            assert refused.status_code == 503
            assert refused.json()["type"] == "urn:servicetrail:problem:too-many-streams"
        publish(api, 2)
        assert next(one)["id"] == 2
        # The server notices that somebody left when it has something to say.
        for attempt in range(3, 60):
            publish(api, attempt)
            next(one)
            with api.client.stream("GET", "/stream") as response:
                if response.status_code == 200:
                    return
        pytest.fail("nobody made room")


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/stream?question=weather", "question"),
        ("/stream?question=channels&from=soon", "from"),
        ("/stream?question=channels&as_of=2026-03-01", "as_of"),
        ("/stream?from=2026-03-01", "from"),
        ("/stream?question=promises&limit=0", "limit"),
    ],
)
def test_a_parameter_at_fault_is_named(api: Api, path: str, name: str) -> None:
    refused = api.client.get(path)
    assert refused.status_code == 422
    assert refused.json()["parameters"][0]["name"] == name
