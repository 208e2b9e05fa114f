"""`servicetrail dead-letters` as it is typed."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from servicetrail.cli.main import run
from servicetrail.cli.recording import login
from tests.cli.events import promise, touchpoint
from tests.conftest import DatabaseUrls

SIDEWAYS = touchpoint(1, direction="sideways", note="ring Ada Lovelace")


class Done(NamedTuple):
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


class Terminal:
    """Terminals run in this process, on the test's own database and directory."""

    def __init__(self, directory: Path, output: Callable[[], tuple[str, str]]) -> None:
        self.directory = directory
        self._output = output

    def run(self, *arguments: str | Path) -> Done:
        """Run one command."""
        self._output()
        return Done(run([*map(str, arguments)]), *self._output())

    def json(self, *arguments: str | Path) -> Any:
        """What a successful command wrote, read as JSON."""
        done = self.run(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def write_lines(self, name: str, events: list[dict[str, Any]]) -> Path:
        """A file of JSON Lines."""
        path = self.directory / name
        path.write_text("".join(json.dumps(event) + "\n" for event in events), encoding="utf-8")
        return path


@pytest.fixture
def command(
    tmp_path: Path,
    database_urls: DatabaseUrls,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Terminal:
    """A terminal on an empty ledger."""
    monkeypatch.setenv("SERVICETRAIL_DATABASE_URL", database_urls.owner)
    monkeypatch.setenv("SERVICETRAIL_DATA_DIR", str(tmp_path / "data"))
    return Terminal(tmp_path, capsys.readouterr)


@pytest.fixture
def operator(command: Terminal) -> Iterator[Terminal]:
    """At a ledger into which a file with something wrong was imported."""
    done = command.run("import", command.write_lines("bad.jsonl", [SIDEWAYS, touchpoint(2)]))
    assert done.returncode == 1
    yield command
    assert command.json("account", "--check")["differences"] == []


def rows(operator: Terminal, *arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = operator.json("dead-letters", "list", *arguments)["rows"]
    return found


def test_the_list_says_what_is_wrong_and_nothing_of_what_it_says(operator: Terminal) -> None:
    done = operator.run("dead-letters", "list")
    assert done.returncode == 0
    for shown in ("rejected", "unknown_symbol", "data.direction", "bad.jsonl 1"):
        assert shown in done.stdout
    answer = operator.json("dead-letters", "list")
    assert (answer["position"], answer["next"]) == (1, None)
    for text in (done.stdout, json.dumps(answer), operator.run("dead-letters", "show", "1").stdout):
        assert "Lovelace" not in text
        assert "sideways" not in text


def test_filters_and_pages(operator: Terminal) -> None:
    operator.run("import", operator.write_lines("more.jsonl", [promise("kept", "P-1")]))
    assert [row["kept_id"] for row in rows(operator)] == [2, 1]
    assert [row["kept_id"] for row in rows(operator, "--state", "parked")] == [2]
    assert [row["kept_id"] for row in rows(operator, "--reason", "unknown_symbol")] == [1]
    assert rows(operator, "--topic", "touchpoints") == []
    assert [row["kept_id"] for row in rows(operator, "1")] == [1]
    first = operator.json("dead-letters", "list", "--limit", "1")
    assert [r["kept_id"] for r in rows(operator, "--cursor", first["next"])] == [1]
    wrong = operator.run("dead-letters", "list", "--cursor", "x")
    assert (wrong.returncode, wrong.stdout) == (2, "")


def test_an_input_is_revealed_byte_for_byte_and_that_is_on_record(operator: Terminal) -> None:
    sent = (operator.directory / "bad.jsonl").read_bytes().splitlines()[0]
    copy = operator.directory / "copy"
    done = operator.run("dead-letters", "show", "1", "--reveal", "--out", copy, "--by", "ada")
    assert done.returncode == 0, done.stderr
    assert copy.read_bytes() == sent
    assert copy.stat().st_mode & 0o077 == 0
    again = operator.run("dead-letters", "show", "1", "--reveal", "--out", copy)
    assert (again.returncode, "is there already" in again.stderr) == (2, True)
    shown = operator.run("dead-letters", "show", "1", "--reveal")
    assert sent.decode() in shown.stdout
    history = operator.json("dead-letters", "show", "1")["rows"][0]["history"]
    assert (history[0]["step"], history[0]["who"]) == ("revealed", "ada")
    assert operator.run("dead-letters", "show", "1", "--out", copy).returncode == 2
    assert operator.run("dead-letters", "show", "7").stderr == (
        "servicetrail: there is no kept input 7\n"
    )


def test_a_repaired_file_is_taken_in_its_place(operator: Terminal) -> None:
    again = operator.run("dead-letters", "redrive", "--all")
    assert (again.returncode, "unknown_symbol" in again.stdout) == (1, True)
    repaired = operator.write_lines("repaired.json", [touchpoint(1, note="ring Ada Lovelace")])
    done = operator.json("dead-letters", "redrive", "1", "--edit", str(repaired), "--dry-run")
    assert (done["rows"][0]["outcome"], done["rows"][0]["position"]) == ("appended", None)
    # The first redrive is on record at position 2.
    done = operator.json("dead-letters", "redrive", "1", "--edit", str(repaired), "--by", "ada")
    assert (done["rows"][0]["outcome"], done["rows"][0]["position"]) == ("appended", 3)
    assert rows(operator) == []
    [row] = rows(operator, "--state", "redriven", "--position", "3")
    assert row["kept_id"] == 1
    history = operator.run("dead-letters", "show", "1").stdout
    assert "repaired" in history
    assert "ada" in history


def test_a_raised_limit_and_a_redrive(operator: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    large = operator.write_lines("large.jsonl", [touchpoint(3, note="x" * 3_000)])
    monkeypatch.setenv("SERVICETRAIL_MAX_EVENT_BYTES", "1000")
    assert operator.run("import", large).returncode == 1
    monkeypatch.delenv("SERVICETRAIL_MAX_EVENT_BYTES")
    done = operator.run("dead-letters", "redrive", "--reason", "too_large")
    assert done.returncode == 0, done.stderr
    assert "appended" in done.stdout
    assert [row["kept_id"] for row in rows(operator)] == [1]


def test_the_access_log_lists_what_was_done_the_latest_first(operator: Terminal) -> None:
    operator.run("hold", "--customer", "C-1", "--reason", "dispute 12")
    operator.run("dead-letters", "discard", "1", "--because", "a test of the shop")
    found = operator.json("access-log")["rows"]
    assert [(row["action"], row["kind"], row["ids"], row["who"], row["via"]) for row in found] == [
        ("discarded", "input", ["1"], login(), "command"),
        ("hold_placed", "customer", ["C-1"], login(), "command"),
    ]
    assert operator.json("access-log", "--action", "discarded")["rows"] == found[:1]
    assert operator.json("access-log", "--customer", "C-1")["rows"] == found[1:]
    assert operator.json("access-log", "--who", "nobody")["rows"] == []
    assert "hold_placed" in operator.run("access-log").stdout
    wrong = operator.run("access-log", "--action", "danced")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "discarded" in wrong.stderr


def test_a_discard_says_why(operator: Terminal) -> None:
    assert "--because" in operator.run("dead-letters", "discard", "1").stderr
    nothing = operator.run("dead-letters", "discard", "--because", "a test")
    assert "say which inputs" in nothing.stderr
    done = operator.run("dead-letters", "discard", "1", "--because", "a test of the shop")
    assert done.returncode == 0, done.stderr
    assert rows(operator) == []
    assert "a test of the shop" in operator.run("dead-letters", "show", "1").stdout
    again = operator.run("dead-letters", "redrive", "1")
    assert (again.returncode, "is discarded already" in again.stderr) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["redrive"], "say which inputs"),
        (["redrive", "--state", "parked", "--all"], "must be one of conflict, rejected"),
        (["redrive", "--edit", "nowhere", "--all"], "give its number"),
        (["redrive", "1", "--edit", "nowhere"], "nowhere: No such file"),
        (["redrive", "1", "--attribute", "type"], "NAME=VALUE"),
        (["list", "--json", "--csv"], "exclude each other"),
    ],
)
def test_what_cannot_be_understood_changes_nothing(
    command: Terminal, arguments: list[str], told: str
) -> None:
    done = command.run("dead-letters", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr
