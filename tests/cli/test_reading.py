"""What the commands that ask say: tables for people, JSON and CSV for programs."""

import csv
import io

import pytest

from tests.cli.conftest import Command
from tests.cli.events import promise, touchpoint

HISTORY = [
    touchpoint(0, case_id="A"),
    touchpoint(30, case_id="A", direction="outbound"),
    promise("made", "P-1", 31),
    promise("kept", "P-1", 90),
    touchpoint(0, touchpoint_id="T-phone", channel="phone") | {"id": "phone"},
]
QUESTIONS = [
    ["timeline", "C-1"],
    ["customer", "C-1"],
    ["value-cost"],
    ["value-cost-customers", "--tier", "none"],
    ["channels"],
    ["explain", "--question", "channels", "--channel", "mail", "--figure", "answered"],
    ["response-times", "--by", "channel", "--by", "employee", "--metric", "next_reply"],
    ["promises"],
    ["promises", "P-1"],
    ["promise-quality", "--by", "channel", "--by", "month"],
]


@pytest.fixture
def command(command: Command) -> Command:
    assert command.run("import", command.write_lines("mail.jsonl", HISTORY)).returncode == 0
    return command


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: " ".join(question))
def test_every_question_answers_in_three_forms(command: Command, question: list[str]) -> None:
    answer = command.json(*question)
    assert list(answer) == ["position", "as_of", "known_at", "metric_version", "rows", "next"]
    assert answer["position"] == len(HISTORY)
    assert answer["rows"]

    table = command.run(*question)
    assert table.returncode == 0, table.stderr
    assert "Computed from events up to 5, as of " in table.stdout

    lines = list(csv.DictReader(io.StringIO(command.run(*question, "--csv").stdout)))
    assert [list(line) for line in lines] == [list(row) for row in answer["rows"]]


def test_figures_are_those_of_the_history(command: Command) -> None:
    mail, phone = command.json("channels")["rows"]
    assert (mail["answered"], mail["first_response_median_seconds"], mail["keep_rate"]) == (
        1,
        1_800,
        1.0,
    )
    assert (phone["answered"], phone["waiting"], phone["keep_rate"]) == (0, 1, None)
    assert "100.00%" in command.run("channels").stdout


def test_windows_instants_and_pages_select(command: Command) -> None:
    assert command.json("promises", "--as-of", "2026-03-02")["rows"] == []
    (pending,) = command.json("promises", "--as-of", "2026-03-02T10:00:00Z")["rows"]
    assert pending["verdict"] == "pending"
    assert command.json("channels", "--from", "2026-03-03", "--to", "2026-03-04")["rows"] == []
    assert len(command.json("timeline", "C-1", "--known-at", "2")["rows"]) == 2
    first = command.json("timeline", "C-1", "--limit", "3")
    then = command.json("timeline", "C-1", "--limit", "3", "--cursor", first["next"])
    assert {row["position"] for row in first["rows"]} == {5, 1, 2}
    assert [row["position"] for row in then["rows"]] == [3, 4]
    assert then["next"] is None


def test_complaints_are_listed_and_told(command: Command) -> None:
    def step(name: str, at: str, **data: object) -> dict[str, object]:
        return {
            "specversion": "1.0",
            "id": name,
            "source": "desk",
            "type": f"complaint.{name}.v1",
            "time": at,
            "data": {"complaint_id": "K-1", "customer_id": "C-1", **data},
        }

    steps = [
        step("raised", "2026-03-02T09:00:00Z", channel="phone", description="so rude"),
        step("apologized", "2026-03-02T10:00:00Z", admits_fault=True),
    ]
    command.run("import", command.write_lines("desk.jsonl", steps))
    (listed,) = command.json("complaints", "--open")["rows"]
    assert (listed["complaint_id"], listed["steps"]["complaint.apologized.v1"]) == ("K-1", 1)
    assert command.json("complaints", "--closed")["rows"] == []
    told = command.run("complaints", "K-1").stdout
    assert told.index("complaint.raised") < told.index("complaint.apologized")
    assert "rude" not in told
    assert "deviating" in told
    by_severity = command.run("complaint-quality", "--by", "severity").stdout
    assert "Violated most" in by_severity
    assert "apologized 1" in by_severity
    missing = command.run("complaints", "K-9")
    assert missing.returncode == 2
    assert "there is no complaint K-9" in missing.stderr


