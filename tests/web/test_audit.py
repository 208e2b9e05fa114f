"""Checkpoints, proofs and evidence over HTTP."""

import base64
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from audit.standalone.command import check_file
from audit.standalone.proofs import check_consistency, read_checkpoint, root_of_some, signed_by
from tests.audit.sealed import KEYS, Ledger, a_day, ledger, sealed_days
from tests.audit.test_notes import cosigned
from tests.web.conftest import Api


@pytest.fixture
def sealed(api: Api, database_url: str, tmp_path: Path) -> Iterator[Ledger]:
    with ledger(database_url, tmp_path / "checkpoints") as opened:
        sealed_days(opened)
        yield opened


def hashes(texts: list[str]) -> list[bytes]:
    return [base64.b64decode(text) for text in texts]


def test_checkpoints_are_listed_and_shown_as_signed(api: Api, sealed: Ledger) -> None:
    rows = api.client.get("/checkpoints").json()["rows"]
    assert [(row["number"], row["size"]) for row in rows] == [(3, 48), (2, 32), (1, 16)]
    assert api.client.get("/checkpoints?limit=1&before=3").json() == {"rows": rows[1:2]}
    latest = api.client.get("/checkpoints/latest")
    assert latest.headers["content-type"].startswith("text/plain")
    assert latest.text == rows[0]["note"] == api.client.get("/checkpoints/3").text
    [key] = api.client.get("/checkpoints/keys").json()["rows"]
    assert key == {"key": str(KEYS.public[0]), "from_checkpoint": 1, "to_checkpoint": None}
    assert signed_by(read_checkpoint(latest.text), key["key"])


def test_proofs_prove(api: Api, sealed: Ledger) -> None:
    for position in (1, 17, 48):
        proof = api.client.get(f"/proofs/inclusion/{position}").json()
        [leaf, root] = hashes([proof["leaf_hash"], proof["root"]])
        found = root_of_some([(position - 1, leaf)], proof["tree_size"], hashes(proof["hashes"]))
        assert found == root == read_checkpoint(proof["checkpoint"]).root
    grown = api.client.get("/proofs/consistency?from=16&to=48").json()
    old, new = hashes([grown["first_root"], grown["second_root"]])
    check_consistency(16, old, 48, new, hashes(grown["hashes"]))


def test_evidence_is_downloaded_and_verifies(api: Api, sealed: Ledger, tmp_path: Path) -> None:
    response = api.client.get("/evidence/customer/C-3")
    assert response.headers["content-type"] == "application/zip"
    assert zipfile.is_zipfile(io.BytesIO(response.content))
    (tmp_path / "c.zip").write_bytes(response.content)
    proven = check_file(str(tmp_path / "c.zip"), keys=[str(KEYS.public[0])]).proven
    assert any("the 9 events are all" in each for each in proven)


def test_cosignatures_are_taken_once_their_checkpoint_is_ours(api: Api, sealed: Ledger) -> None:
    note = api.client.get("/checkpoints/latest").text
    text = note.partition("\n\n")[0] + "\n"
    _, signature = cosigned(text)

    def post(content: str) -> httpx.Response:
        headers = {"Content-Type": "text/plain"}
        url = "/checkpoints/cosignatures"
        return api.client.post(url, content=content.encode(), headers=headers)

    assert post(note + signature.line()).json() == {"witness.example/w1": False}
    assert api.client.get("/checkpoints/latest").text == note + signature.line()
    assert post(note).status_code == 422
    assert post("anything").status_code == 422
    assert post(text.replace("\n48\n", "\n49\n") + "\n" + signature.line()).status_code == 404


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/checkpoints/4", 404),
        ("/proofs/inclusion/49", 404),
        ("/proofs/inclusion/0", 422),
        ("/proofs/consistency?from=17&to=48", 404),
        ("/proofs/consistency?from=48&to=16", 422),
        ("/evidence/promise/none", 404),
        ("/evidence/employee/E-1", 422),
        ("/evidence/customer/%00", 422),
    ],
)
def test_what_is_not_there_is_told(path: str, status: int, api: Api, sealed: Ledger) -> None:
    response = api.client.get(path)
    assert response.status_code == status
    assert response.json()["detail"]


def test_nothing_is_proven_before_it_is_sealed(api: Api, database_url: str, tmp_path: Path) -> None:
    with ledger(database_url, tmp_path) as opened:
        opened.take(*a_day(1))
    assert api.client.get("/checkpoints").json() == {"rows": []}
    assert api.client.get("/checkpoints/latest").status_code == 404
    assert "servicetrail seal" in api.client.get("/proofs/inclusion/1").json()["detail"]


def test_without_a_checkpoint_there_is_no_key_either(api: Api) -> None:
    response = api.client.get("/checkpoints/keys")
    assert (response.status_code, response.json()) == (200, {"rows": []})
