"""Who may call: every route by every role, tokens that count no more, and channels' own sources."""

import json
import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from ledger.access import Actor
from ledger.datastore import Datastore
from ledger.tokens import Role, TokenWrong
from questions.registry import QUESTIONS
from tests.web.conftest import Api, serving
from tests.web.test_posting import touchpoint
from web.access import REMEMBERED_SECONDS

ADA = Actor("Ada", "command")
CHANNEL, DASHBOARD, AUDITOR, STEWARD = Role
OPERATOR = "the operator's own token"
MAIL = "https://mail.example"
FIGURES, PERSONS = {DASHBOARD, AUDITOR}, {AUDITOR}
RUNNING, KEPT = {DASHBOARD, AUDITOR, STEWARD}, {AUDITOR, STEWARD}
DECIDED: dict[str, set[Role]] = {
    "POST /events": {CHANNEL},
    "GET /events/{source}/{id}": PERSONS,
    "GET /events/by-position/{position}": PERSONS,
    "GET /schemas/{fingerprint}": {*Role},
    "GET /customers/{customer_id}/timeline": PERSONS,
    "GET /customers/{customer_id}/replay": PERSONS,
    "GET /customers/{customer_id}": PERSONS,
    "GET /channels": FIGURES,
    "GET /channel-duplicates": PERSONS,
    "GET /channel-duplicates-by-channels": FIGURES,
    "GET /contradictions": PERSONS,
    "GET /contradictions-by-channels": FIGURES,
    "GET /response-times": FIGURES,
    "GET /promises": PERSONS,
    "GET /promises/{promise_id}": PERSONS,
    "GET /promise-quality": FIGURES,
    "GET /complaints": PERSONS,
    "GET /complaints/{complaint_id}": PERSONS,
    "GET /complaint-quality": FIGURES,
    "GET /attention": PERSONS,
    "GET /support-requests": PERSONS,
    "GET /support-times": FIGURES,
    "GET /effects": FIGURES,
    "GET /value-cost": FIGURES,
    "GET /value-cost/customers": PERSONS,
    "GET /explain": PERSONS,
    "GET /stream": FIGURES,
    "GET /checkpoints": PERSONS,
    "GET /checkpoints/latest": PERSONS,
    "GET /checkpoints/keys": PERSONS,
    "GET /checkpoints/{number}": PERSONS,
    "POST /checkpoints/cosignatures": PERSONS,
    "GET /proofs/inclusion/{position}": PERSONS,
    "GET /proofs/consistency": PERSONS,
    "GET /evidence/{kind}/{id}": PERSONS,
    "GET /export": PERSONS,
    "GET /dead-letters": KEPT,
    "GET /dead-letters/{kept_id}": KEPT,
    "POST /dead-letters/redrive": {STEWARD},
    "POST /dead-letters/discard": {STEWARD},
    "POST /customers/{customer_id}/erasure": {STEWARD},
    "GET /customers/{customer_id}/erasure": KEPT,
    "POST /customers/{customer_id}/hold": {STEWARD},
    "POST /customers/{customer_id}/hold/lift": {STEWARD},
    "GET /access-log": KEPT,
    "GET /tokens": {STEWARD},
    "POST /tokens": {STEWARD},
    "POST /tokens/{token_id}/revocation": {STEWARD},
    "GET /status": RUNNING,
}
"""To whom each route is open. A new one is decided about here, and by `web.access.open_to`."""


class Doors(Api):
    """The API with access control on, and a client for each role."""

    def __init__(self, api: Api) -> None:
        super().__init__(api.client, api.datastore, api.tokens)
        self.of_role = {role: self.token(role, [MAIL] if role is CHANNEL else []) for role in Role}

    def token(self, role: Role, sources: list[str] | None = None, **changes: Any) -> str:
        given = {"sources": sources or [], **changes}
        secret, _ = self.tokens.create(role.value, role, actor=ADA, **given)
        return secret

    def get(self, path: str, token: str | None, **more: Any) -> httpx.Response:
        return self.ask("GET", path, token, **more)

    def ask(self, method: str, path: str, token: str | None, **more: Any) -> httpx.Response:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return self.client.request(method, path, headers=headers | more.pop("headers", {}), **more)

    def publish(self, token: str, events: Any, mode: str = "-batch") -> httpx.Response:
        headers = {"Content-Type": f"application/cloudevents{mode}+json"}
        return self.ask("POST", "/events", token, content=json.dumps(events), headers=headers)


