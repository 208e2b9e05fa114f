"""Evidence: what it holds, that a bare Python verifies it, that nothing in it can be changed."""

import ast
import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

import pytest

from audit.answers import consistency_told
from audit.evidence import About, stand_alone, write_evidence
from audit.notes import COSIGNATURE, Note, PrivateKey, PublicKey
from audit.proofs import NothingSealed, cosign, newest
from audit.standalone.bundle import Verdict
from audit.standalone.command import check_file
from audit.standalone.proofs import Wrong
from ledger.erasing import Eraser
from tests.audit.sealed import Ledger, a_day, policy
from tests.audit.test_notes import cosigned

Files = dict[str, bytes]


def evidence(of: Ledger, kind: str, name: str, path: Path) -> Path:
    with path.open("wb") as stream:
        write_evidence(of.datastore, About(kind, name), stream)
    return path


def files_of(path: Path) -> Files:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(path: Path, files: Files) -> Path:
    """An archive whose manifest fits its files, whatever they are."""
    manifest = json.loads(files["manifest.json"])
    manifest["files"] = {
        name: sha256(data).hexdigest() for name, data in files.items() if name != "manifest.json"
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in {**files, "manifest.json": json.dumps(manifest).encode()}.items():
            archive.writestr(name, data)
    return path


@pytest.fixture
def grown(sealed: Ledger) -> Ledger:
    """Three sealed days and one more."""
    sealed.take(*a_day(4))
    sealed.sealer.seal()
    return sealed


def test_everything_about_a_customer_is_proven(grown: Ledger, tmp_path: Path) -> None:
    path = evidence(grown, "customer", "C-2", tmp_path / "c.zip")
    verdict = check_file(str(path), keys=[str(grown.keys.public[0])])
    text = " / ".join(verdict.proven)
    assert "each of the 12 events stands in this ledger" in text
    assert "the 12 events are all that the ledger had of customer C-2" in text
    assert "the first 16 events were sealed by" in text
    assert not any("whose key" in each for each in verdict.not_proven)
    files = files_of(path)
    rows = [json.loads(line) for line in files["events.jsonl"].splitlines()]
    stored = grown.query(
        "SELECT position, type, encode(facts, 'base64') FROM ledger.events "
        "WHERE customer_id = 'C-2' ORDER BY position"
    )
    assert [(row["position"], row["type"], row["facts"]) for row in rows] == [
        (position, type_, facts.replace("\n", "")) for position, type_, facts in stored
    ]
    names = {name for (name,) in grown.query(
        "SELECT attname FROM pg_attribute WHERE attrelid = 'ledger.events'::regclass AND attnum > 0"
    )}  # fmt: skip
    assert rows[0].keys() == names
    assert b"spoke with" not in b"".join(files.values())
    assert b"Promised by mail" in files["report.html"]


@pytest.mark.parametrize("kind", ["complaint", "promise"])
def test_the_steps_of_one_thing_are_proven(kind: str, grown: Ledger, tmp_path: Path) -> None:
    name = {"complaint": "K-2-3", "promise": "P-2-3"}[kind]
    verdict = check_file(str(evidence(grown, kind, name, tmp_path / "e.zip")))
    assert f"they are the first 1 about {kind}:{name}, none left out" in verdict.proven
    assert any("ask for the evidence of the customer" in each for each in verdict.not_proven)


def test_that_there_is_nothing_is_proven_as_well(
    fresh: Ledger, grown: Ledger, tmp_path: Path
) -> None:
    for number in range(20):  # some lead to nobody, some to somebody else
        path = evidence(grown, "customer", f"stranger-{number}", tmp_path / f"{number}.zip")
        told = f"the ledger had no event of customer stranger-{number} then"
        assert told in check_file(str(path)).proven


def test_proofs_go_on_holding_when_a_customer_is_erased(grown: Ledger, tmp_path: Path) -> None:
    before = evidence(grown, "customer", "C-2", tmp_path / "before.zip")
    Eraser(grown.datastore, grown.keyring, grown.intake).erase("C-2", basis="asked for")
    grown.sealer.seal()
    after = evidence(grown, "customer", "C-2", tmp_path / "after.zip")
    assert any("the 12 events are all" in each for each in check_file(str(before)).proven)
    assert any("the 13 events are all" in each for each in check_file(str(after)).proven)
    assert files_of(after)["events.jsonl"].startswith(files_of(before)["events.jsonl"])
    assert grown.check().faults == []


def test_without_a_checkpoint_there_is_no_evidence(fresh: Ledger) -> None:
    with pytest.raises(NothingSealed, match="servicetrail seal"):
        write_evidence(fresh.datastore, About("customer", "C-1"), io.BytesIO())
    fresh.take(policy(1))
    fresh.sealer.seal()
    with pytest.raises(NothingSealed, match="no promise P-1"):
        write_evidence(fresh.datastore, About("promise", "P-1"), io.BytesIO())


def changed(name: str, change: Callable[[Any], None]) -> Callable[[Files], None]:
    """A change in a JSON file of the evidence."""

    def apply(files: Files) -> None:
        value = json.loads(files[name])
        change(value)
        files[name] = json.dumps(value).encode()

    return apply


def line(number: int, **values: object) -> Callable[[Files], None]:
    """A change of some columns of an event."""

    def apply(files: Files) -> None:
        lines = files["events.jsonl"].splitlines(keepends=True)
        told = json.dumps(json.loads(lines[number]) | values, separators=(",", ":"))
        lines[number] = told.encode() + b"\n"
        files["events.jsonl"] = b"".join(lines)

    return apply


def lines(change: Callable[[list[bytes]], list[bytes]]) -> Callable[[Files], None]:
    """A change of which events there are."""

    def apply(files: Files) -> None:
        files["events.jsonl"] = b"\n".join(change(files["events.jsonl"].splitlines())) + b"\n"

    return apply


def text(name: str, old: bytes, new: bytes) -> Callable[[Files], None]:
    def apply(files: Files) -> None:
        assert old in files[name]
        files[name] = files[name].replace(old, new, 1)

    return apply


def lengthened(name: str, number: int) -> Callable[[Files], None]:
    """A hexadecimal column with one more byte."""

    def apply(files: Files) -> None:
        value = json.loads(files["events.jsonl"].splitlines()[number])[name]
        line(number, **{name: value + "00"})(files)

    return apply


def another_schema(files: Files) -> None:
    name = next(name for name in files if name.startswith("schemas/"))
    files[name] = files[name].replace(b"record", b"recorD", 1)


FORGERIES: dict[str, Callable[[Files], None]] = {
    "occurred_at": line(3, occurred_at="2026-03-02T12:00:01Z"),
    "recorded_at": line(3, recorded_at="2026-03-02T12:00:01.5Z"),
    "type": line(0, type="promise.kept.v1"),
    "facts": line(1, facts="AAAA"),
    "personal": line(0, personal=None),
    "source": line(2, source="other"),
    "id": line(2, id="other"),
    "event_id": line(2, event_id="00" * 16),
    "a longer event_id": lengthened("event_id", 2),
    "customer_id": line(2, customer_id="C-3"),
    "originator_id": line(2, originator_id="complaint:other"),
    "originator_version": line(2, originator_version=2),
    "position": line(2, position=8),
    "shard": line(2, shard=1),
    "time_assumed": line(2, time_assumed=True),
    "sequence": line(0, sequence=1),
    "correlation_id": line(2, correlation_id="x"),
    "causation_id": line(1, causation_id="x"),
    "fingerprint": line(2, fingerprint="00" * 8),
    "a value of another type": line(2, position="8"),
    "a word for a boolean": line(2, time_assumed="false"),
    "a column more": line(2, note="not proven"),
    "a column twice": text("events.jsonl", b'{"position":', b'{"position":1,"position":'),
    "a blank more": text("events.jsonl", b'{"position":', b'{"position": '),
    "an escape more": text("events.jsonl", b'"source":"t', b'"source":"\\u0074'),
    "no end of the last line": lambda files: files.update(
        {"events.jsonl": files["events.jsonl"].rstrip()}
    ),
    "a number out of range": line(2, sequence=2**64),
    "an event left out": lines(lambda each: each[:4] + each[5:]),
    "the last event left out": lines(lambda each: each[:-1]),
    "the first event left out": lines(lambda each: each[1:]),
    "all events left out": lines(lambda each: each[:0]),
    "an event twice": lines(lambda each: [*each[:4], each[3], *each[4:]]),
    "events in another order": lines(lambda each: [each[1], each[0], *each[2:]]),
    "half an event": lines(lambda each: [*each[:-1], each[-1][:50]]),
    "a hash of the proof": changed(
        "proof.json", lambda p: p["inclusion"].__setitem__(0, p["inclusion"][1])
    ),
    "a shorter proof": changed("proof.json", lambda p: p["inclusion"].pop()),
    "a longer proof": changed("proof.json", lambda p: p["inclusion"].append(p["inclusion"][0])),
    "a hash of another length": changed(
        "proof.json", lambda p: p["inclusion"].__setitem__(0, "AAAA")
    ),
    "a shorter proof of completeness": changed(
        "proof.json", lambda p: p["customer"]["beside"].pop()
    ),
    "a longer proof of completeness": changed(
        "proof.json", lambda p: p["customer"]["beside"].append(p["customer"]["beside"][0])
    ),
    "no proof of completeness": changed("proof.json", lambda p: p.pop("customer")),
    "another customer": changed("manifest.json", lambda m: m["about"].update(customer="C-1")),
    "another format": changed("manifest.json", lambda m: m.update(format="2")),
    "about nothing": changed("manifest.json", lambda m: m.update(about={})),
    "a schema": another_schema,
    "a proof of schemas": changed("proof.json", lambda p: p["register"].pop()),
    "an entry of a schema": changed("proof.json", lambda p: p["schemas"][0].update(number=3)),
    "an earlier checkpoint's proof": changed(
        "proof.json", lambda p: p["earlier"][0]["consistency"].pop()
    ),
    "an earlier checkpoint": text("proof.json", b"sealed 20", b"sealed 19"),
    "the time of the checkpoint": text("checkpoint.txt", b"sealed 20", b"sealed 19"),
    "the size of the checkpoint": text("checkpoint.txt", b"\n64\n", b"\n65\n"),
    "the signature": lambda files: files.update(
        {"checkpoint.txt": files["checkpoint.txt"][:-40] + files["checkpoint.txt"][-40:].swapcase()}
    ),
    "no key": lambda files: files.update({"keys.txt": b""}),
    "another key": lambda files: files.update(
        {"keys.txt": str(PrivateKey("x", bytes(32)).public).encode()}
    ),
}  # fmt: skip


def test_a_forgery_is_refused(grown: Ledger, tmp_path: Path) -> None:
    right = files_of(evidence(grown, "customer", "C-2", tmp_path / "c.zip"))
    assert check_file(str(packed(tmp_path / "right.zip", right)))
    for name, forge in FORGERIES.items():
        files = dict(right)
        forge(files)
        assert files != right, name
        try:
            check_file(str(packed(tmp_path / "forged.zip", files)))
        except Wrong:
            continue
        pytest.fail(f"{name} was not found to be forged")


def test_a_forger_with_a_key_of_his_own_is_refused_by_who_knows_the_right_one(
    grown: Ledger, tmp_path: Path
) -> None:
    files = files_of(evidence(grown, "customer", "C-2", tmp_path / "c.zip"))
    key = PrivateKey(grown.keys.origin, bytes(32))
    note = Note.parse(files["checkpoint.txt"].decode())
    files["checkpoint.txt"] = str(Note(note.text, (key.sign(note.text),))).encode()
    files["keys.txt"] = str(key.public).encode()
    files["proof.json"] = json.dumps(json.loads(files["proof.json"]) | {"earlier": []}).encode()
    path = str(packed(tmp_path / "forged.zip", files))
    assert any("whose key" in each for each in check_file(path).not_proven)
    with pytest.raises(Wrong, match="none of the keys that you gave"):
        check_file(path, keys=[str(grown.keys.public[0])])


def test_files_must_be_those_of_the_manifest(grown: Ledger, tmp_path: Path) -> None:
    path = evidence(grown, "customer", "C-2", tmp_path / "c.zip")
    files = files_of(path)
    for name in files:
        for data in (None, files[name] + b" "):
            with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
                for each, content in files.items():
                    if each != name:
                        archive.writestr(each, content)
                    elif data is not None:
                        archive.writestr(each, data)
            if name == "manifest.json" and data is not None:
                continue  # a blank more or less is the same manifest
            with pytest.raises(Wrong):
                check_file(str(tmp_path / "x.zip"))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("more.txt", "more")
    with pytest.raises(Wrong, match="added"):
        check_file(str(path))


def test_truncated_archives_are_refused(grown: Ledger, tmp_path: Path) -> None:
    whole = evidence(grown, "customer", "C-2", tmp_path / "c.zip").read_bytes()
    for length in (0, 10, len(whole) // 2, len(whole) - 1):
        (tmp_path / "cut.zip").write_bytes(whole[:length])
        with pytest.raises(Wrong):
            check_file(str(tmp_path / "cut.zip"))


def test_a_damaged_archive_is_refused_or_says_the_same(grown: Ledger, tmp_path: Path) -> None:
    path = evidence(grown, "customer", "C-2", tmp_path / "c.zip")
    right, whole, chance = check_file(str(path)), path.read_bytes(), Random(7)
    refused = 0
    for _ in range(150):
        at, damaged = chance.randrange(len(whole)), bytearray(whole)
        damaged[at : at + chance.choice([0, 1, 20])] = chance.randbytes(chance.choice([0, 1, 7]))
        path.write_bytes(damaged)
        try:
            assert check_file(str(path)) == right
        except Wrong:
            refused += 1
    assert refused > 100


def test_an_auditor_s_own_checkpoint_is_compared(grown: Ledger, tmp_path: Path) -> None:
    path = str(evidence(grown, "customer", "C-2", tmp_path / "c.zip"))
    notes = [n for (n,) in grown.query("SELECT note FROM seal.checkpoints ORDER BY number")]
    verdict = check_file(path, checkpoints=[notes[0], notes[1], notes[3]])
    known = [each for each in verdict.proven if "your checkpoint" in each]
    assert len(known) == 2
    assert any("ask for a consistency proof from 32 to 64" in each for each in verdict.not_proven)
    with grown.datastore.transaction() as cursor:
        proof = consistency_told(cursor, 32, 64).model_dump_json()
        other_proof = consistency_told(cursor, 16, 64).model_dump_json()
    [known] = [
        each
        for each in check_file(path, checkpoints=[notes[1]], growths=[other_proof, proof]).proven
        if "your checkpoint" in each
    ]
    assert known.endswith("of 32 events is of the same ledger, which has only grown since")
    forged = other_proof.replace('"first_size":16', '"first_size":32')
    with pytest.raises(Wrong, match="proof of growth"):
        check_file(path, checkpoints=[notes[1]], growths=[forged])
    grown.take(policy(9))
    grown.sealer.seal()
    with grown.datastore.transaction() as cursor:
        later, proof = str(newest(cursor).note), consistency_told(cursor, 64, 65).model_dump_json()
    assert any(
        "which only grew until then" in each
        for each in check_file(path, checkpoints=[later], growths=[proof]).proven
    )
    other = PrivateKey(grown.keys.origin, bytes(32))
    forged = notes[0].partition("\n\n")[0].replace("\n16\n", "\n64\n") + "\n"
    with pytest.raises(Wrong, match="other events"):
        check_file(path, checkpoints=[str(Note(forged, (other.sign(forged),)))])


def test_cosignatures_are_taken_stored_and_shown(grown: Ledger, tmp_path: Path) -> None:
    with grown.datastore.transaction() as cursor:
        note = newest(cursor).note
    witness, signature = cosigned(note.text)
    stranger, unknown = cosigned(note.text, "other.example/w2")
    with grown.datastore.transaction() as cursor:
        brought = str(Note(note.text, (*note.signatures, signature, unknown)))
        assert cosign(cursor, brought, [witness]) == {witness.name: True, stranger.name: False}
        assert cosign(cursor, brought, [witness]) == {witness.name: True, stranger.name: False}
        assert set(newest(cursor).note.signatures) == {*note.signatures, signature, unknown}
    path = str(evidence(grown, "customer", "C-2", tmp_path / "c.zip"))
    verdict = check_file(path, witnesses=[str(witness)])
    assert f"the witness {witness.name} has seen the same checkpoint" in verdict.proven
    liar = PublicKey(witness.name, bytes(31) + b"\1", COSIGNATURE)
    assert f"the witness {witness.name}" not in " ".join(
        check_file(path, witnesses=[str(liar)]).proven
    )
    assert grown.check().faults == []


def test_a_wrong_cosignature_of_a_known_witness_is_refused(grown: Ledger) -> None:
    with grown.datastore.transaction() as cursor:
        note = newest(cursor).note
        witness, signature = cosigned(note.text + "another\n")
        with pytest.raises(Exception, match="is wrong"):
            cosign(cursor, str(Note(note.text, (signature,))), [witness])
        other = note.text.replace("\n64\n", "\n65\n")
        with pytest.raises(NothingSealed, match="no checkpoint of this ledger"):
            cosign(cursor, str(Note(other, (signature,))), [witness])


def bare(arguments: list[str], directory: Path) -> subprocess.CompletedProcess[str]:
    """Python without site packages, without environment, without this project."""
    return subprocess.run(
        [sys.executable, "-I", "-S", *arguments],
        cwd=directory,
        env={},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_verifier_in_the_archive_runs_in_a_bare_python(grown: Ledger, tmp_path: Path) -> None:
    path = evidence(grown, "customer", "C-2", tmp_path / "c.zip")
    unpacked = tmp_path / "unpacked"
    with zipfile.ZipFile(path) as archive:
        archive.extractall(unpacked)
    done = bare(["verify.py", "--key", str(grown.keys.public[0])], unpacked)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the 12 events are all" in done.stdout
    assert not done.stderr
    assert bare([str(unpacked / "verify.py"), str(path)], tmp_path).stdout.startswith("Proven:")
    events = (unpacked / "events.jsonl").read_text()
    (unpacked / "events.jsonl").write_text(events.replace('"source":"test"', '"source":"Test"', 1))
    forged = bare(["verify.py"], unpacked)
    assert (forged.returncode, forged.stdout[:6]) == (1, "WRONG:")
    assert bare(["verify.py", "not-there.zip"], unpacked).returncode == 2


def test_the_verifier_is_one_file_in_which_no_name_hides_another() -> None:
    statements = ast.parse(stand_alone()).body
    imported = {
        alias.asname or alias.name
        for each in statements
        if isinstance(each, ast.ImportFrom)
        for alias in each.names
    }
    names = [name for each in statements for name in defined(each)]
    assert sorted([*names, *imported]) == sorted({*names, *imported})


def defined(statement: ast.stmt) -> list[str]:
    """The names that a statement defines."""
    match statement:
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            return [name]
        case ast.Assign(targets=targets):
            names = [each for target in targets for each in ast.walk(target)]
            return [each.id for each in names if isinstance(each, ast.Name)]
        case _:
            return []


def test_the_verifier_imports_python_only() -> None:
    imported = {
        each.split()[1].partition(".")[0]
        for each in stand_alone().splitlines()
        if each.startswith(("import ", "from "))
    }
    assert imported <= sys.stdlib_module_names


def test_a_large_archive_is_read_by_several_processes(
    fresh: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("audit.standalone.events._PARALLEL_FROM_BYTES", 1_000)
    monkeypatch.setattr("audit.standalone.events._CHUNK_BYTES", 2_000)
    for number in range(10):
        fresh.take(*a_day(number, customers=1))
    fresh.sealer.seal()
    verdict: Verdict = check_file(str(evidence(fresh, "customer", "C-0", tmp_path / "c.zip")))
    assert any("the 30 events are all" in each for each in verdict.proven)
