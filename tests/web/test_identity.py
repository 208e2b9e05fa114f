"""Callers whom an identity provider vouches for, and tokens that only look as if it did."""

import base64
import hashlib
import hmac
import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from ledger.datastore import Datastore
from tests.web.conftest import serving
from tests.web.test_access import DASHBOARD, Doors, code
from tests.web.test_posting import touchpoint
from web import identity
from web.access import NotAdmitted, ProviderAway
from web.identity import Claims, Provider, PublishedKeys

ISSUER, AUDIENCE = "https://login.example", "servicetrail"
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
CURVE = ec.generate_private_key(ec.SECP256R1())
SOMEBODY_S = rsa.generate_private_key(public_exponent=65537, key_size=2048)


class PublishesKeys(ThreadingHTTPServer):
    """The provider's server; `keys` is what it publishes."""

    def __init__(self) -> None:
        self.keys: list[dict[str, Any]] = [as_key(RSA, "first"), {"kty": "oct", "k": "AAAA"}]

        class Answer(BaseHTTPRequestHandler):
            def do_GET(handler) -> None:  # noqa: N805 - the name that the library calls
                body = json.dumps({"keys": self.keys}).encode()
                handler.send_response(200)
                handler.send_header("Content-Length", str(len(body)))
                handler.end_headers()
                handler.wfile.write(body)

            def log_message(handler, *_: Any) -> None:  # noqa: N805
                """Nothing."""

        super().__init__(("127.0.0.1", 0), Answer)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def away(self) -> None:
        self.shutdown()
        self.server_close()


def as_key(key: Any, name: str) -> dict[str, Any]:
    algorithm = RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm
    told: dict[str, Any] = json.loads(algorithm.to_jwk(key.public_key()))
    return told | {"kid": name, "use": "sig"}


def token(key: Any = RSA, name: str | None = "first", alg: str = "RS256", **changes: Any) -> str:
    claims = {
        "iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "roles": ["auditor", "cook"],
        "exp": datetime.now(UTC) + timedelta(minutes=5),
    } | changes  # fmt: skip
    said = {claim: value for claim, value in claims.items() if value is not None}
    return jwt.encode(said, key, alg, headers=None if name is None else {"kid": name})


@pytest.fixture
def provider() -> Iterator[PublishesKeys]:
    published = PublishesKeys()
    yield published
    published.away()


@pytest.fixture
def doors(
    datastore: Datastore, provider: PublishesKeys, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Doors]:
    monkeypatch.setattr(identity, "_SECONDS_BETWEEN_FETCHES", 0.0)
    keys = PublishedKeys(f"http://127.0.0.1:{provider.server_port}/keys")
    claims = Claims(ISSUER, AUDIENCE, source_claim="servicetrail.sources")
    with serving(datastore, provider=Provider(claims, keys)) as api:
        api.project()
        yield Doors(api)


def unsigned(algorithm: str) -> str:
    """A token as of a careless library: `none`, however it is spelled."""
    claims = token().split(".")[1]
    told = {"alg": algorithm, "typ": "JWT", "kid": "first"}
    return f"{_text(json.dumps(told).encode())}.{claims}."


def confused() -> str:
    """Signed with the public key as if it were a secret."""
    public = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    told = {"alg": "HS256", "typ": "JWT", "kid": "first"}
    signed = f"{_text(json.dumps(told).encode())}.{token().split('.')[1]}"
    return f"{signed}.{_text(hmac.digest(public, signed.encode(), hashlib.sha256))}"


def brings_its_key() -> str:
    """Names, and brings, the key to check it with."""
    headers = {"kid": "first", "jwk": as_key(SOMEBODY_S, "first"), "jku": "http://127.0.0.1:1/"}
    return jwt.encode(jwt.decode(token(), options={"verify_signature": False}), SOMEBODY_S, "RS256",
                      headers=headers)  # fmt: skip


def tampered() -> str:
    header, _, signature = token(roles=["dashboard"]).split(".")
    return f"{header}.{token(roles=['auditor']).split('.')[1]}.{signature}"


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


LONG_AGO = datetime.now(UTC) - timedelta(hours=1)


def test_roles_and_sources_are_what_the_provider_says(doors: Doors) -> None:
    assert doors.get("/promises", token()).status_code == 200
    assert doors.get("/promises", token(name=None)).status_code == 200
    assert doors.get("/promises", token(alg="PS512")).status_code == 200
    assert doors.get("/promises", token(aud=["another", AUDIENCE])).status_code == 200
    for roles in (["dashboard"], "dashboard", []):
        assert code(doors.get("/promises", token(roles=roles))) == (403, "role-missing")
    assert doors.get("/channels", token(roles="dashboard")).status_code == 200
    mine = token(roles=["channel"], servicetrail={"sources": ["https://mail.example"]})
    assert doors.publish(mine, [touchpoint(1)]).status_code == 202
    refused = doors.publish(mine, [touchpoint(2, source="https://bank.example")])
    assert code(refused) == (403, "not-your-source")
    assert code(doors.publish(token(roles=["channel"]), [touchpoint(3)]))[0] == 403
    doors.project()
    [row, *_] = doors.get("/access-log?action=read", token()).json()["rows"]
    assert (row["who"], row["role"], row["token_id"]) == ("ada", "auditor", None)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (token(exp=LONG_AGO), "expired"),
        (token(nbf=datetime.now(UTC) + timedelta(hours=1)), "not signed"),
        (token(aud="another"), "another audience"),
        (token(aud=None), "no claim aud"),
        (token(iss="https://login.evil"), "issuer"),
        (token(exp=None), "no claim exp"),
        (token(sub=None), "no claim sub"),
        (token(sub="a\nb"), "put on record"),
        (token(SOMEBODY_S), "not signed"),
        (token(SOMEBODY_S, "theirs"), "has not"),
        (token(CURVE, "first", "ES256"), "not signed"),
        (token("a secret that is long enough for this", alg="HS256"), "public key"),
        (unsigned("none"), "public key"),
        (unsigned("nOnE"), "public key"),
        (confused(), "public key"),
        (brings_its_key(), "not signed"),
        (tampered(), "not signed"),
        ("a.b.c", "not signed"),
    ],
)  # fmt: skip
def test_what_the_provider_does_not_vouch_for(
    provider: PublishesKeys, wrong: str, why: str
) -> None:
    keys = PublishedKeys(f"http://127.0.0.1:{provider.server_port}/keys")
    with pytest.raises(NotAdmitted, match=why):
        Provider(Claims(ISSUER, AUDIENCE), keys).caller(wrong)