@pytest.fixture
def doors(datastore: Datastore) -> Iterator[Doors]:
    with serving(datastore, access_token=OPERATOR) as api:
        api.project()
        yield Doors(api)


def code(response: httpx.Response) -> tuple[int, str]:
    assert response.headers["content-type"] == "application/problem+json"
    return response.status_code, response.json()["type"].removeprefix("urn:servicetrail:problem:")


def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline


def test_every_route_by_every_role(doors: Doors) -> None:
    document = doors.get("/openapi.json", OPERATOR).json()
    told = {
        f"{method.upper()} {path}": operation
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if path != "/health"
    }
    security = {
        route: {role for each in operation["security"] for role in each["token"]}
        for route, operation in told.items()
    }
    assert security == DECIDED, "decide to whom the route is open, here and where it is made"
    for route, allowed in DECIDED.items():
        assert {"401", "403"} <= told[route]["responses"].keys()
        method, path = route.split()
        path = re.sub(r"\{\w+\}", "1", path).replace("/evidence/1", "/evidence/promise")
        path = path.replace("/tokens/1", "/tokens/0000000000")
        body: dict[str, Any] = {"json": {}} if method == "POST" else {}
        assert code(doors.ask(method, path, None, **body)) == (401, "no-access"), route
        for role, token in doors.of_role.items():
            if route == "GET /stream" and role in allowed:
                continue  # it does not end; a story of its own is told of it
            answer = doors.ask(method, path, token, **body)
            if role in allowed:
                assert answer.status_code not in (401, 403), f"{route} by a {role}: {answer.text}"
            else:
                assert code(answer) == (403, "role-missing"), f"{route} by a {role}"
                assert answer.json()["needed"] == sorted(allowed)


def test_figures_for_dashboards_name_no_person() -> None:
    for question in QUESTIONS:
        if question.about == "figures":
            assert question.subject is None, question.path
            fields = {*question.row.model_fields, *question.parameters.model_fields}
            assert not [name for name in fields if name.endswith(("customer_id", "events"))]
            asked = [name for name in question.parameters.model_fields if _names_one(name)]
            told = [f"by={each[:-3]}" for each in question.row.model_fields if _names_one(each)]
            assert [*question.singles] == asked + told, f"{question.path}: what tells of one?"


def _names_one(field: str) -> bool:
    return field.endswith(("_id", "_key"))


def test_a_single_one_is_for_auditors(doors: Doors) -> None:
    asked = [(question, single) for question in QUESTIONS for single in question.singles]
    assert len(asked) == 3
    for question, single in asked:
        given = single if "=" in single else f"{single}=delivery:ORDER-9"
        route = f"{question.path}?{given}"
        live = f"/stream?question={question.command}&{given}"
        for path in (route, live, f"{question.path}?from=2026-01-01&{given}"):
            refused = doors.get(path, doors.of_role[DASHBOARD])
            assert code(refused) == (403, "role-missing"), path
            told = f"{single}, which tells of a single one, is for the role auditor"
            assert told in refused.json()["detail"]
        assert doors.get(route, doors.of_role[AUDITOR]).status_code == 200
        doors.project()
        [latest] = doors.get("/access-log?limit=1", doors.of_role[AUDITOR]).json()["rows"]
        assert latest["question"] == question.name
        assert latest["details"].startswith(single)


def test_the_operator_may_do_everything(doors: Doors) -> None:
    assert doors.publish(OPERATOR, [touchpoint(1)]).status_code == 202
    for path in ("/channels", "/promises", "/dead-letters", "/tokens", "/status"):
        assert doors.get(path, OPERATOR).status_code == 200


def test_a_token_that_is_nobody_s(doors: Doors) -> None:
    auditor = doors.of_role[AUDITOR]
    for wrong in (auditor[:-1], auditor + "A", auditor.swapcase(), "st_", "\u00e4", "a.b.c"):
        header = (b"Authorization", f"Bearer {wrong}".encode())
        refused = doors.client.get("/status", headers=[header])
        assert code(refused) == (401, "no-access")
    for scheme in ("Basic", "bearer:", "Token"):
        headers = {"Authorization": f"{scheme} {auditor}"}
        assert doors.client.get("/status", headers=headers).status_code == 401
    assert doors.client.get("/status", headers={"Authorization": f"BEARER {auditor}"}).is_success


