"""An erased person is searched for in a full dump of the database and in every file there is.

What is searched for is a word in every personal field, in each of the forms in which somebody might
have written it down. While the program runs with the person's key in its memory, another process
erases the person.
"""

import base64
import json
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from audit.standalone.command import check_file
from consumers.producing import Record
from ledger.datastore import Datastore
from ledger.keys import MasterKey
from projections.registry import read_models
from projections.sides import build_side
from questions.registry import QUESTIONS
from schemas.codec import pii_fields
from servicetrail.embedded import EmbeddedPostgres
from servicetrail.postgres_programs import run
from servicetrail.publisher.outbox import OUTBOX_FILE, Outbox
from tests.audit.test_erasing import WITHOUT_PERSONAL, said
from tests.cli.conftest import Command
from tests.cli.test_up import stopped, up

TOKEN = "a-token-of-some-length"
SECRET = "Jörmungandr q7Zk2WvX9LbT4mRd"
LATER = "2027-01-01T00:00:00Z"


def forms(text: str) -> set[bytes]:
    """The ways in which a text may be written somewhere in the middle of something else."""
    data = text.encode()
    found = {text.encode(name) for name in ("utf-8", "utf-16-le", "utf-16-be", "latin-1")}
    found |= {data.hex().encode(), data.hex().upper().encode()}
    found |= {json.dumps(text)[1:-1].encode(), quote(text).encode(), repr(data)[2:-1].encode()}
    for shift in range(3):
        encoded = base64.b64encode(bytes(shift) + data)
        first, last = (0, 2, 3)[shift], (shift + len(data)) // 3 * 4
        found.add(encoded[first:last])
    return found


# The server writes long values and pages compressed, with something in between after eight letters.
WINDOWS = {SECRET.encode()[-16:][at : at + 8] for at in range(9)}
WORDS = forms(SECRET) | WINDOWS


def holds(data: bytes) -> bool:
    return any(word in data for word in WORDS)


def files_with_it(home: Path) -> list[str]:
    """The files below a directory, and those in archives, that hold it in any form."""
    return [name for name, data in contents(home) if holds(data)]


def contents(home: Path) -> Iterator[tuple[str, bytes]]:
    for path in home.rglob("*"):
        if path.is_file() and not path.is_symlink():
            yield path.name, path.read_bytes()
            if zipfile.is_zipfile(path):
                with zipfile.ZipFile(path) as archive:
                    yield from ((name, archive.read(name)) for name in archive.namelist())


def test_the_search_finds_every_form() -> None:
    around = f"a note of {SECRET}, twice"
    for text in (around, f"x{around}", f"xy{around}"):
        data = text.encode()
        for written in (data, text.encode("utf-16"), base64.b64encode(data), data.hex().encode(),
                        json.dumps(text).encode(), quote(text).encode()):  # fmt: skip
            assert any(word in written for word in forms(SECRET))


def events() -> Iterator[dict[str, Any]]:
    """Every type with something personal, a parked input, a conflict, a rejected one."""
    for number, (type_, data) in enumerate(WITHOUT_PERSONAL.items()):
        told = json.loads(json.dumps(data)) | {"customer_id": "C-1"}
        for path in pii_fields(type_):
            outer, _, name = path.rpartition(".")
            (told[outer] if outer else told)[name] = f"{type_} {path}: {SECRET}"
        yield event(f"e-{number}", type_, told)
    words = {"customer_id": "C-1", "words": SECRET}
    yield event("parked", "complaint.acknowledged.v1", words | {"complaint_id": "K-later"})
    yield event("e-0", "touchpoint.recorded.v1", WITHOUT_PERSONAL["touchpoint.recorded.v1"]
                | {"customer_id": "C-1", "note": f"otherwise {SECRET}"})  # fmt: skip
    yield event("rejected", "touchpoint.recorded.v1", {"customer_id": "C-1", "note": SECRET})
    yield event("of another", "complaint.raised.v1", {"customer_id": "C-2", "complaint_id": "K-9",
                "channel": "mail", "description": "Grace Hopper"})  # fmt: skip


def event(id_: str, type_: str, data: dict[str, Any]) -> dict[str, Any]:
    return {"specversion": "1.0", "id": id_, "source": "mail", "type": type_,
            "time": "2026-03-02T09:00:00Z", "data": data}  # fmt: skip


