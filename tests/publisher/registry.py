"""A schema registry that keeps what is registered, by the REST interface of Confluent's.

Compatible is what keeps the fields that a subject's last version has.
"""

import json
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import unquote, urlsplit

NO_SUBJECT = (HTTPStatus.NOT_FOUND, {"error_code": 40401, "message": "Subject not found."})
NO_PAGE = (HTTPStatus.NOT_FOUND, {"error_code": 404, "message": "HTTP 404 Not Found"})
NO_SCHEMA = (HTTPStatus.NOT_FOUND, {"error_code": 40403, "message": "Schema not found"})
UNAUTHORIZED = (HTTPStatus.UNAUTHORIZED, {"error_code": 40101, "message": "Unauthorized"})
Answer = tuple[HTTPStatus, dict[str, Any]]


class RegistryServer:
    """Serves on a free port until it is closed. `subjects` has each subject's versions."""

    def __init__(self) -> None:
        self.subjects: dict[str, list[str]] = {}
        self.texts: list[str] = []
        self.registrations = 0
        self.credentials: str | None = None
        """What must stand in the header Authorization, if anything must."""
        registry = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(self._refused() or registry.get(self._asked()))

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                text = json.loads(body)["schema"]
                self._answer(self._refused() or registry.post(self._asked(), text))

            def _asked(self) -> str:
                return unquote(urlsplit(self.path).path)

            def _refused(self) -> Answer | None:
                asked = self.headers["Authorization"]
                return None if registry.credentials in (None, asked) else UNAUTHORIZED

            def _answer(self, answer: Answer) -> None:
                body = json.dumps(answer[1]).encode()
                self.send_response(answer[0])
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def get(self, path: str) -> Answer:
        prefix, _, last = path.rpartition("/")
        if prefix != "/schemas/ids":
            return NO_SUBJECT
        number = int(last)
        if number >= 2**31:
            return NO_PAGE
        if not 0 < number <= len(self.texts):
            return NO_SCHEMA
        return HTTPStatus.OK, {"schema": self.texts[number - 1]}

    def post(self, path: str, text: str) -> Answer:
        if path.startswith("/compatibility/"):
            subject = path.split("/")[3]
            versions = self.subjects.get(subject)
            if not versions:
                return NO_SUBJECT
            return HTTPStatus.OK, {"is_compatible": self._is_compatible(versions[-1], text)}
        subject = path.split("/")[2]
        if path.endswith("/versions"):
            return self._register(subject, text)
        if subject not in self.subjects:
            return NO_SUBJECT
        if text not in self.subjects[subject]:
            return NO_SCHEMA
        return HTTPStatus.OK, {"subject": subject, "id": self.texts.index(text) + 1}

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _register(self, subject: str, text: str) -> Answer:
        self.registrations += 1
        versions = self.subjects.setdefault(subject, [])
        if text not in versions:
            if versions and not self._is_compatible(versions[-1], text):
                return HTTPStatus.CONFLICT, {"error_code": 409, "message": "incompatible"}
            versions.append(text)
        if text not in self.texts:
            self.texts.append(text)
        return HTTPStatus.OK, {"id": self.texts.index(text) + 1}

    @staticmethod
    def _is_compatible(old: str, new: str) -> bool:
        names = [{field["name"] for field in json.loads(text)["fields"]} for text in (old, new)]
        return names[0] <= names[1]
