"""`rebuild`, `replay --into` and `up --workers` as they are typed."""

import os
import signal
import time
from collections.abc import Callable

import psutil
import psycopg2
import pytest

from tests.cli.conftest import PATIENCE_SECONDS, Command
from tests.cli.events import touchpoint
from tests.cli.test_up import post, stopped, up


@pytest.fixture
def filled(command: Command) -> Command:
    """A command on a ledger with events of a few customers, and read models up to date."""
    command.write_lines("events.jsonl", [touchpoint(number) for number in range(30)])
    assert command.run("import", "events.jsonl").returncode == 0
    assert command.run("channels").returncode == 0
    return command


def execute(command: Command, statement: str) -> None:
    url = command.environment["SERVICETRAIL_DATABASE_URL"]
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute(statement)
    connection.close()


def test_rebuilt_verified_and_back(filled: Command) -> None:
    done = filled.run("rebuild", "--workers", "2")
    assert (done.returncode, done.stdout[:29]) == (0, "Rebuilt from 30 events and in"), done.stderr
    assert filled.run("rebuild", "--verify").returncode == 0
    execute(filled, "UPDATE read.timeline SET type = 'pigeon' WHERE position = 7")
    found = filled.run("rebuild", "--verify", "timeline")
    assert found.returncode == 1
    assert found.stdout.startswith("The first row that differs is in timeline: customer_id ")
    assert '"pigeon"' in found.stdout
    # Putting it right shows the same, and what was changed is kept.
    done = filled.run("rebuild", "timeline")
    assert done.returncode == 0
    assert "in place: {" in done.stdout
    assert filled.run("rebuild", "--verify", "timeline").returncode == 0
    back = filled.run("rebuild", "--back", "timeline")
    assert (back.returncode, back.stdout) == (
        0,
        "Back in place: timeline\nUp to date with 30 events\n",
    )
    assert filled.run("rebuild", "--verify").returncode == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["rebuild", "nonsense"], "there is no read model nonsense; there are: timeline, "),
        (["rebuild", "--verify", "--back"], "exclude each other"),
        (["rebuild", "--back"], "nothing was rebuilt so far"),
        (["replay"], "give one of --customer ID, --into NAME"),
        (["replay", "--into", "x"], "--into needs --known-at"),
        (["replay", "--into", "Bad", "--known-at", "1"], "a name is a lower-case letter"),
        (["replay", "--into", "x", "--known-at", "31"], "a position from 0 to 30"),
        (["replay", "--drop", "x"], "there are no read models called x; there are: none"),
    ],
)
def test_what_cannot_be_done_is_told(filled: Command, arguments: list[str], says: str) -> None:
    done = filled.run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr


def test_replayed_into_a_side_schema(filled: Command) -> None:
    done = filled.run("replay", "--known-at", "12", "--into", "dozen")
    assert (done.returncode, done.stdout) == (0, "dozen holds what was known at position 12\n")
    again = filled.run("replay", "--known-at", "13", "--into", "dozen")
    assert again.returncode == 2
    assert "--force" in again.stderr
    assert filled.run("replay", "--known-at", "13", "--into", "dozen", "--force").returncode == 0
    [row] = filled.json("replay", "--list")["rows"]
    assert (row["name"], row["known_at"], row["position"]) == ("dozen", "13", 13)
    assert filled.run("replay", "--drop", "dozen").stdout == "Dropped dozen\n"
    assert filled.json("replay", "--list")["rows"] == []


def workers_of(pid: int) -> list[psutil.Process]:
    return [
        child
        for child in psutil.Process(pid).children()
        if any("spawn_main" in part for part in child.cmdline())
    ]


def test_up_with_workers_takes_events_in_and_starts_one_again_that_was_killed(
    filled: Command,
) -> None:
    with up(filled, "--workers", "2") as (process, client):
        wait_until(lambda: len(workers_of(process.pid)) == 2)
        first = {worker.pid for worker in workers_of(process.pid)}
        os.kill(min(first), signal.SIGKILL)
        assert post(client, 100) == "appended"
        wait_until(lambda: {worker.pid for worker in workers_of(process.pid)} - first != set())
        wait_until(lambda: client.get("/health").json()["position"] == 31)
        wait_until(lambda: client.get("/health").json()["projector"] == "running")
        left = workers_of(process.pid)
        status, log = stopped(process, signal.SIGTERM)
        assert status == 0, log
        assert "worker ended" in log
        assert not any(worker.is_running() for worker in left)
    assert filled.run("rebuild", "--verify").returncode == 0


def test_workers_end_with_a_parent_that_was_killed(filled: Command) -> None:
    with up(filled, "--workers", "2") as (process, _):
        wait_until(lambda: len(workers_of(process.pid)) == 2)
        orphans = workers_of(process.pid)
        process.kill()
        wait_until(lambda: not any(alive(worker) for worker in orphans))


def alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def test_another_episode_gap_is_built_while_it_answers(filled: Command) -> None:
    filled.environment["SERVICETRAIL_EPISODE_GAP_DAYS"] = "3"
    with up(filled) as (process, client):
        assert client.get("/health").json()["status"] == "up"
        wait_until(lambda: "3" in version_of(filled, "conversations"))
        status, log = stopped(process, signal.SIGTERM)
        assert status == 0, log
    assert filled.run("rebuild", "--verify").returncode == 0


def version_of(command: Command, name: str) -> str:
    url = command.environment["SERVICETRAIL_DATABASE_URL"]
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT version FROM read.position WHERE name = %s LIMIT 1", (name,))
        [version] = cursor.fetchone() or ("",)
    connection.close()
    return "3" if "259200" in version else ""


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)  # between looks, not instead of them
