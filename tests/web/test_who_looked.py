"""Who looked: every sight of a person, and whatever is done, is in the ledger."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import httpx
import psycopg2
import pytest

from ledger.access import ACTIONS
from ledger.datastore import Datastore
from questions.access_log import AccessRow
from questions.question import ListAnswer
from tests.audit.sealed import ledger
from tests.conftest import DatabaseUrls
from tests.web.conftest import Api, serving
from tests.web.test_access import AUDITOR, DASHBOARD, OPERATOR, STEWARD, Doors, code
from tests.web.test_reading import HISTORY, event, touchpoint

RULES = {"because": "a test", "reason": "a dispute", "basis": "article 17", "by": "E-7"}


@pytest.fixture
def doors(datastore: Datastore) -> Iterator[Doors]:
    with serving(datastore, access_token=OPERATOR) as api:
        doors = Doors(api)
        merged = event("customer.merged.v1", "2026-03-09T09:00:00Z",
                       {"customer_id": "C-2", "merged_customer_id": "C-9"})  # fmt: skip
        assert doors.publish(OPERATOR, [*HISTORY, merged]).status_code == 202
        doors.project()
        yield doors


def log(doors: Doors, **asked: Any) -> list[dict[str, Any]]:
    """The log of access, the latest first, without the tokens that the tests made."""
    doors.project()
    answer = doors.get("/access-log", doors.of_role[AUDITOR], params=asked)
    assert answer.status_code == 200, answer.text
    ListAnswer[AccessRow].model_validate(answer.json())
    rows: list[dict[str, Any]] = answer.json()["rows"]
    return [row for row in rows if row["via"] == "http"]


def told(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in ("question", "kind", "ids", "customer_id"))


SIGHTS = {
    "/customers/C-1/timeline": ("timeline", "customer", ["C-1"], "C-1"),
    "/customers/C-1/replay": ("replay", "customer", ["C-1"], "C-1"),
    "/customers/C-1": ("customer", "customer", ["C-1"], "C-1"),
    "/promises/P-2": ("promises", "promise", ["P-2"], "C-1"),
    "/complaints/K%2F1": ("complaints", "complaint", ["K/1"], "C-1"),
    "/events/by-position/7": ("event", "event", ["7"], "C-1"),
    "/promises?customer_id=C-1": ("promises", None, [], "C-1"),
    "/complaints?customer_id=C-1": ("complaints", None, [], "C-1"),
    "/channel-duplicates?customer_id=C-3": ("channel-duplicates", None, [], "C-3"),
    "/support-requests?customer_id=C-2": ("support-requests", None, [], "C-2"),
    "/attention": ("attention", None, [], None),
    "/value-cost/customers": ("value-cost-customers", None, [], None),
    "/contradictions": ("contradictions", None, [], None),
    "/explain?question=channels&channel=phone": ("explain", None, [], None),
    "/customers/C-1/timeline?known_at=8": ("timeline", "customer", ["C-1"], "C-1"),
}


def test_every_sight_of_a_person_is_on_record(doors: Doors) -> None:
    auditor = doors.of_role[AUDITOR]
    before = doors.get("/customers/C-1/timeline", auditor).json()["rows"]
    latest: dict[str, Any] = {}
    for path, seen in SIGHTS.items():
        assert doors.get(path, auditor).status_code == 200, path
        latest = log(doors)[0]
        assert told(latest) == seen, path
        assert (latest["who"], latest["role"], latest["action"]) == ("auditor", "auditor", "read")
    assert latest["details"] == "known_at=8"
    source, id_ = HISTORY[0]["source"], HISTORY[0]["id"].replace(" ", "%20").replace("/", "%2F")
    named = id_.replace("%2F?#", "%252F%3F%23").replace("ä", "%C3%A4")
    assert doors.get(f"/events/{source}/{named}", auditor).status_code == 200
    assert told(log(doors)[0])[:2] == ("event", "event")
    # Being looked at makes nobody's history longer.
    assert doors.get("/customers/C-1/timeline", auditor).json()["rows"] == before
    assert len(log(doors, customer_id="C-1")) == 11
    assert {row["customer_id"] for row in log(doors, customer_id="C-9")} == {"C-2"}


def test_what_shows_nothing_of_a_person_is_not(doors: Doors) -> None:
    auditor = doors.of_role[AUDITOR]
    doors.get("/customers/C-1/timeline", auditor)
    known = len(log(doors))
    for path in ("/channels", "/response-times", "/status", "/access-log", "/checkpoints"):
        assert doors.get(path, auditor).status_code == 200
    assert doors.get("/promises/none", auditor).status_code == 404
    assert doors.get("/promises?verdict=perhaps", auditor).status_code == 422
    assert doors.get("/promises", doors.of_role[DASHBOARD]).status_code == 403
    assert len(log(doors)) == known


def test_a_person_is_found_among_several_that_were_exported(doors: Doors) -> None:
    named = {"format": "jsonl", "customer": ["C-1", "nobody", "C-9"]}
    assert doors.get("/export", doors.of_role[AUDITOR], params=named).status_code == 200
    for customer in ("C-1", "nobody", "C-2"):  # C-9 is one person with C-2
        [row] = log(doors, customer_id=customer)
        assert (row["action"], row["ids"]) == ("exported", ["C-1", "nobody", "C-9"]), customer
    assert log(doors, customer_id="C-3") == []


def test_whoever_calls_stands_before_the_name_that_they_give(doors: Doors) -> None:
    steward = doors.of_role[STEWARD]
    wrong = touchpoint(8, "C-1", "mail", "2026-03-02T09:00:00Z", direction="sideways")
    doors.publish(OPERATOR, [wrong])
    told = {"reason": "a dispute", "by": "Chief Justice"}
    assert doors.ask("POST", "/customers/C-1/hold", steward, json=told).status_code == 200
    lifted = told | {"by": "steward"}
    assert doors.ask("POST", "/customers/C-1/hold/lift", steward, json=lifted).status_code == 200
    doors.project()
    rows = doors.get("/customers/C-1/timeline", doors.of_role[AUDITOR]).json()["rows"]
    held = [row["employee_id"] for row in rows if "hold" in row["type"]]
    assert held == ["steward, for Chief Justice", "steward"]
    discarded = {"ids": [1], "because": "a test", "by": "Chief Justice"}
    assert doors.ask("POST", "/dead-letters/discard", steward, json=discarded).status_code == 200
    one = doors.get("/dead-letters/1", steward).text
    assert "steward, for Chief Justice" in one
    endless = told | {"by": "J" * 200}
    refused = doors.ask("POST", "/customers/C-1/hold", steward, json=endless)
    assert (refused.status_code, refused.json()["parameters"][0]["name"]) == (422, "by")


def test_an_answer_that_the_client_has_already_shows_nothing_new(doors: Doors) -> None:
    auditor = doors.of_role[AUDITOR]
    path = "/customers/C-1/timeline?as_of=2026-04-01"
    tag = doors.get(path, auditor).headers["etag"]
    again = doors.get(path, auditor, headers={"If-None-Match": tag})
    assert again.status_code == 304
    assert len(log(doors, customer_id="C-1")) == 1


def test_a_look_changes_no_answer_but_those_about_looking(doors: Doors) -> None:
    auditor = doors.of_role[AUDITOR]
    answers = ("/customers/C-1/timeline?as_of=2026-04-01", "/channels?as_of=2026-04-01")
    about_looking = "/access-log?as_of=2100-01-01"
    tags = {path: doors.get(path, auditor).headers["etag"] for path in (*answers, about_looking)}

    def again(path: str) -> int:
        doors.project()
        asked = doors.get(path, auditor, headers={"If-None-Match": tags[path]})
        return asked.status_code

    reached = doors.project()
    assert doors.get("/customers/C-3/timeline", auditor).status_code == 200
    assert doors.project() == reached + 1
    assert [again(path) for path in answers] == [304, 304]
    assert again(about_looking) == 200
    doors.publish(OPERATOR, [touchpoint(9, "C-9", "mail", "2026-03-02T09:00:00Z")])
    assert [again(path) for path in answers] == [200, 200]


def test_live_figures_are_told_of_looks_only_where_they_are_about_looking(doors: Doors) -> None:
    auditor = doors.of_role[AUDITOR]
    seen = doors.project()
    mine = {"Authorization": f"Bearer {auditor}", "Last-Event-ID": str(seen)}
    doors.get("/customers/C-1/timeline", auditor)
    assert doors.project() == seen + 1

    def ids(lines: Iterator[str]) -> Iterator[int]:
        return (int(line[4:]) for line in lines if line.startswith("id: "))

    with (
        doors.client.stream("GET", "/stream", headers=mine) as figures,
        doors.client.stream("GET", "/stream?question=access-log", headers=mine) as looks,
    ):
        assert next(ids(looks.iter_lines())) == seen + 1
        doors.publish(OPERATOR, [touchpoint(9, "C-9", "mail", "2026-03-02T09:00:00Z")])
        doors.project()
        assert next(ids(figures.iter_lines())) == seen + 2


def test_a_sight_that_cannot_be_recorded_is_not_given(
    doors: Doors, database_urls: DatabaseUrls
) -> None:
    with closing(psycopg2.connect(database_urls.owner)) as owner, owner, owner.cursor() as cursor:
        cursor.execute(
            "ALTER TABLE ledger.events ADD CONSTRAINT nothing_more CHECK (false) NOT VALID"
        )
    for path in ("/customers/C-1/timeline", "/promises", "/events/by-position/1"):
        refused = doors.get(path, doors.of_role[AUDITOR])
        assert code(refused) == (503, "database-away"), path
        assert "C-1" not in refused.text
    assert doors.get("/channels", doors.of_role[AUDITOR]).status_code == 200


def test_what_is_done_is_on_record_with_who_did_it(doors: Doors) -> None:
    steward = doors.of_role[STEWARD]
    wrong = touchpoint(8, "C-1", "mail", "2026-03-02T09:00:00Z", direction="sideways")
    doors.publish(OPERATOR, [wrong, touchpoint(9, "C-1", "", "2026-03-02T09:00:00Z")])

    def done(path: str, **body: Any) -> httpx.Response:
        answer = doors.ask("POST", path, steward, json=body)
        assert answer.is_success, answer.text
        return answer

    assert doors.get("/dead-letters/1?reveal=true", steward).status_code == 200
    done("/dead-letters/redrive", ids=[1, 2])
    done("/dead-letters/redrive", ids=[1, 2], dry_run=True)
    done("/dead-letters/redrive", ids=[1], repaired="still wrong")
    done("/dead-letters/discard", ids=[2], because="a test")
    done("/customers/C-1/hold", reason="a dispute", by="E-7")
    assert (
        doors.ask("POST", "/customers/C-1/erasure", steward, json={"basis": "b"}).status_code == 409
    )
    done("/customers/C-1/hold/lift", reason="settled", by="E-7")
    done("/customers/C-1/erasure", basis="article 17")
    made = done("/tokens", name="Ada", role="auditor").json()
    done(f"/tokens/{made['token_id']}/revocation")
    rows = [row for row in reversed(log(doors)) if row["who"] == "steward"]
    assert [(row["action"], row["kind"], row["ids"]) for row in rows] == [
        ("revealed", "input", ["1"]),
        ("redriven", "input", ["1", "2"]),
        ("repaired", "input", ["1"]),
        ("discarded", "input", ["2"]),
        ("hold_placed", "customer", ["C-1"]),
        ("erasure_refused", "customer", ["C-1"]),
        ("hold_lifted", "customer", ["C-1"]),
        ("erased", "customer", ["C-1"]),
        ("token_created", "token", [made["token_id"]]),
        ("token_revoked", "token", [made["token_id"]]),
    ]
    assert {row["action"] for row in rows} <= {*ACTIONS}
    assert [row["customer_id"] for row in rows if row["customer_id"]] == ["C-1"] * 5
    assert log(doors, action="erased", who="steward")[0]["details"] == "article 17"
    assert log(doors, action="erasure_refused", who="steward")[0]["details"] == "b"
    assert doors.get("/access-log", steward).status_code == 200


def test_who_takes_evidence_and_who_listens_is_on_record(
    doors: Doors, database_url: str, tmp_path: Any
) -> None:
    auditor = doors.of_role[AUDITOR]
    with ledger(database_url, tmp_path) as opened:
        opened.sealer.seal()
    assert doors.get("/evidence/promise/P-2", auditor).status_code == 200
    assert told(log(doors)[0]) == (None, "promise", ["P-2"], "C-1")
    mine = {"Authorization": f"Bearer {auditor}"}
    url = "/stream?question=promises&customer_id=C-3"
    with doors.client.stream("GET", url, headers=mine) as stream:
        assert stream.status_code == 200
    assert told(log(doors)[0]) == ("promises", None, [], "C-3")


def test_who_exports_is_on_record(doors: Doors) -> None:
    auditor = doors.of_role[AUDITOR]
    assert doors.get("/export?format=pdf", auditor).status_code == 422
    assert log(doors) == []
    for asked, ids, customer_id in (("", [], None), ("&customer=C-1", ["C-1"], "C-1")):
        assert doors.get(f"/export?format=jsonl{asked}", auditor).status_code == 200
        exported = log(doors)[0]
        assert (exported["who"], exported["action"]) == ("auditor", "exported")
        assert told(exported) == (None, "customer", ids, customer_id)
        assert '"format": "jsonl"' in exported["details"]


def test_in_development_nobody_is_named_for_looking(api: Api) -> None:
    api.post(HISTORY)
    api.project()
    assert api.client.get("/customers/C-1/timeline").status_code == 200
    assert api.client.get("/status").json()["last_position"] == len(HISTORY)
    api.client.post("/customers/C-1/hold", json={"reason": "a dispute", "by": "E-7"})
    api.project()
    [row] = api.client.get("/access-log").json()["rows"]
    assert (row["who"], row["role"], row["action"]) == ("http:127.0.0.1", None, "hold_placed")
