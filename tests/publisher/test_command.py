"""`servicetrail publish`: files reach the brokers whole, once, and what does not is told."""

import json
import signal
import subprocess
from pathlib import Path
from random import Random

import pytest

from consumers.brokers import LocalBroker
from tests.cli.conftest import PATIENCE_SECONDS, Command
from tests.cli.events import promise, touchpoint
from tests.consumers.waiting import eventually
from tests.intake.door import Door
from tests.publisher.topics import Topics, counts

KILLS = 5
NOBODY = "127.0.0.1:9"


@pytest.fixture
def command(tmp_path: Path) -> Command:
    return Command(tmp_path, "postgresql://nobody.invalid/none")


@pytest.fixture
def to(topics: Topics) -> list[str]:
    """The options that publish to the test's own topics."""
    return ["--brokers", topics.bootstrap_servers, *topics.options()]


def feed(process: "subprocess.Popen[str]", file: Path, lines: int, topics: Topics) -> None:
    """Give it the first lines of the file, of which some are delivered then; it waits for more."""
    assert process.stdin is not None
    process.stdin.writelines(file.read_text().splitlines(keepends=True)[:lines])
    process.stdin.flush()
    eventually(topics.has_records)


def test_a_file_is_delivered_and_a_second_run_sends_nothing(
    command: Command, topics: Topics, to: list[str]
) -> None:
    file = command.write_lines("mail.jsonl", [touchpoint(n) for n in range(1_200)])
    first = command.run("publish", file, *to)
    assert first.returncode == 0, first.stderr
    assert counts(first.stdout) == {"delivered": 1_200, "already": 0, "rejected": 0, "waiting": 0}
    second = command.run("publish", file, *to)
    assert second.returncode == 0, second.stderr
    assert counts(second.stdout)["already"] == 1_200
    assert len(topics.records()) == 1_200
    third = command.run("publish", file, "--again", *to)
    assert counts(third.stdout)["delivered"] == 1_200
    assert {event.id for event in topics.events()} == {f"t-{n}" for n in range(1_200)}


def test_avro_containers_and_standard_input_give_the_same_events_as_the_ledger_keeps(
    command: Command, topics: Topics, to: list[str], door: Door
) -> None:
    command.run("simulate", "--events", "300", "--format", "avro", "--out", "events.avro")
    simulated = command.run("simulate", "--events", "300").stdout.encode()
    assert command.run("publish", "events.avro", *to).returncode == 0
    again = command.run("publish", "-", *to, stdin=simulated)
    assert (again.returncode, counts(again.stdout)["already"]) == (0, 300)
    assert set(door.outcomes(*topics.messages())) <= {"appended", "parked"}
    received = sum(line.appended for line in door.account().values())
    assert received == 300


def test_rejects_say_what_and_where_but_not_what_stood_there(
    command: Command, topics: Topics, to: list[str]
) -> None:
    secret = "Ada Lovelace"
    events = [touchpoint(1), touchpoint(2, direction="sideways", note=secret), promise("kept", "P")]
    file = command.write_lines("mail.jsonl", events)
    done = command.run("publish", file, "--rejects", "rejects.jsonl", *to)
    assert done.returncode == 1, done.stderr
    text = (command.directory / "rejects.jsonl").read_text(encoding="utf-8")
    assert secret not in text + done.stdout + done.stderr
    [line] = map(json.loads, text.splitlines())
    assert (line["id"], line["outcome"], line["reason"], line["path"], line["where"]) == (
        "t-2", "rejected", "unknown_symbol", "data.direction", {"file": "mail.jsonl", "line": 2},
    )  # fmt: skip
    assert "unknown_symbol" in done.stdout
    assert [event.id for event in topics.events()] == ["kept-P", "t-1"]


def test_without_brokers_events_wait_and_a_run_without_files_delivers_them(
    command: Command, topics: Topics, to: list[str]
) -> None:
    file = command.write_lines("mail.jsonl", [touchpoint(n) for n in range(30)])
    away = command.run("publish", file, "--brokers", NOBODY, *topics.options(), "--patience", "1")
    assert away.returncode == 2
    assert counts(away.stdout)["waiting"] == 30
    [line] = away.stderr.splitlines()
    assert line.startswith("servicetrail: 30 events wait in ")
    assert f"no broker answers at {NOBODY}" in line
    back = command.run("publish", *to)
    assert (back.returncode, counts(back.stdout)["delivered"]) == (0, 30)
    assert len(topics.records()) == 30


def test_what_the_brokers_refused_is_told_until_they_take_it_or_it_is_put_aside(
    command: Command, topics: Topics, to: list[str]
) -> None:
    large = touchpoint(2, note="x" * 60_000)
    file = command.write_lines("mail.jsonl", [touchpoint(1), large, touchpoint(3)])
    command.environment["SERVICETRAIL_KAFKA_OPTIONS"] = '{"max_request_size": 50000}'
    for arguments in ([file], [file], []):  # tried again, and once more; and not at all
        done = command.run("publish", *arguments, *to)
        assert done.returncode == 1, done.stderr
        told = counts(done.stdout)
        assert (told["rejected"], told["waiting"]) == (1, 0)
        [line] = done.stderr.splitlines()
        assert "t-2: refused by the brokers: MessageSizeTooLarge" in line
    without_reason = command.run("publish", "--discard-refused", " ", *to)
    assert without_reason.returncode == 2
    aside = command.run("publish", "--discard-refused", "t-4 replaces it", *to)
    assert (aside.returncode, aside.stderr) == (0, "")
    assert "t-2, which was refused: MessageSizeTooLarge" in aside.stdout
    assert counts(aside.stdout)["rejected"] == 0
    del command.environment["SERVICETRAIL_KAFKA_OPTIONS"]
    done = command.run("publish", file, *to)
    assert (done.returncode, done.stderr) == (0, "")
    assert counts(done.stdout)["delivered"] == 1
    assert sorted(event.id for event in topics.events()) == ["t-1", "t-2", "t-3"]


