"""`up` runs everything in one process, and ends cleanly when asked to."""

import json
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

import httpx
import psutil
import psycopg2
import pytest

from servicetrail.serving import listening
from servicetrail.settings import Settings
from tests.cli.conftest import PATIENCE_SECONDS, Command
from tests.cli.events import touchpoint
from tests.consumers.waiting import eventually


@contextmanager
def up(command: Command, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], httpx.Client]]:
    """The running program, and a client of it."""
    with command.started("up", "--port", "0", *arguments) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("Servicetrail is up at "), line + process.communicate()[1]
        with httpx.Client(base_url=line.split()[-1], timeout=PATIENCE_SECONDS) as client:
            yield process, client


def post(client: httpx.Client, number: int) -> str:
    headers = {"Content-Type": "application/cloudevents+json"}
    response = client.post("/events", json=touchpoint(number), headers=headers)
    assert response.status_code == 202, response.text
    outcome: str = response.json()["receipts"][0]["outcome"]
    return outcome


def stopped(process: subprocess.Popen[str], number: signal.Signals) -> tuple[int, str]:
    process.send_signal(number)
    _, stderr = process.communicate(timeout=PATIENCE_SECONDS)
    return process.returncode, stderr


def test_an_event_posted_is_in_the_figures_within_a_moment(command: Command) -> None:
    with up(command) as (process, client):
        assert client.get("/health").json()["status"] == "up"
        assert post(client, 1) == "appended"
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not client.get("/customers/C-1/timeline").json()["rows"]:
            assert time.monotonic() < deadline
        assert stopped(process, signal.SIGTERM)[0] == 0


def test_processes_that_answer_end_with_the_program(command: Command) -> None:
    with up(command) as (process, client), ThreadPoolExecutor(8) as threads:
        assert post(client, 1) == "appended"
        before = {*psutil.Process(process.pid).children()}

        def answered(_: int) -> bool:
            told = client.get("/customers/C-1/timeline")
            return told.status_code == 200 and bool(
                {*psutil.Process(process.pid).children()} - before
            )

        eventually(lambda: any(threads.map(answered, range(40))))
        beside = {*psutil.Process(process.pid).children()} - before
        status, stderr = stopped(process, signal.SIGTERM)
        assert (status, "ended" in stderr) == (0, False)
        assert psutil.wait_procs(beside, PATIENCE_SECONDS)[1] == []


def test_a_projector_that_stopped_is_told_with_its_reason(command: Command) -> None:
    with up(command) as (process, client):
        url = command.environment["SERVICETRAIL_DATABASE_URL"]
        with closing(psycopg2.connect(url)) as owner, owner, owner.cursor() as cursor:
            cursor.execute("UPDATE read.position SET version = 'of another program'")
        assert post(client, 1) == "appended"
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (answer := client.get("/health")).status_code == 200:
            assert time.monotonic() < deadline
        health = answer.json()
        assert (answer.status_code, health["status"], health["projector"]) == (
            503, "down", "stopped",
        )  # fmt: skip
        assert "of another program" in health["why"][0]
        assert stopped(process, signal.SIGTERM)[0] == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_events_that_got_a_receipt_are_there_and_requests_in_flight_are_answered(
    command: Command, number: signal.Signals
) -> None:
    appended: list[int] = []
    begun = threading.Event()

    def publish(worker: int, base_url: httpx.URL) -> None:
        with httpx.Client(base_url=base_url, timeout=PATIENCE_SECONDS) as own:
            for sequence in range(100_000):
                event = worker * 100_000 + sequence
                try:
                    outcome = post(own, event)
                except httpx.TransportError:
                    return  # it does not answer any more
                assert outcome == "appended"
                appended.append(event)
                if len(appended) > 50:
                    begun.set()

    with up(command) as (process, client):
        workers = [
            threading.Thread(target=publish, args=(worker, client.base_url)) for worker in range(4)
        ]
        for worker in workers:
            worker.start()
        assert begun.wait(PATIENCE_SECONDS)
        status, stderr = stopped(process, number)
        for worker in workers:
            worker.join()
    assert status == 0, stderr
    assert "Traceback" not in stderr
    (line,) = command.json("account", "--check")["rows"]
    # A receipt may have been lost on the way, an event that has one never.
    assert len(appended) <= line["appended"] <= len(appended) + len(workers)


def test_it_refuses_to_listen_beyond_loopback_without_a_token(command: Command) -> None:
    refused = command.run("up", "--host", "0.0.0.0")
    assert refused.returncode == 2
    assert "SERVICETRAIL_ACCESS_TOKEN" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    command.environment["SERVICETRAIL_ACCESS_TOKEN"] = "a-token-of-some-length"
    with up(command, "--host", "0.0.0.0") as (process, client):
        assert client.get("/channels").status_code == 401
        made = command.run("token", "create", "--name", "wall", "--role", "dashboard")
        mine = {"Authorization": f"Bearer {made.stdout.strip()}"}
        assert client.get("/channels", headers=mine).status_code == 200
        assert client.get("/tokens", headers=mine).status_code == 403
        assert stopped(process, signal.SIGTERM)[0] == 0
    # One that was made is enough from now on.
    del command.environment["SERVICETRAIL_ACCESS_TOKEN"]
    with up(command, "--host", "0.0.0.0") as (process, client):
        assert client.get("/channels").status_code == 401
        assert client.get("/channels", headers=mine).status_code == 200
        assert stopped(process, signal.SIGTERM)[0] == 0


def test_a_port_that_is_taken_is_told_before_anything_starts(command: Command) -> None:
    with up(command) as (_, client):
        second = command.run("up", "--port", str(client.base_url.port))
    assert second.returncode == 2
    assert "--port" in second.stderr
    assert len(second.stderr.splitlines()) == 1


def test_it_logs_nothing_personal(command: Command) -> None:
    command.environment |= {"SERVICETRAIL_LOG_FORMAT": "json", "SERVICETRAIL_LOG_LEVEL": "debug"}
    secret = "Ada Lovelace"
    with up(command) as (process, client):
        for event in (touchpoint(1, note=secret), touchpoint(2, direction=secret)):
            headers = {"Content-Type": "application/cloudevents+json"}
            client.post("/events", json=event, headers=headers)
        client.get(f"/customers/{secret}/timeline")
        status, stderr = stopped(process, signal.SIGTERM)
    assert status == 0
    lines = [json.loads(line) for line in stderr.splitlines()]
    assert any(line.get("route") == "/events" for line in lines)
    assert secret not in stderr
    assert "Ada" not in stderr


def test_answers_do_not_wait_for_the_client_s_acknowledgement() -> None:
    with (
        listening(Settings(http_port=0)) as listener,
        socket.create_connection(listener.getsockname()),
    ):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
