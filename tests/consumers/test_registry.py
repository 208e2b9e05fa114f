"""Schemas by number, from a registry that answers over HTTP, and from one that does not."""

import json
import time
from base64 import b64encode
from collections.abc import Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

import pytest

from consumers.registering import Registrar
from consumers.registry import Registry
from ledger.intake import Intake
from schemas import codec
from schemas.avro_data import RegistryUnavailable, unframe
from schemas.catalogue import SHIPPED
from schemas.problem import Problem
from tests.consumers.channel import Channel
from tests.consumers.events import touchpoint
from tests.consumers.running import Ledger, consuming
from tests.consumers.waiting import eventually

TOUCHPOINT = codec.schema_text(codec.fingerprint_of("touchpoint.recorded.v1"))
CREDENTIALS = "Basic " + b64encode("team:s3cret/ü".encode()).decode()


class Server:
    """A registry with what a test puts into it. `url` is its address."""

    def __init__(self) -> None:
        self.schemas: dict[int, dict[str, str]] = {7: {"schema": TOUCHPOINT}}
        self.asked: list[str] = []
        self.status: HTTPStatus | None = None
        self.raw: bytes | None = None
        """What is answered whatever is asked, if anything, down to the bytes."""
        self.answers = Event()
        """Not set, it hangs: it takes what is asked, and does not answer yet."""
        self.answers.set()
        registry = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                registry.asked.append(self.path)
                registry.answers.wait()
                if registry.raw is not None:
                    self.wfile.write(registry.raw)
                    return
                status, answer = registry.answer(self.path, self.headers["Authorization"])
                body = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/vnd.schemaregistry.v1+json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                self.do_GET()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def answer(self, path: str, credentials: str | None) -> tuple[HTTPStatus, object]:
        if self.status is not None:
            return self.status, {"error_code": self.status * 100}
        if credentials != CREDENTIALS:
            return HTTPStatus.UNAUTHORIZED, {"error_code": 40101}
        if path == "/schemas/types":
            return HTTPStatus.OK, ["AVRO", "JSON"]
        prefix, _, number = path.rpartition("/")
        if prefix != "/schemas/ids":
            return HTTPStatus.NOT_FOUND, {"error_code": 404}
        if int(number) >= 2**31:  # as Confluent's, which takes it for an address that is none
            return HTTPStatus.NOT_FOUND, {"error_code": 404}
        found = self.schemas.get(int(number))
        return (HTTPStatus.OK, found) if found else (HTTPStatus.NOT_FOUND, {"error_code": 40403})

    def close(self) -> None:
        self.answers.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def server() -> Iterator[Server]:
    opened = Server()
    yield opened
    opened.close()


@pytest.fixture
def registry(server: Server) -> Registry:
    return Registry(server.url, username="team", password="s3cret/ü")


def test_a_schema_is_looked_up_once(server: Server, registry: Registry) -> None:
    assert registry.schema_for(7) == TOUCHPOINT
    assert registry.schema_for(7) == TOUCHPOINT
    assert server.asked == ["/schemas/ids/7"]


def test_credentials_may_stand_in_the_address(server: Server) -> None:
    address = server.url.replace("http://", "http://team:s3cret%2F%C3%BC@") + "/"
    assert Registry(address).schema_for(7) == TOUCHPOINT


def test_a_number_that_nobody_registered(server: Server, registry: Registry) -> None:
    assert registry.schema_for(8) is None
    assert registry.schema_for(8) is None
    assert len(server.asked) == 1


def test_what_is_no_avro_schema_is_unknown(server: Server, registry: Registry) -> None:
    server.schemas[9] = {"schema": "message Touchpoint {}", "schemaType": "PROTOBUF"}
    assert registry.schema_for(9) is None


@pytest.mark.parametrize("status", [HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.FOUND])
def test_known_schemas_survive_an_outage(
    server: Server, registry: Registry, status: HTTPStatus
) -> None:
    registry.schema_for(7)
    server.status = status
    assert registry.schema_for(7) == TOUCHPOINT
    with pytest.raises(RegistryUnavailable):
        registry.schema_for(8)


def test_known_schemas_survive_a_restart_in_an_outage(server: Server, ledger: Ledger) -> None:
    """Those of the ledger do; what the registry says counts as soon as it says anything."""
    Intake(ledger.datastore, ledger.keyring)  # which registers its schemas
    promise = codec.schema_text(codec.fingerprint_of("promise.made.v1"))
    server.schemas |= {8: {"schema": promise}, 9: {"schema": '"string"'}, 10: {"schema": "{"}}
    how: dict[str, Any] = {
        "username": "team",
        "password": "s3cret/ü",
        "datastore": ledger.datastore,
    }
    for number in (7, 8, 9, 10):
        Registry(server.url, **how).schema_for(number)
    server.schemas[8] = server.schemas[7]
    assert Registry(server.url, **how).schema_for(8) == TOUCHPOINT
    for refused in (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.FORBIDDEN):
        server.status = refused
        restarted = Registry(server.url, **how)
        assert [restarted.schema_for(number) for number in (7, 8)] == [TOUCHPOINT, TOUCHPOINT]
        for number in (9, 10, 11):
            with pytest.raises(RegistryUnavailable):
                restarted.schema_for(number)
        with pytest.raises(RegistryUnavailable):
            Registry(f"{server.url}/another", **how).schema_for(7)