def test_a_topic_that_is_missing_is_told_and_holds_up_its_own_events_only(
    command: Command, topics: Topics, to: list[str]
) -> None:
    events = [event for n in range(3) for event in (promise("made", f"P-{n}"), touchpoint(n))]
    file = command.write_lines("mail.jsonl", events)
    done = command.run("publish", file, *to, "--topic", "promise=no-such", "--patience", "600")
    assert done.returncode == 2
    assert "the brokers have no topic no-such" in done.stderr
    assert (counts(done.stdout)["delivered"], counts(done.stdout)["waiting"]) == (3, 3)
    assert {event.id for event in topics.events()} == {"t-0", "t-1", "t-2"}


def test_killed_at_random_moments_a_file_arrives_whole_and_takes_effect_once(
    command: Command, topics: Topics, to: list[str], door: Door
) -> None:
    seed = Random().randrange(10_000)
    print(f"seed {seed}")  # noqa: T201 - to repeat what failed
    chance = Random(seed)
    events = [touchpoint(n, customer_id=f"C-{n % 9}") for n in range(4_000)]
    file = command.write_lines("mail.jsonl", events)
    for _ in range(KILLS):
        waited_for = chance.randrange(4_000)
        before = len(topics.records())
        with command.started("publish", file, *to) as process:
            while process.poll() is None and len(topics.records()) < min(
                before + waited_for, 3_900
            ):
                pass
            process.kill()
    done = command.run("publish", file, *to)
    assert done.returncode == 0, done.stderr
    messages = topics.messages()
    outcomes = door.outcomes(*messages)
    assert outcomes.count("appended") == 4_000
    assert outcomes.count("duplicate") == len(messages) - 4_000


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_asked_to_stop_it_keeps_what_it_has_read(
    command: Command, topics: Topics, to: list[str], number: signal.Signals
) -> None:
    file = command.write_lines("mail.jsonl", [touchpoint(n) for n in range(11_000)])
    with command.started("publish", "-", *to) as process:
        feed(process, file, 10_000, topics)
        process.send_signal(number)
        _, stderr = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 128 + number, stderr
    assert "run the same command again" in stderr
    done = command.run("publish", file, *to)
    assert done.returncode == 0, done.stderr
    told = counts(done.stdout)
    assert told["delivered"] + told["already"] >= 11_000
    assert {event.id for event in topics.events()} == {f"t-{n}" for n in range(11_000)}


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["missing.jsonl"], "missing.jsonl"),
        (["good.jsonl"], "no brokers are set"),
        (["good.jsonl", "--brokers", NOBODY, "--topic", "support"], "FAMILY=TOPIC"),
        (["good.jsonl", "--brokers", NOBODY, "--topic", "letters=mail"], "no family letters"),
        (["good.jsonl", "--brokers", NOBODY, "--rejects", "no/such/file"], "no/such/file"),
        (["good.jsonl", "--brokers", NOBODY, "--outbox", "/dev/null/box"], "/dev/null/box"),
    ],
)
def test_usage_errors_are_one_line_and_status_2(
    command: Command, arguments: list[str], why: str
) -> None:
    command.write_lines("good.jsonl", [touchpoint(1)])
    done = command.run("publish", *arguments)
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert line.startswith("servicetrail: ")
    assert why in line


def test_a_damaged_file_gives_what_could_be_read_and_status_2(
    command: Command, topics: Topics, to: list[str]
) -> None:
    command.run("simulate", "--events", "2000", "--format", "avro", "--out", "events.avro")
    path = command.directory / "events.avro"
    path.write_bytes(path.read_bytes()[:-2_000])
    done = command.run("publish", "events.avro", *to)
    assert done.returncode == 2
    assert "events.avro: damaged after row" in done.stderr
    assert len(topics.records()) == counts(done.stdout)["delivered"] > 0


def test_a_broker_that_dies_in_the_middle_gets_the_rest_later(
    command: Command, own_broker: LocalBroker
) -> None:
    topics = Topics.made(own_broker.bootstrap_servers, "dying")
    to = ["--brokers", own_broker.bootstrap_servers, *topics.options()]
    file = command.write_lines("mail.jsonl", [touchpoint(n) for n in range(11_000)])
    with command.started("publish", "-", "--patience", "2", *to) as process:
        feed(process, file, 10_000, topics)
        own_broker.kill()
        rest = file.read_text().splitlines(keepends=True)[10_000:]
        stdout, stderr = process.communicate("".join(rest), timeout=PATIENCE_SECONDS)
    assert process.returncode == 2, stderr
    assert counts(stdout)["waiting"] > 0
    own_broker.start()
    topics.make()
    done = command.run("publish", file, *to)
    assert done.returncode == 0, done.stderr
    # The embedded broker starts again empty, as another topic: there all are sent once more.
    assert {event.id for event in topics.events()} == {f"t-{n}" for n in range(11_000)}
