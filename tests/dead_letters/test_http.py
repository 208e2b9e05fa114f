"""Dead letters over HTTP, on a real socket."""

import csv
from base64 import b64decode, b64encode
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from ledger.account import differences
from ledger.datastore import Datastore
from tests.cli.events import promise, touchpoint
from tests.web.conftest import Api, serving
from web.dead_letter_rows import DeadLetter, DeadLetterRow, DiscardedRow, RedrivenRow

TOKEN = "a token of the tests"


@pytest.fixture
def api(datastore: Datastore) -> Iterator[Api]:
    """The API, with a token, on a ledger into which something wrong was sent."""
    with serving(datastore, access_token=TOKEN) as api:
        api.client.headers["Authorization"] = f"Bearer {TOKEN}"
        sent = [
            touchpoint(1, direction="sideways", note="ring Ada Lovelace"),
            touchpoint(2),
            promise("kept", "P-1"),
            promise("broken", "P-1"),
        ]
        assert api.post(sent).status_code == 207
        yield api
    with datastore.transaction() as cursor:
        assert differences(cursor) == []


def rows(
    response: httpx.Response,
    model: type[DeadLetterRow] | type[RedrivenRow] | type[DiscardedRow] = DeadLetterRow,
) -> list[dict[str, Any]]:
    assert response.status_code == 200, response.text
    answer = response.json()
    assert answer.keys() == {"position", "as_of", "known_at", "metric_version", "rows", "next"}
    for row in answer["rows"]:
        model.model_validate(row)
    found: list[dict[str, Any]] = answer["rows"]
    return found


def open_ids(api: Api, **filters: Any) -> list[int]:
    return [row["kept_id"] for row in rows(api.client.get("/dead-letters", params=filters))]