def test_a_revoked_token_counts_no_more_within_a_second(doors: Doors) -> None:
    token = doors.of_role[AUDITOR]
    assert doors.get("/status", token).status_code == 200
    made = doors.get("/tokens", OPERATOR).json()["rows"]
    [mine] = [each for each in made if each["role"] == "auditor"]
    path = f"/tokens/{mine['token_id']}/revocation"
    revoked = doors.ask("POST", path, doors.of_role[STEWARD]).json()
    assert revoked["revoked_by"] == "steward"
    since = asked_at = last_let_in = time.monotonic()
    while doors.get("/status", token).status_code != 401:
        last_let_in, asked_at = asked_at, time.monotonic()
        assert last_let_in - since < REMEMBERED_SECONDS + 0.5
    assert "was revoked at" in doors.get("/status", token).json()["detail"]
    assert code(doors.ask("POST", path, OPERATOR)) == (409, "revoked")
    assert code(doors.ask("POST", "/tokens/0123456789/revocation", OPERATOR))[0] == 404


def test_a_token_ends_when_it_expires(doors: Doors) -> None:
    end = datetime.now(UTC) + timedelta(seconds=0.5)
    token = doors.token(DASHBOARD, expires_at=end)
    assert doors.get("/channels", token).status_code == 200
    until(lambda: datetime.now(UTC) >= end, 2)
    refused = doors.get("/channels", token)
    assert code(refused) == (401, "no-access")
    assert "expired at" in refused.json()["detail"]
    with pytest.raises(TokenWrong, match="expired already"):
        doors.token(DASHBOARD, expires_at=end)


def test_a_stream_ends_with_its_token(doors: Doors) -> None:
    secret, token = doors.tokens.create("wall", DASHBOARD, actor=ADA)
    headers = {"Authorization": f"Bearer {secret}"}
    with doors.client.stream("GET", "/stream?question=channels", headers=headers) as stream:
        lines = stream.iter_lines()
        assert next(lines).startswith("id: ")
        doors.tokens.revoke(token.token_id, actor=ADA)
        until(lambda: doors.get("/channels", secret).status_code == 401)
        doors.publish(OPERATOR, [touchpoint(1)])
        doors.project()
        assert not [line for line in lines if line.startswith("id: ")][1:]
    refused = doors.get("/stream?question=promises", doors.of_role[DASHBOARD])
    assert code(refused) == (403, "role-missing")


def test_a_token_is_told_once_and_kept_as_its_hash(doors: Doors) -> None:
    asked = {"name": "shop", "role": "channel", "sources": ["https://shop.example/*"]}
    made = doors.ask("POST", "/tokens", doors.of_role[STEWARD], json=asked)
    assert made.status_code == 201
    secret = made.json()["token"]
    event = touchpoint(1, source="https://shop.example/till/7")
    assert doors.publish(secret, [event]).status_code == 202
    listed = doors.get("/tokens", OPERATOR)
    assert (secret in listed.text, listed.json()["rows"][0]["created_by"]) == (False, "steward")
    with doors.datastore.transaction() as cursor:
        cursor.execute("SELECT tokens::text FROM access.tokens")
        assert not any(secret in row or secret[3:] in row for (row,) in cursor)
        with pytest.raises(Exception, match=r"append-only|permission denied"):
            cursor.execute("DELETE FROM access.tokens")
    without = doors.ask("POST", "/tokens", OPERATOR, json={"name": "shop", "role": "channel"})
    assert "names the sources" in without.json()["detail"]