def test_a_new_key_counts_at_once_and_known_ones_while_the_provider_is_away(
    doors: Doors, provider: PublishesKeys
) -> None:
    assert doors.get("/channels", token()).status_code == 200
    refused = doors.get("/channels", token(CURVE, "second", "ES256"))
    assert code(refused) == (401, "no-access")
    provider.keys = [as_key(CURVE, "second"), as_key(RSA, "first")]
    assert doors.get("/channels", token(CURVE, "second", "ES256")).status_code == 200
    provider.away()
    assert doors.get("/channels", token(roles=["dashboard"])).status_code == 200
    assert code(doors.get("/channels", token(SOMEBODY_S, "third"))) == (401, "no-access")
    assert doors.get("/channels", doors.of_role[DASHBOARD]).status_code == 200


def test_without_any_key_nobody_can_be_checked(provider: PublishesKeys) -> None:
    provider.away()
    keys = PublishedKeys(f"http://127.0.0.1:{provider.server_port}/keys")
    with pytest.raises(ProviderAway):
        Provider(Claims(ISSUER, AUDIENCE), keys).caller(token())


@pytest.fixture
def hanging() -> Iterator[socket.socket]:
    """A server that takes connections and answers nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
        yield listener


def keys_at(listener: socket.socket) -> PublishedKeys:
    return PublishedKeys(f"http://127.0.0.1:{listener.getsockname()[1]}/keys")


def test_who_names_unknown_keys_holds_up_nobody_while_the_provider_hangs(
    hanging: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identity, "_FETCH_TIMEOUT_SECONDS", 1.0)
    monkeypatch.setattr(identity, "_SECONDS_BETWEEN_FETCHES", 1.0)
    vouches = Provider(Claims(ISSUER, AUDIENCE), keys_at(hanging))
    bogus = [token(SOMEBODY_S, f"k{number}") for number in range(20)]
    together = threading.Barrier(len(bogus))

    def ask(secret: str) -> None:
        together.wait()
        with pytest.raises(ProviderAway):
            vouches.caller(secret)

    with ThreadPoolExecutor(len(bogus)) as threads:
        list(threads.map(ask, bogus))
    with pytest.raises(ProviderAway):
        vouches.caller(bogus[0])
    hanging.accept()[0].close()
    hanging.setblocking(False)
    with pytest.raises(BlockingIOError):
        hanging.accept()  # it was asked once


def test_known_keys_count_at_once_while_one_thread_waits_for_the_provider(
    hanging: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identity, "_FETCHED_AGAIN_SECONDS", 0.0)
    monkeypatch.setattr(identity, "_SECONDS_BETWEEN_FETCHES", 0.0)
    keys = keys_at(hanging)

    def publish(*published: dict[str, Any]) -> None:
        body = json.dumps({"keys": published}).encode()
        line.recv(65_536)
        line.sendall(b"HTTP/1.0 200 OK\r\n\r\n" + body)
        line.close()

    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(keys.named, "first")
        line, _ = hanging.accept()
        publish(as_key(RSA, "first"))
        assert waiting.result() == as_key(RSA, "first")

        waiting = threads.submit(keys.named, "second")
        line, _ = hanging.accept()
        assert keys.named("first") == as_key(RSA, "first")
        with pytest.raises(ProviderAway):
            keys.named("third")
        assert not waiting.done()
        publish(as_key(RSA, "first"), as_key(CURVE, "second"))
        assert waiting.result() == as_key(CURVE, "second")


def test_a_provider_that_trickles_is_not_listened_to_for_ever(
    hanging: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identity, "_FETCH_TIMEOUT_SECONDS", 0.3)

    def hung_up() -> bool:
        """Whether the other side hangs up on a page that has no end."""
        line, _ = hanging.accept()
        with line:
            line.recv(65_536)
            line.sendall(b"HTTP/1.0 200 OK\r\n\r\n")
            line.settimeout(0.05)
            for _ in range(200):
                with suppress(TimeoutError):
                    line.sendall(b" ")
                    return line.recv(1) == b""
            return False

    with ThreadPoolExecutor(1) as threads:
        trickling = threads.submit(hung_up)
        with pytest.raises(ProviderAway):
            keys_at(hanging).named("first")
        assert trickling.result()