def tell(client: httpx.Client, *told: dict[str, Any]) -> None:
    headers = {"Content-Type": "application/cloudevents-batch+json"}
    assert client.post("/events", json=told, headers=headers).is_success


def figures(client: httpx.Client, position: int) -> dict[str, Any]:
    """What every question says, but for those that tell the customer's events themselves, and who
    looked, which this does.
    """
    while client.get("/status").json()["position"] < position:
        pass
    answers = {}
    for question in QUESTIONS:
        if question.subject not in ("customer_id", "position") and question.about != "access":
            path = question.path.replace(":id", "").format(complaint_id="K-1", promise_id="P-1")
            answers[path] = client.get(path, params={"as_of": LATER}).json().get("rows")
    return answers


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """With a database of its own, and everything that it writes in one directory."""
    made = Command(tmp_path, "")
    (tmp_path / "tmp").mkdir()
    made.environment |= {
        "TMPDIR": str(tmp_path / "tmp"),
        "SERVICETRAIL_LOG_LEVEL": "debug",
        "SERVICETRAIL_ACCESS_TOKEN": TOKEN,
    }
    return made


def put_into_outbox(path: Path) -> None:
    """An event that the brokers refused."""
    record = Record("mail", b"C-1", SECRET.encode(), [("ce_source", b"mail"), ("ce_id", b"1")], 0)
    with closing(Outbox(path, capacity=10)) as outbox:
        outbox.put([record])
        outbox.settle([], {1: "too large"}, [])


def test_nothing_of_an_erased_person_is_found_anywhere(command: Command) -> None:
    home, data = command.directory, command.directory / "data"
    with up(command) as (process, client):
        client.headers["Authorization"] = f"Bearer {TOKEN}"
        tell(client, *events())
        broken = b'{"about": "C-1", "note": "%s"' % SECRET.encode()
        headers = {"Content-Type": "application/cloudevents+json"}
        client.post("/events", content=broken, headers=headers)
        put_into_outbox(data / OUTBOX_FILE)
        before = figures(client, 7)
        server, master = EmbeddedPostgres(data), MasterKey.from_file(data / "master.key")
        with closing(Datastore(server.url)) as everything:
            build_side(everything, read_models, "before", 7)
        while client.get("/status").json()["not_sealed"]:
            pass
        (home / "before.zip").write_bytes(client.get("/evidence/customer/C-1").content)
        inputs = [row["kept_id"] for row in client.get("/dead-letters").json()["rows"]]
        assert len(inputs) == 4
        shown = [client.get(f"/dead-letters/{each}?reveal=true").text for each in inputs]
        assert all(holds(text.encode()) for text in shown)

        # It is there, for whoever has the keys; nowhere else but in the outbox, which has none.
        with closing(Datastore(server.owner_url)) as everything:
            assert sum(map(holds, said(everything, master))) == len(WITHOUT_PERSONAL) + 4
        assert files_with_it(home) == [OUTBOX_FILE]

        arguments = ("--customer", "C-1", "--basis", "article 17", "--yes")
        done = command.run("erase", *arguments, "--certificate", "erased.json")
        assert done.returncode == 0, done.stderr

        # The other process, which had the key, tells nothing any more and seals nothing with it.
        assert not any(
            holds(client.get(f"/dead-letters/{each}?reveal=true").content) for each in inputs
        )
        assert figures(client, 8) == before
        later = {"customer_id": "C-1", "channel": "mail", "direction": "inbound", "note": SECRET}
        tell(client, event("later", "touchpoint.recorded.v1", later | {"touchpoint_id": "T-9"}))
        with closing(Datastore(server.owner_url)) as everything:
            assert not any(map(holds, said(everything, master)))
            assert any(b"Grace Hopper" in text for text in said(everything, master))
        socket = (data / "postgres" / "postmaster.pid").read_text().splitlines()[4]
        status, dump = run("pg_dumpall", "-h", socket, "-U", "postgres")
        assert status == 0, dump
        assert "C-1" in dump
        assert not holds(dump.encode())
        _, stderr = stopped(process, 15)
        (home / "up.log").write_text(stderr)
    assert files_with_it(home) == []
    assert any(
        "the 6 events are all" in each for each in check_file(str(home / "before.zip")).proven
    )
    assert len(check_file(str(home / "erased.json")).proven) == 3
