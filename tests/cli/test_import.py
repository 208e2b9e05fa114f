"""Files come in through the one door: what was not taken is said, and nothing is doubled."""

import gzip
import json
import os
import signal
import time
from pathlib import Path

import pytest

from tests.cli.conftest import PATIENCE_SECONDS, Command
from tests.cli.events import promise, touchpoint


def outcomes(text: str) -> dict[str, int]:
    """The counts of the summary."""
    counts = (line.split() for line in text.splitlines() if len(line.split()) == 2)
    return {name: int(count.replace(",", "")) for name, count in counts if count[:1].isdigit()}


def test_all_taken_is_status_0_and_a_second_run_doubles_nothing(command: Command) -> None:
    file = command.write_lines("mail.jsonl", [touchpoint(n) for n in range(2_500)])
    first = command.run("import", file)
    assert first.returncode == 0, first.stderr
    assert outcomes(first.stdout)["appended"] == 2_500
    second = command.run("import", file)
    assert second.returncode == 0
    assert outcomes(second.stdout) == {
        "appended": 0,
        "duplicate": 2_500,
        "conflict": 0,
        "parked": 0,
        "rejected": 0,
    }


def test_gzip_standard_input_and_avro_hold_the_same_events(
    command: Command, tmp_path: Path
) -> None:
    command.run("simulate", "--events", "300", "--format", "avro", "--out", "events.avro")
    simulated = command.run("simulate", "--events", "300").stdout.encode()
    (tmp_path / "events.jsonl.gz").write_bytes(gzip.compress(simulated))
    assert outcomes(command.run("import", "events.jsonl.gz").stdout)["appended"] == 300
    for arguments in (["import", "events.avro"], ["import", "-"]):
        again = command.run(*arguments, stdin=simulated if arguments[-1] == "-" else b"")
        assert again.returncode == 0, again.stdout
        assert outcomes(again.stdout)["duplicate"] == 300


def test_what_comes_through_a_pipe_is_taken_as_it_comes(command: Command) -> None:
    with command.started("import", "-") as process:
        assert process.stdin is not None
        for number in range(3):
            process.stdin.write(json.dumps(touchpoint(number)) + "\n")
            process.stdin.flush()
            deadline = time.monotonic() + PATIENCE_SECONDS
            while command.json("status")["last_position"] != number + 1:
                assert time.monotonic() < deadline
        stdout, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert outcomes(stdout)["appended"] == 3


def test_rejects_say_what_and_where_but_not_what_stood_there(command: Command) -> None:
    secret = "Ada Lovelace"
    file = command.write_lines(
        "mail.jsonl",
        [
            touchpoint(1),
            touchpoint(2, direction="sideways", note=secret),
            promise("kept", "P-9"),
            touchpoint(1, channel="phone"),
        ],
    )
    done = command.run("import", file, "--rejects", "rejects.jsonl")
    assert done.returncode == 1
    text = (command.directory / "rejects.jsonl").read_text(encoding="utf-8")
    assert secret not in text + done.stdout + done.stderr
    lines = [json.loads(line) for line in text.splitlines()]
    assert [(line["id"], line["outcome"], line["reason"], line["where"]) for line in lines] == [
        ("t-2", "rejected", "unknown_symbol", {"file": "mail.jsonl", "line": 2}),
        ("kept-P-9", "parked", "promise_not_made", {"file": "mail.jsonl", "line": 3}),
        ("t-1", "conflict", "id_reused", {"file": "mail.jsonl", "line": 4}),
    ]
    assert lines[0]["path"] == "data.direction"


def test_parked_events_that_settle_later_in_the_run_count_as_taken(command: Command) -> None:
    command.environment["SERVICETRAIL_IMPORT_BATCH_EVENTS"] = "1"
    file = command.write_lines("mail.jsonl", [promise("kept", "P-1", 1), promise("made", "P-1")])
    done = command.run("import", file)
    assert done.returncode == 0
    assert "settled" in done.stdout


def test_a_parked_event_that_is_refused_later_in_the_run_does_not_count_as_taken(
    command: Command,
) -> None:
    command.environment["SERVICETRAIL_IMPORT_BATCH_EVENTS"] = "1"
    foreign = promise("kept", "P-1", 1, customer_id="somebody-else")
    done = command.run(
        "import", command.write_lines("mail.jsonl", [foreign, promise("made", "P-1")])
    )
    assert done.returncode == 1
    assert "parked at first, then rejected" in done.stdout


def test_a_damaged_file_gives_what_could_be_read_and_status_2(
    command: Command, tmp_path: Path
) -> None:
    lines = b"".join(json.dumps(touchpoint(n)).encode() + b"\n" for n in range(5_000))
    (tmp_path / "cut.jsonl.gz").write_bytes(gzip.compress(lines)[:-1_000])
    done = command.run("import", "cut.jsonl.gz")
    assert done.returncode == 2
    assert outcomes(done.stdout)["appended"] > 0
    (line,) = done.stderr.splitlines()
    assert line.startswith("servicetrail: cut.jsonl.gz: ")


@pytest.mark.parametrize(
    "arguments",
    [
        ["import", "missing.jsonl"],
        ["import", "."],
        ["import"],
        ["import", "good.jsonl", "--rejects", "no/such/folder/rejects.jsonl"],
        ["import", "good.jsonl", "--no-such-option"],
    ],
)
def test_usage_errors_are_one_line_and_status_2_and_import_nothing(
    command: Command, arguments: list[str]
) -> None:
    command.write_lines("good.jsonl", [touchpoint(1)])
    done = command.run(*arguments)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("servicetrail: ")
    assert command.json("account")["rows"] == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_in_the_middle_it_finishes_the_batch_and_can_go_on(
    command: Command, number: signal.Signals
) -> None:
    command.environment["SERVICETRAIL_IMPORT_BATCH_EVENTS"] = "10"
    events = [touchpoint(n) for n in range(10_000)]
    file = command.write_lines("mail.jsonl", [promise("kept", "P-1"), *events])
    rejects = command.directory / "rejects.jsonl"
    os.mkfifo(rejects)
    with (
        command.started("import", file, "--rejects", rejects) as process,
        rejects.open(encoding="utf-8") as lines,
    ):
        assert json.loads(lines.readline())["id"] == "kept-P-1"  # the first batch is in
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 128 + number
    assert "run the same command again" in stderr
    appended = outcomes(stdout)["appended"]
    assert 0 < appended < 10_000
    assert appended % 10 == 9  # whole batches, one event of them parked
    del command.environment["SERVICETRAIL_IMPORT_BATCH_EVENTS"]
    again = command.run("import", file)
    assert outcomes(again.stdout)["duplicate"] == appended + 1
    assert outcomes(again.stdout)["appended"] == 10_000 - appended