@pytest.mark.parametrize("status", [HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN])
def test_whoever_is_refused_is_told_which_settings_to_look_at(
    server: Server, registry: Registry, status: HTTPStatus
) -> None:
    server.status = status
    told = f"refuses us with {status} .* SERVICETRAIL_SCHEMA_REGISTRY_PASSWORD"
    with pytest.raises(RegistryUnavailable, match=told):
        registry.schema_for(7)
    with pytest.raises(RegistryUnavailable, match=told):
        Registrar(server.url).find(SHIPPED.by_type["touchpoint.recorded.v1"])


def test_whoever_is_refused_is_not_told_that_nothing_is_there(server: Server) -> None:
    with pytest.raises(RegistryUnavailable):
        Registry(server.url, username="team", password="wrong").schema_for(7)
    with pytest.raises(RegistryUnavailable):
        Registry(f"{server.url}/wrong/path", username="team", password="s3cret/ü").schema_for(7)


def test_a_number_that_no_registry_gives_is_unknown(server: Server, registry: Registry) -> None:
    """It is not even asked for when it comes in data, and answered 404 without more if it were."""
    assert registry.schema_for(2**31) is None
    asked = len(server.asked)
    for number in (2**31, 2**32 - 1):
        with pytest.raises(Problem, match=f"the registry has no schema {number}"):
            unframe(b"\x00" + number.to_bytes(4, "big") + b"\x02", None, registry)
    assert len(server.asked) == asked


@pytest.mark.parametrize("status", [HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY])
def test_a_registry_at_a_wrong_address_is_away_whatever_it_says_of_the_number(
    server: Server, registry: Registry, status: HTTPStatus
) -> None:
    server.status = status
    with pytest.raises(RegistryUnavailable):
        registry.schema_for(7)


@pytest.mark.parametrize(
    "raw",
    [
        b'HTTP/1.0 200 OK\r\nContent-Length: 900\r\n\r\n{"schema": "',
        b'HTTP/1.0 404 Not Found\r\nContent-Length: 900\r\n\r\n{"error_code": 40403',
        b"HTTQ what is this\r\n\r\n",
        b"",
    ],
)
def test_an_answer_that_breaks_off_is_none(server: Server, registry: Registry, raw: bytes) -> None:
    server.raw = raw
    with pytest.raises(RegistryUnavailable):
        registry.schema_for(7)
    with pytest.raises(RegistryUnavailable):
        Registrar(server.url).find(SHIPPED.by_type["touchpoint.recorded.v1"])
    server.raw = None
    assert registry.schema_for(7) == TOUCHPOINT


def test_nobody_listens(server: Server, registry: Registry) -> None:
    server.close()
    with pytest.raises(RegistryUnavailable):
        registry.schema_for(7)


@pytest.mark.parametrize("url", ["registry:8081", "file:///etc/passwd", "http://"])
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(ValueError, match="http"):
        Registry(url)


def test_the_confluent_wire_format_is_taken(
    channel: Channel, ledger: Ledger, server: Server, registry: Registry
) -> None:
    """Records wait for a registry that is away; a number it does not know rejects its record."""
    topic = channel.topic("confluent")
    server.raw = b'HTTP/1.0 200 OK\r\nContent-Length: 900\r\n\r\n{"schema": "'
    numbers = (7, 404, 3_000_000_000, 7)
    for schema_id, event in zip(
        numbers, (touchpoint(f"T-{n}", "C-1") for n in range(4)), strict=True
    ):
        content_type = "application/avro"
        channel.send(topic, event.confluent(schema_id), event.headers(content_type))
    channel.flush()
    with consuming(ledger, channel.bootstrap_servers, topic, registry=registry) as running:
        eventually(lambda: running.consumer.state == "waiting")
        server.raw, server.status = None, HTTPStatus.FORBIDDEN
        asked = len(server.asked)
        eventually(lambda: len(server.asked) > asked)
        assert ledger.received() == {}
        server.status = None
        eventually(lambda: ledger.received()["received"] == 4)
    assert ledger.received() == {"received": 4, "appended": 2, "rejected": 2}
    assert ledger.query("SELECT reason FROM intake.kept") == [("unknown_schema",)] * 2
    [[fingerprint]] = ledger.query("SELECT DISTINCT fingerprint FROM ledger.events")
    assert bytes(fingerprint) == codec.fingerprint_of("touchpoint.recorded.v1")


def test_it_stops_in_time_while_the_registry_hangs(
    channel: Channel, ledger: Ledger, server: Server, registry: Registry
) -> None:
    """While records are read ahead. What was not taken is taken later, once."""
    topic = channel.topic("hanging")
    server.schemas[8] = server.schemas[7]
    registry.schema_for(7)
    server.answers.clear()
    for number, schema_id in enumerate((7, 8, 7)):
        event = touchpoint(f"T-{number}", "C-1")
        channel.send(topic, event.confluent(schema_id), event.headers("application/avro"))
    channel.flush()
    how = {"registry": registry, "batch_events": 1}
    with consuming(ledger, channel.bootstrap_servers, topic, **how) as running:
        eventually(lambda: "/schemas/ids/8" in server.asked and ledger.count() == 1)
        began = time.monotonic()
        running.stop()
        assert time.monotonic() - began < 10
    assert ledger.positions(topic) == {0: 1}
    server.answers.set()
    with consuming(ledger, channel.bootstrap_servers, topic, **how):
        eventually(lambda: ledger.count() == 3)
    assert ledger.received() == {"received": 3, "appended": 3}