@pytest.mark.parametrize("mode", ["batched", "structured", "binary", "guessed"])
def test_a_channel_publishes_as_itself_only(doors: Doors, mode: str) -> None:
    """Whatever it looks like, and wherever in a batch it stands."""
    token = doors.token(CHANNEL, [MAIL, "https://shop.example/*"])
    mine = touchpoint(1, source="https://shop.example/orders")
    foreign = touchpoint(2, source="https://bank.example")
    if mode == "batched":
        refused = doors.publish(token, [mine, foreign, touchpoint(3)])
        assert refused.json()["index"] == 1
    elif mode == "structured":
        twice = json.dumps(foreign)[:-1] + ', "source": "https://mail.example"}'
        refused = doors.publish(token, foreign, "")
        headers = {"Content-Type": "application/cloudevents+json"}
        answer = doors.ask("POST", "/events", token, content=twice, headers=headers)
        assert answer.status_code in (403, 422)
    else:
        names = ("id", "source", "type", "time", "specversion")
        headers = {f"ce-{name}": foreign[name] for name in names}
        headers |= {"ce-source": "https%3A//bank.example"}
        refused = doors.ask("POST", "/events", token, json=foreign["data"], headers=headers)
        if mode == "guessed":  # data that look like an event of somebody else are data
            headers |= {"ce-source": MAIL, "Content-Type": "application/avro"}
            hidden = doors.ask("POST", "/events", token, json=foreign, headers=headers)
            assert hidden.json()["receipts"][0]["outcome"] == "rejected"
            assert hidden.json()["receipts"][0]["source"] == MAIL
    assert code(refused) == (403, "not-your-source")
    assert "https://bank.example" in refused.json()["detail"]
    account = doors.get("/status", OPERATOR).json()["rows"]
    assert not [row for row in account if row["appended"] and row["source"] != "servicetrail"]
    assert doors.publish(token, [mine, touchpoint(3)]).status_code == 202


def test_what_names_no_source_is_put_down_to_the_token_s(doors: Doors) -> None:
    unreadable = doors.publish(doors.of_role[CHANNEL], [{"source": 7, "id": "1"}, 12])
    assert {each["source"] for each in unreadable.json()["receipts"]} == {MAIL}
    [row, _] = doors.get("/status", OPERATOR).json()["rows"]
    assert (row["source"], row["rejected"]) == (MAIL, 2)
    nobody_s = doors.publish(doors.token(CHANNEL, ["https://*"]), [touchpoint(1, source=None)])
    assert nobody_s.json()["receipts"][0]["reason"] == "missing_attribute"


def test_without_a_token_anywhere_everybody_may_until_one_is_made(datastore: Datastore) -> None:
    with serving(datastore) as api:
        api.project()
        assert api.client.get("/promises").status_code == 200
        assert "security" not in api.client.get("/openapi.json").text
        secret, token = api.tokens.create("Ada", AUDITOR, actor=ADA)
        until(lambda: api.client.get("/promises").status_code == 401)
        api.tokens.revoke(token.token_id, actor=ADA)
        mine = {"Authorization": f"Bearer {secret}"}
        until(lambda: api.client.get("/promises", headers=mine).status_code == 401)
        assert api.client.get("/promises").status_code == 401


BROUGHT = [
    {"Host": "evil.example:8400"},
    {"Host": "evil.example:8400", "Origin": "http://evil.example:8400"},
    {"Host": "127.0.0.1.evil.example"},
    {"Host": "192.0.2.1"},
    {"Host": "[::1"},
    {"Host": ""},
    {"Origin": "https://evil.example"},
    {"Origin": "http://localhost:1"},
    {"Origin": "null"},
    {"Forwarded": "for=192.0.2.1"},
    {"X-Forwarded-For": "192.0.2.1"},
    {"X-Forwarded-Host": "127.0.0.1"},
]


def test_without_tokens_nothing_that_a_web_page_or_a_proxy_brings_is_answered(api: Api) -> None:
    api.project()
    mine = {"name": "mine", "role": "steward"}
    for headers in BROUGHT:
        refused = api.client.post("/tokens", json=mine, headers=headers)
        assert code(refused) == (403, "not-nearby"), headers
        assert api.client.get("/status", headers=headers).status_code == 403, headers
        assert api.client.get("/health", headers=headers).status_code == 200, headers
    for host in ("localhost", "LOCALHOST:8400", "127.0.0.1:1", "[::1]", "[::1]:8400"):
        for headers in ({"Host": host}, {"Host": host, "Origin": f"http://{host}"}):
            assert api.client.get("/status", headers=headers).status_code == 200, headers
    assert api.client.get("/tokens").json()["rows"] == []


def test_with_a_token_the_way_is_all_one_and_no_header_changes_an_address(doors: Doors) -> None:
    for headers in BROUGHT:
        answer = doors.get("/status", OPERATOR, headers=headers)
        assert answer.status_code == 200, headers
    told = {"X-Forwarded-For": "192.0.2.1", "Content-Type": "application/cloudevents+json"}
    doors.ask("POST", "/events", OPERATOR, json={"id": "1"}, headers=told)
    [row] = doors.get("/dead-letters", OPERATOR).json()["rows"]
    assert row["origin"]["http"] == "127.0.0.1"
