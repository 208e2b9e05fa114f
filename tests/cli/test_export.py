"""`export` says what is wrong before it writes anything, and whether a file is as exported."""

from pathlib import Path
from typing import Any

import pytest

from servicetrail.cli.errors import Fail
from servicetrail.cli.exporting import export_command
from tests.cli.conftest import Command
from tests.cli.events import promise, touchpoint
from tests.projections.history import at


def test_a_file_is_written_once_and_a_change_is_found(command: Command) -> None:
    events = [touchpoint(1), promise("made", "P-1")]
    assert command.run("import", command.write_lines("events.jsonl", events)).returncode == 0
    written = command.run("export", "--format", "jsonl", "--out", "all.jsonl")
    assert (written.returncode, written.stderr) == (0, "")
    assert written.stdout.startswith("2 events in all.jsonl, as of ")

    again = command.run("export", "--format", "csv", "--out", "all.jsonl")
    assert (again.returncode, "is there already" in again.stderr) == (2, True)

    file = command.directory / "all.jsonl"
    file.write_bytes(file.read_bytes().replace(b"P-1", b"P-2"))
    checked = command.run("export", "--verify", "all.jsonl")
    assert (checked.returncode, "SHA-256" in checked.stderr) == (1, True)


def test_who_exports_is_on_record_once_somebody_has_a_token(command: Command) -> None:
    events = [touchpoint(1)]
    assert command.run("import", command.write_lines("events.jsonl", events)).returncode == 0
    assert command.run("token", "create", "--name", "Ada", "--role", "auditor").returncode == 0
    asked = ("export", "--format", "jsonl", "--customer", "C-1", "--out", "C-1.jsonl")
    assert command.run(*asked).returncode == 0
    [token] = command.json("token", "list")["rows"]
    exported, created = command.json("access-log")["rows"]
    assert (created["action"], created["ids"]) == ("token_created", [token["token_id"]])
    assert (exported["action"], exported["via"]) == ("exported", "command")
    assert (exported["ids"], exported["customer_id"]) == (["C-1"], "C-1")
    assert exported["who"] == created["who"] == token["created_by"]


X = Path("x")
MAPPING = Path("mapping.json")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, "give --format"),
        ({"format_": "pdf", "out_file": X}, "give --format"),
        (
            {"format_": "csv", "out_file": X, "types": ["promise"]},
            "no event type is called promise",
        ),
        ({"format_": "xes", "out_file": X, "case": "ticket"}, "no notion of a case"),
        ({"format_": "csv", "out_file": X, "mapping": MAPPING}, "give --format xes"),
        ({"format_": "xes", "out_file": X, "mapping": MAPPING}, "names a file of JSON"),
        (
            {"format_": "csv", "out_file": X, "from_": at("2026-03-02"), "to": at("2026-03-01")},
            "must not be before --from",
        ),
        ({"verify": X}, "there is no manifest"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_written(
    given: dict[str, Any], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    with pytest.raises(Fail, match=says):
        export_command(**given)

    assert list(tmp_path.iterdir()) == []
