"""The manifest says what a file is, and whether it still is that."""

import json
from pathlib import Path

import pytest

from audit.exports.exporting import begin
from audit.exports.manifest import ManifestWrong, manifest_of, verify_export
from domain import EVENT_TYPES
from ledger.access import Actor, access_recorded
from ledger.datastore import Datastore
from schemas.codec import fingerprint_of
from tests.exports.telling import AS_OF, HISTORY, exported
from tests.projections.history import tell


@pytest.fixture
def file(datastore: Datastore, tmp_path: Path) -> Path:
    tell(datastore, HISTORY)
    path = tmp_path / "all.jsonl"
    exported(datastore, "jsonl", path, customers=("Ada", "Bob"))
    return path


def test_it_says_what_the_file_is(file: Path) -> None:
    manifest = verify_export(file)

    assert manifest["events"] == 10
    assert manifest["known_position"] == 11
    assert manifest["known_at"] is not None
    assert manifest["events_by_type"]["touchpoint.recorded.v1"] == 3
    assert manifest["selection"] == {
        "customers": ["Ada", "Bob"],
        "types": None,
        "channels": None,
        "from": None,
        "to": None,
    }
    assert manifest["schemas"] == {
        type_: [fingerprint_of(type_).hex()]
        for type_ in EVENT_TYPES
        if type_ in manifest["events_by_type"]
    }
    assert manifest["program"] == "servicetrail test"


@pytest.mark.parametrize("at", [0, 100, -1])
def test_a_byte_that_changed_is_found(file: Path, at: int) -> None:
    content = bytearray(file.read_bytes())
    content[at] ^= 1
    file.write_bytes(content)

    with pytest.raises(ManifestWrong, match="SHA-256"):
        verify_export(file)


def test_what_is_missing_or_too_much_is_found(file: Path) -> None:
    content = file.read_bytes()
    for other in (content[:-1], content + b"\n", b""):
        file.write_bytes(other)
        with pytest.raises(ManifestWrong, match="bytes"):
            verify_export(file)


def test_a_manifest_of_another_file_or_of_none_is_refused(file: Path) -> None:
    other = file.with_name("other.jsonl")
    other.write_bytes(file.read_bytes())
    with pytest.raises(ManifestWrong, match="no manifest"):
        verify_export(other)

    manifest_of(other).write_bytes(manifest_of(file).read_bytes())
    with pytest.raises(ManifestWrong, match=r"all\.jsonl"):
        verify_export(other)

    for text in ("{", "[]", json.dumps({"manifest": "another"})):
        manifest_of(other).write_text(text)
        with pytest.raises(ManifestWrong):
            verify_export(other)


@pytest.mark.parametrize(
    "change",
    [{"events": 11}, {"as_of": "2026-01-01T00:00:00Z"}, {"known_position": 12}, {"program": "x"}],
)
def test_a_manifest_that_was_changed_alone_is_found(file: Path, change: dict[str, object]) -> None:
    manifest = json.loads(manifest_of(file).read_text())
    manifest_of(file).write_text(json.dumps(manifest | change))

    with pytest.raises(ManifestWrong, match="manifest_sha256"):
        verify_export(file)

    manifest_of(file).write_text(json.dumps(manifest))
    assert verify_export(file) == manifest


@pytest.mark.parametrize("name", ["bytes", "events", "as_of", "sha256", "manifest_sha256"])
def test_a_manifest_without_a_value_or_with_one_of_another_kind_says_which(
    file: Path, name: str
) -> None:
    manifest = json.loads(manifest_of(file).read_text())
    without = {key: value for key, value in manifest.items() if key != name}
    for changed in (without, without | {name: None}, without | {name: [1]}):
        manifest_of(file).write_text(json.dumps(changed))
        with pytest.raises(ManifestWrong, match=f"no {name} that is"):
            verify_export(file)


def test_a_long_selection_is_on_record_in_full(datastore: Datastore) -> None:
    channels = tuple(f"channel-{number}" for number in range(300))
    export = begin(datastore, "jsonl", as_of=AS_OF, channels=channels)

    told = json.loads(access_recorded(Actor("ada", "command"), export.access()).body)

    details = json.loads(told["details"])
    assert details["selection"]["channels"] == sorted(channels)