def problem(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["type"].removeprefix("urn:servicetrail:problem:")


def test_the_list_shows_why_and_not_what(api: Api) -> None:
    response = api.client.get("/dead-letters")
    assert [row["state"] for row in rows(response)] == ["parked", "parked", "rejected"]
    assert "Lovelace" not in response.text
    assert response.json()["position"] == 1


def test_lists_come_as_csv_to_those_who_ask_for_it(api: Api) -> None:
    csv_too = {"Accept": "text/csv"}
    response = api.client.get("/dead-letters", params={"limit": 2}, headers=csv_too)
    assert response.headers["content-type"].startswith("text/csv")
    names, *lines = csv.reader(response.text.splitlines())
    assert names == [*DeadLetterRow.model_fields]
    assert [line[0] for line in lines] == ["3", "2"]
    assert response.headers["Servicetrail-Position"] == "1"
    assert open_ids(api, cursor=response.headers["Servicetrail-Next"]) == [1]
    redrive = {"ids": [1], "dry_run": True}
    done = api.client.post("/dead-letters/redrive", json=redrive, headers=csv_too)
    assert done.text.splitlines()[0] == ",".join(RedrivenRow.model_fields)


@pytest.mark.parametrize("action", ["redrive", "discard"])
def test_a_request_may_be_only_so_large(api: Api, action: str) -> None:
    body = b'{"ids": [1], "because": "' + b"x" * 3_000_000 + b'"}'
    for content in (body, iter([body])):  # with its length announced, and in chunks
        response = api.client.post(f"/dead-letters/{action}", content=content)
        assert problem(response) == (413, "too-large")
    assert open_ids(api) == [3, 2, 1]


def test_filters_and_pages(api: Api) -> None:
    assert open_ids(api, state="rejected") == open_ids(api, reason="unknown_symbol") == [1]
    assert open_ids(api, source="nobody") == open_ids(api, until="2020-01-01") == []
    assert open_ids(api, ids=[1, 2]) == [2, 1]
    first = api.client.get("/dead-letters", params={"limit": 2})
    assert [row["kept_id"] for row in rows(first)] == [3, 2]
    assert open_ids(api, limit=2, cursor=first.json()["next"]) == [1]
    for wrong in ({"cursor": "x"}, {"state": "lost"}, {"unheard": "of"}, {"limit": 0}):
        assert problem(api.client.get("/dead-letters", params=wrong)) == (422, "bad-parameter")


def test_one_input_is_told_whole_and_revealed_on_demand(api: Api) -> None:
    plain = api.client.get("/dead-letters/1")
    [row] = rows(plain, DeadLetter)
    assert (row["path"], row["history"], row["customer_id"]) == ("data.direction", [], "C-1")
    assert "Lovelace" not in plain.text
    [row] = rows(api.client.get("/dead-letters/1", params={"reveal": "true"}), DeadLetter)
    assert "Lovelace" in row["revealed"]["body"]
    assert b64decode(row["revealed"]["body_base64"]) == row["revealed"]["body"].encode()
    assert [step["step"] for step in row["history"]] == ["revealed"]
    assert problem(api.client.get("/dead-letters/99")) == (404, "no-such-input")


def test_nothing_is_revealed_without_a_token(datastore: Datastore) -> None:
    with serving(datastore) as api:
        api.post([touchpoint(1, direction="sideways")])
        response = api.client.get("/dead-letters/1", params={"reveal": "true"})
        assert problem(response) == (403, "not-revealed")
        [row] = rows(api.client.get("/dead-letters/1"), DeadLetter)
        assert row["history"] == []


def test_who_has_no_token_gets_nothing(api: Api) -> None:
    for path in ("/dead-letters", "/dead-letters/1"):
        assert api.client.get(path, headers={"Authorization": ""}).status_code == 401
    body = {"ids": [1], "because": "x"}
    response = api.client.post("/dead-letters/discard", json=body, headers={"Authorization": ""})
    assert response.status_code == 401


def test_an_erased_customers_input_says_so(api: Api, datastore: Datastore) -> None:
    with datastore.transaction() as cursor:
        cursor.execute("UPDATE ledger.keys SET wrapped = NULL, destroyed_at = now()")
    response = api.client.get("/dead-letters/1", params={"reveal": "true"})
    assert problem(response) == (410, "erased")
    assert "nobody can read" in response.json()["detail"]
    [row] = rows(api.client.get("/dead-letters/1"), DeadLetter)
    assert (row["erased"], row["size_bytes"]) == (True, None)
    redrive = api.client.post("/dead-letters/redrive", json={"ids": [1]})
    assert [row["reason"] for row in rows(redrive, RedrivenRow)] == ["erased"]


def test_a_redrive_a_repair_and_the_way_back(api: Api) -> None:
    redrive = api.client.post("/dead-letters/redrive", json={"all": True})
    assert [row["outcome"] for row in rows(redrive, RedrivenRow)] == ["rejected"]
    body = b64encode(httpx.Request("POST", "http://x", json=touchpoint(1)).content).decode()
    repair = {"ids": [1], "repaired_base64": body, "by": "ada"}
    dry = api.client.post("/dead-letters/redrive", json={**repair, "dry_run": True})
    assert rows(dry, RedrivenRow)[0]["position"] is None
    # The first redrive is on record at position 2.
    done = api.client.post("/dead-letters/redrive", json=repair)
    assert [(r["outcome"], r["position"]) for r in rows(done, RedrivenRow)] == [("appended", 3)]
    assert open_ids(api) == [3, 2]
    assert open_ids(api, state="redriven", position=3) == [1]
    again = api.client.post("/dead-letters/redrive", json=repair)
    assert problem(again) == (409, "not-open")


def test_a_redrive_in_pages(api: Api) -> None:
    api.post([touchpoint(number, direction="sideways") for number in range(10, 14)])
    ids: list[int] = []
    asked: dict[str, Any] = {"reason": "unknown_symbol", "limit": 2, "dry_run": True}
    while True:
        response = api.client.post("/dead-letters/redrive", json=asked)
        ids += [row["kept_id"] for row in rows(response, RedrivenRow)]
        if (next_ := response.json()["next"]) is None:
            break
        asked["cursor"] = next_
    assert ids == sorted(open_ids(api, state="rejected"))


def test_a_discard_lets_those_behind_go(api: Api) -> None:
    body = {"ids": [2], "because": "the channel tested"}
    done = api.client.post("/dead-letters/discard", json=body)
    assert rows(done, DiscardedRow) == [{"kept_id": 2, "state": "discarded"}]
    [row] = rows(api.client.get("/dead-letters/2"), DeadLetter)
    [step] = row["history"]
    assert (step["step"], step["remark"]) == ("discarded", "the channel tested")
    assert step["who"] == "operator"
    [behind] = rows(api.client.get("/dead-letters/3"), DeadLetter)
    assert behind["reason"] == "promise_not_made"


@pytest.mark.parametrize(
    ("action", "body"),
    [
        ("redrive", {}),
        ("redrive", {"all": True, "repaired": "{}"}),
        ("redrive", {"ids": [1], "repaired": "{}", "repaired_base64": "e30="}),
        ("redrive", {"ids": [1], "repaired_base64": "?"}),
        ("redrive", {"all": True, "state": ["parked"]}),
        ("redrive", {"all": True, "cursor": "x"}),
        ("discard", {"ids": [1]}),
        ("discard", {"ids": [1], "because": " "}),
        ("discard", {"because": "why not"}),
    ],
)
def test_what_cannot_be_understood_changes_nothing(
    api: Api, action: str, body: dict[str, Any]
) -> None:
    response = api.client.post(f"/dead-letters/{action}", json=body)
    assert problem(response) == (422, "bad-parameter")
    assert open_ids(api) == [3, 2, 1]
