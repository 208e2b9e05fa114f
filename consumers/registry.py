"""Schemas by number, from a Confluent-compatible schema registry."""

import json
from base64 import b64encode
from http import HTTPStatus
from http.client import HTTPException
from threading import Lock
from urllib.error import HTTPError
from urllib.parse import unquote, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

import structlog
from cachetools import TTLCache

from ledger.datastore import Datastore
from ledger.registry_numbers import RegistryNumbers
from schemas.avro_data import RegistryUnavailable

_log = structlog.get_logger(__name__)
_MEDIA_TYPE = "application/vnd.schemaregistry.v1+json"
_SCHEMA_NOT_FOUND = 40403
# Asked again, a registry says the same: that it has no such number, or that it is none for it.
_FINAL = {HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY}
_REFUSED = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
_UNKNOWN_SECONDS = 10
_UNKNOWN_KEPT = 1_000


class Registry:
    """Looks schemas up over the registry's REST interface, each number once.

    A number means the same schema for ever, so known numbers survive an outage of the registry,
    and with a `datastore` also a restart of the program while it lasts. That a number is unknown is
    remembered for a few seconds only, because it may be about to be registered. `url` is the
    registry's root; `username` and `password` go out as basic
    authentication, and may stand in the URL instead. Any number of threads may use it.
    """

    def __init__(
        self,
        url: str,
        *,
        username: str | None = None,
        password: str | None = None,
        timeout_seconds: float = 10,
        datastore: Datastore | None = None,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("the schema registry's address starts with http:// or https://")
        self._root = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl().rstrip("/")
        self._headers = {"Accept": f"{_MEDIA_TYPE}, application/json"}
        username = username or unquote(parts.username or "")
        password = password or unquote(parts.password or "")
        if username:
            credentials = f"{username}:{password}".encode()
            self._headers["Authorization"] = "Basic " + b64encode(credentials).decode()
        self._timeout = timeout_seconds
        self._opener = build_opener(_NoRedirects)
        self._numbers = None if datastore is None else RegistryNumbers(datastore, self._root)
        self._known: dict[int, str] = {}
        self._unknown: TTLCache[int, bool] = TTLCache(_UNKNOWN_KEPT, _UNKNOWN_SECONDS)
        self._lock = Lock()

    def schema_for(self, schema_id: int) -> str | None:
        """The text of the schema with that number, or None if there is none.

        Raises `RegistryUnavailable` for a number not seen before while the registry is away, or
        refuses us, and the errors of `eventsourcing.persistence`.
        """
        found = self._known.get(schema_id)
        if found is not None:
            return found
        with self._lock:
            if schema_id not in self._known and schema_id not in self._unknown:
                text = self._look_up(schema_id)
                if text is None:
                    self._unknown[schema_id] = True
                else:
                    self._known[schema_id] = text
            return self._known.get(schema_id)

    def _look_up(self, schema_id: int) -> str | None:
        try:
            text = self._fetch(f"/schemas/ids/{schema_id}")
        except RegistryUnavailable as away:
            remembered = None if self._numbers is None else self._numbers.recall(schema_id)
            if remembered is None:
                raise
            _log.warning(
                "the schema registry does not answer, its number is remembered",
                number=schema_id,
                reason=str(away),
            )
            return remembered
        if text is not None and self._numbers is not None:
            self._numbers.remember(schema_id, text)
        return text

    def _fetch(self, path: str) -> str | None:
        status, body = self._exchange(Request(self._root + path, headers=self._headers))  # noqa: S310 (http, checked)
        if status in _FINAL and (_names_no_schema(body) or self._is_there()):
            return None
        if status != HTTPStatus.OK:
            raise RegistryUnavailable(f"it answers {status} to {path}")
        try:
            answer = json.loads(body)
            schema, kind = answer["schema"], answer.get("schemaType", "AVRO")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise RegistryUnavailable(f"no answer to {path}: {type(error).__name__}") from error
        if kind != "AVRO" or not isinstance(schema, str):
            _log.warning("schema of the registry is no Avro schema", number=path.rpartition("/")[2])
            return None
        return schema

    def _is_there(self) -> bool:
        """Whether it is a registry that answers, rather than a server at a wrong address."""
        request = Request(f"{self._root}/schemas/types", headers=self._headers)  # noqa: S310 (http, checked)
        status, body = self._exchange(request)
        try:
            return status == HTTPStatus.OK and isinstance(json.loads(body), list)
        except ValueError:
            return False

    def _exchange(self, request: Request) -> tuple[int, bytes]:
        """Status and body of whatever is answered, in full. Raises `RegistryUnavailable`, also
        where we are not let in.
        """
        path = request.full_url.removeprefix(self._root)
        try:
            try:
                response = self._opener.open(request, timeout=self._timeout)
            except HTTPError as error:
                response = error
            with response:
                status, body = response.status, response.read()
        except (HTTPException, OSError, ValueError) as error:
            raise RegistryUnavailable(f"no answer to {path}: {type(error).__name__}") from error
        if status in _REFUSED:
            raise RegistryUnavailable(
                f"it refuses us with {status} at {path}: SERVICETRAIL_SCHEMA_REGISTRY_USER and "
                "SERVICETRAIL_SCHEMA_REGISTRY_PASSWORD must be those of a user who may do this"
            )
        return status, body


def _names_no_schema(body: bytes) -> bool:
    """Whether the registry itself says that it has no schema of that number."""
    try:
        return bool(json.loads(body)["error_code"] == _SCHEMA_NOT_FOUND)
    except (ValueError, KeyError, TypeError):
        return False


class _NoRedirects(HTTPRedirectHandler):
    """Credentials go to the registry that was set, and to no other."""

    def redirect_request(self, *_: object) -> None:
        return None
