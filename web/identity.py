"""Callers whom an identity provider vouches for: JSON Web Tokens (RFC 7519), checked with the keys
that the provider publishes (RFC 7517).
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.client import HTTPException
from typing import Any
from urllib.request import urlopen

import jwt
import structlog

from ledger.tokens import Role
from schemas.checks import check_identifier
from schemas.problem import Problem as NotAnIdentifier
from web.access import Caller, NotAdmitted, ProviderAway

log = structlog.get_logger(__name__)

ALGORITHMS = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
)
"""Those with a public key. What is signed with a secret could be signed by whoever checks it."""
CLOCKS_APART = timedelta(seconds=30)
_FETCHED_AGAIN_SECONDS = 300.0
_SECONDS_BETWEEN_FETCHES = 5.0
_FETCH_TIMEOUT_SECONDS = 5.0
_MOST_BYTES = 1_000_000
_UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError, HTTPException)


@dataclass(frozen=True)
class Claims:
    """What a provider's tokens must say: their `issuer`, and `audience`, which is us; and in which
    claims roles and a channel's sources stand (with dots: one inside another).
    """

    issuer: str
    audience: str
    role_claim: str = "roles"
    source_claim: str = "sources"


class PublishedKeys:
    """The keys at a URL, fetched now and then, and when a token names one that is not known.

    While the provider is away, those known go on counting. Safe to use from several threads.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._keys: dict[str | None, dict[str, Any]] = {}  # never changed, only replaced
        self._fetched = self._tried = float("-inf")
        self._fetching = threading.Lock()

    def named(self, key_id: str | None) -> dict[str, Any] | None:
        """The key of this id; None if the provider has none. Raises ProviderAway.

        One thread at a time waits for the provider. The others go on with the keys known, and
        those whose key is not among them are told to come again.
        """
        if key_id not in self._keys or time.monotonic() - self._fetched > _FETCHED_AGAIN_SECONDS:
            if self._fetching.acquire(blocking=False):
                try:
                    self._fetch()
                finally:
                    self._fetching.release()
            elif key_id not in self._keys:
                raise ProviderAway
        if not self._keys:
            raise ProviderAway
        return self._keys.get(key_id)

    def _fetch(self) -> None:
        if time.monotonic() - self._tried <= _SECONDS_BETWEEN_FETCHES:
            return
        try:
            self._keys = self._published()
            self._fetched = time.monotonic()
        except _UNREADABLE:
            log.warning("identity provider is away", known_keys=len(self._keys))
        finally:
            # Counted from the end: a provider that hangs is left alone afterwards, too.
            self._tried = time.monotonic()

    def _published(self) -> dict[str | None, dict[str, Any]]:
        told = json.loads(_content(self._url))
        keys = [
            key
            for key in told["keys"]
            if key.get("kty") != "oct" and key.get("use", "sig") == "sig"
        ]
        found = {key.get("kid"): key for key in keys}
        if len(keys) == 1:
            found[None] = keys[0]  # a token need not name the only one there is
        return found


def _content(url: str) -> bytes:
    """What stands at the URL. Raises one of `_UNREADABLE`, and within some seconds: the timeout of
    urlopen is that of each read, and a server that trickles has many.
    """
    until = time.monotonic() + _FETCH_TIMEOUT_SECONDS
    content = bytearray()
    with urlopen(url, timeout=_FETCH_TIMEOUT_SECONDS) as response:  # noqa: S310 - a setting
        while part := response.read1(_MOST_BYTES):
            content += part
            if len(content) > _MOST_BYTES:
                raise ValueError("more than any keys take")
            if time.monotonic() > until:
                raise TimeoutError
    return bytes(content)


class Provider:
    """Tells whom a token of the provider is about."""

    def __init__(self, claims: Claims, keys: PublishedKeys) -> None:
        self._claims = claims
        self._keys = keys

    def caller(self, token: str) -> Caller:
        """Who has the token. Raises NotAdmitted and ProviderAway."""
        try:
            told = self._checked(token)
        except jwt.ExpiredSignatureError:
            raise NotAdmitted("the token expired; get another one") from None
        except jwt.InvalidAudienceError:
            raise NotAdmitted(
                f"the token is for another audience; ask for one for {self._claims.audience}"
            ) from None
        except jwt.InvalidIssuerError:
            raise NotAdmitted(f"the token's issuer is not {self._claims.issuer}") from None
        except jwt.MissingRequiredClaimError as error:
            raise NotAdmitted(f"the token has no claim {error.claim}") from None
        except jwt.PyJWTError:
            raise NotAdmitted("the token is not signed by the identity provider") from None
        try:
            check_identifier(told["sub"])
        except NotAnIdentifier as error:
            raise NotAdmitted(f"the token's sub cannot be put on record: {error.message}") from None
        roles = {each for each in _texts(told, self._claims.role_claim) if each in {*Role}}
        return Caller(
            told["sub"],
            frozenset(Role(role) for role in roles),
            tuple(_texts(told, self._claims.source_claim)),
            until=datetime.fromtimestamp(told["exp"], UTC) + CLOCKS_APART,
        )

    def _checked(self, token: str) -> dict[str, Any]:
        """What the token says. Nothing of it is believed before its signature is checked, but which
        of the provider's keys to check it with, and by which of our algorithms.
        """
        header = jwt.get_unverified_header(token)
        algorithm, key_id = header.get("alg"), header.get("kid")
        if algorithm not in ALGORITHMS:
            raise NotAdmitted("the token must be signed with a public key's algorithm, as RS256")
        key = self._keys.named(key_id if isinstance(key_id, str) else None)
        if key is None or key.get("alg", algorithm) != algorithm:
            raise NotAdmitted("the token is signed with a key that the identity provider has not")
        told: dict[str, Any] = jwt.decode(
            token,
            jwt.PyJWK(key, algorithm),
            algorithms=[algorithm],
            audience=self._claims.audience,
            issuer=self._claims.issuer,
            leeway=CLOCKS_APART,
            options={"require": ["exp", "sub", "aud", "iss"]},
        )
        return told


def _texts(told: Mapping[str, Any], claim: str) -> Iterable[str]:
    """The texts in a claim, be it a list or one text; none where there is no such claim."""
    value: Any = told.get(claim)
    if value is None:
        value = told
        for part in claim.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
    found = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    return [each for each in found if isinstance(each, str)]