def test_status_and_account_tell_where_everything_stands(command: Command) -> None:
    behind = command.json("status")
    assert (behind["last_position"], behind["position"], behind["behind"]) == (5, 0, 5)
    assert (behind["sealed_position"], behind["sealed_at"], behind["not_sealed"]) == (0, None, 5)
    command.run("channels")
    assert command.json("status")["behind"] == 0
    account = command.json("account", "--check")
    assert [(line["source"], line["received"]) for line in account["rows"]] == [("mail", 5)]
    assert account["differences"] == []
    assert command.json("account", "--source", "other")["rows"] == []
    assert command.json("account", "--since", "2100-01-01")["rows"] == []


def test_the_account_shows_gaps_in_a_sequence(command: Command) -> None:
    events = [
        touchpoint(n) | {"id": f"s-{n}", "source": "web", "sequence": str(n)} for n in (51, 53)
    ]
    command.run("import", command.write_lines("web.jsonl", events))
    gaps = command.json("account", "--source", "web")["gaps"]
    assert gaps == [{"source": "web", "first": 52, "last": 52}]
    assert "nothing was received" in command.run("account").stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["channels", "--as-of", "yesterday"], "--as-of"),
        (["channels", "--json", "--csv"], "--json and --csv"),
        (["promises", "--verdict", "kep"], "verdict must be one of"),
        (["promises", "--limit", "0"], "--limit"),
        (["timeline"], "CUSTOMER"),
        (["timeline", "C-1", "--cursor", "abc"], "token"),
        (["response-times", "--by", "weather"], "group by one or more of"),
        (["no-such-command"], "no-such-command"),
        (["schemas", "show", "promise.mad.v1"], "promise.made.v1"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_question_gets_one_line_and_status_2(
    command: Command, arguments: list[str], said: str
) -> None:
    refused = command.run(*arguments)
    assert refused.returncode == 2
    assert refused.stdout == ""
    (line,) = refused.stderr.splitlines()
    assert line.startswith("servicetrail: ")
    assert said in line


def test_a_reader_that_has_seen_enough_is_no_error(command: Command) -> None:
    with command.started("simulate", "--events", "20000") as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait() == 1
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_the_page_of_a_customer_shows_what_there_is_to_know(command: Command) -> None:
    told = command.run("customer", "C-1").stdout
    assert "Waits for" in told
    assert "Last touchpoints" in told
    assert "Complaints" not in told
    missing = command.run("customer", "C-9")
    assert missing.returncode == 2
    assert "there is no customer C-9" in missing.stderr


def test_two_ids_of_one_person_are_told_together(command: Command) -> None:
    other = touchpoint(200, customer_id="C-2", touchpoint_id="T-other") | {"id": "other"}
    merged = other | {
        "id": "merged",
        "type": "customer.merged.v1",
        "data": {"customer_id": "C-2", "merged_customer_id": "C-1"},
    }
    path = command.write_lines("merged.jsonl", [other, merged])
    assert command.run("import", path).returncode == 0
    assert "Is the same person as" in command.run("customer", "C-1").stdout
    assert "Is the same person as" not in command.run("customer", "C-1", "--only-this-id").stdout
    [heading, *lines] = command.run("timeline", "C-1").stdout.splitlines()
    assert "Customer" in heading
    assert any("C-2" in line for line in lines)
    assert "C-2" not in command.run("timeline", "C-1", "--only-this-id").stdout


def test_a_replay_tells_what_each_event_changed(command: Command) -> None:
    told = command.json("replay", "--customer", "C-1", "--known-at", "3")
    assert (told["position"], [row["step"] for row in told["rows"]]) == (3, [1, 2, 3])
    assert told["rows"][2]["changes"][0]["now"]["verdict"] == "overdue"
    table = command.run("replay", "--customer", "C-1", "--step").stdout
    assert "promise P-1: – → pending, now kept" in table
    nothing = command.run("replay")
    assert nothing.returncode == 2
    assert "--customer" in nothing.stderr
