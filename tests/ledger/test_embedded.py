"""The embedded server: shared, left, killed, crashed, and started again with everything in it."""

import os
import pwd
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO
from urllib.parse import unquote

import psutil
import psycopg2
import pytest

from ledger.datastore import Datastore
from ledger.migrations import migrate
from ledger.reading import last_position
from ledger.recorders import ApplicationRecorder
from servicetrail.embedded import (
    EmbeddedPostgres,
    EmbeddedPostgresError,
    shared_buffers_bytes,
)
from tests.ledger.events import appended, new_event

AS_ORDINARY_USER = """
import os, pwd, sys
import psutil._pslinux, encodings.idna
from servicetrail.embedded import EmbeddedPostgres
nobody = pwd.getpwnam("nobody")
os.setgroups([])
os.setgid(nobody.pw_gid)
os.setuid(nobody.pw_uid)
with EmbeddedPostgres(sys.argv[1], durable=False) as embedded:
    print(embedded.url)
"""
USER = """
import sys
from servicetrail.embedded import EmbeddedPostgres
embedded = EmbeddedPostgres(sys.argv[1], durable=False)
embedded.start()
print("started", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def directory() -> Iterator[Path]:
    """A data directory; whatever server is left in it is stopped."""
    with TemporaryDirectory(prefix="servicetrail-tests-") as path:
        yield Path(path)
        if (process := postmaster(Path(path))) is not None:
            process.kill()
            process.wait()


def postmaster(directory: Path) -> psutil.Process | None:
    """The server's process, if it runs."""
    with suppress(FileNotFoundError, psutil.NoSuchProcess):
        process = psutil.Process(int(pid_file(directory).read_text().split("\n")[0]))
        if process.status() != psutil.STATUS_ZOMBIE and process.name() == "postgres":
            return process
    return None


def pid_file(directory: Path) -> Path:
    return directory / "postgres" / "postmaster.pid"


def query(url: str, statement: str) -> object:
    connection = psycopg2.connect(url)
    with connection, connection.cursor() as cursor:
        cursor.execute(statement)
        row = cursor.fetchone()
    connection.close()
    return row[0] if row else None


@contextmanager
def user(directory: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that uses the server until it is told to end, or killed."""
    environment = {name: value for name, value in os.environ.items() if name != "XDG_RUNTIME_DIR"}
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", USER, str(directory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
    )
    with process:
        assert said_by(process).readline() == "started\n"
        yield process
        process.kill()


def said_by(process: subprocess.Popen[str]) -> IO[str]:
    assert process.stdout is not None
    return process.stdout


def test_a_restart_keeps_what_was_appended(directory: Path) -> None:
    with EmbeddedPostgres(directory) as embedded:
        migrate(embedded.owner_url)
        datastore = Datastore(embedded.url)
        appended(datastore, new_event("shop", 1))
        assert query(embedded.url, "SHOW fsync") == "on"
        assert query(embedded.url, "SHOW listen_addresses") == ""
        recorder = ApplicationRecorder(datastore)
        with recorder.subscribe(gt=0) as subscription:
            assert next(subscription).id == 1
            embedded.stop()
            assert postmaster(directory) is None
            embedded.start()
            appended_again = recorder.insert_events([])
            assert appended_again == []
            with datastore.transaction() as cursor:
                assert last_position(cursor) == 1
            appended(datastore, new_event("shop", 2))
            assert next(subscription).id == 2
        datastore.close()


def test_the_last_of_several_processes_stops_it_and_says_nothing(directory: Path) -> None:
    with EmbeddedPostgres(directory, durable=False) as embedded:
        server = postmaster(directory)
        with user(directory) as other:
            output, _ = other.communicate("\n", timeout=60)
            assert output == ""
            assert other.returncode == 0
        assert postmaster(directory) == server
        with EmbeddedPostgres(directory, durable=False) as in_the_same_process:
            assert in_the_same_process.url == embedded.url
        assert query(embedded.owner_url, "SELECT current_database()") == "servicetrail"
    assert postmaster(directory) is None
    with pytest.raises(EmbeddedPostgresError, match="not running"):
        _ = embedded.url


def test_the_first_may_leave_before_the_others(directory: Path) -> None:
    first = EmbeddedPostgres(directory, durable=False)
    first.start()
    with user(directory) as other:
        first.stop()
        first.stop()
        assert postmaster(directory) is not None
        other.communicate("\n", timeout=60)
    assert postmaster(directory) is None


def test_who_was_killed_counts_no_more(directory: Path) -> None:
    with user(directory) as killed:
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        server = postmaster(directory)
        assert server is not None
    with EmbeddedPostgres(directory, durable=False):
        assert postmaster(directory) == server
    assert postmaster(directory) is None


def test_it_starts_again_after_a_crash(directory: Path) -> None:
    embedded = EmbeddedPostgres(directory)
    embedded.start()
    migrate(embedded.owner_url)
    datastore = Datastore(embedded.url)
    appended(datastore, new_event("shop", 1))
    server = postmaster(directory)
    assert server is not None
    for process in [server, *server.children(recursive=True)]:
        process.kill()
    wait_until_gone(directory)
    # The number of the crashed server may belong to anybody by now: here, to us.
    stale = pid_file(directory).read_text().split("\n", 1)
    pid_file(directory).write_text(f"{os.getpid()}\n{stale[1]}")
    with EmbeddedPostgres(directory):
        with datastore.transaction() as cursor:
            assert last_position(cursor) == 1
        embedded.stop()
        assert appended(datastore, new_event("shop", 2)).first_position == 2
    datastore.close()
    assert postmaster(directory) is None


def wait_until_gone(directory: Path) -> None:
    deadline = time.monotonic() + 30
    while postmaster(directory) is not None:
        assert time.monotonic() < deadline


def test_a_half_made_cluster_is_made_anew(directory: Path) -> None:
    (directory / "postgres.unfinished").mkdir()
    (directory / "postgres.unfinished" / "PG_VERSION").write_text("18\n")
    with EmbeddedPostgres(directory, durable=False) as embedded:
        assert query(embedded.url, "SHOW fsync") == "off"


@pytest.mark.parametrize(
    "name", ["long " * 30, "umlauts äöü", "100% sure, isn't it? #1 & 2"], ids=str.split
)
def test_the_directory_may_have_any_name(name: str, directory: Path) -> None:
    with EmbeddedPostgres(directory / name.strip(), durable=False) as embedded:
        assert query(embedded.url, "SELECT current_user") == "servicetrail_writer"
        socket_dir = Path(unquote(embedded.url.partition("?host=")[2]))
        assert socket_dir.is_dir()
    assert postmaster(directory / name.strip()) is None
    assert socket_dir == directory / name.strip() / "postgres" or not socket_dir.exists()


@pytest.mark.parametrize("name", ["a $HOME", 'a "quoted" one', "a `command`", "a\nbreak"])
def test_a_directory_that_a_shell_would_misread_is_refused(name: str, directory: Path) -> None:
    with pytest.raises(EmbeddedPostgresError, match="SERVICETRAIL_DATA_DIR"):
        EmbeddedPostgres(directory / name).start()


def test_other_peoples_files_are_left_alone(directory: Path) -> None:
    (directory / "postgres").mkdir()
    (directory / "postgres" / "letters.txt").write_text("dear")
    with pytest.raises(EmbeddedPostgresError, match="something else"):
        EmbeddedPostgres(directory).start()
    assert (directory / "postgres" / "letters.txt").read_text() == "dear"


def test_a_cluster_of_another_version_is_refused(directory: Path) -> None:
    (directory / "postgres").mkdir()
    (directory / "postgres" / "PG_VERSION").write_text("16\n")
    with pytest.raises(EmbeddedPostgresError, match="made by PostgreSQL 16"):
        EmbeddedPostgres(directory).start()


@pytest.mark.skipif(os.geteuid() != 0, reason="every other test runs as an ordinary user")
def test_it_runs_as_an_ordinary_user(directory: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    os.chown(directory, nobody.pw_uid, nobody.pw_gid)
    command = [sys.executable, "-W", "error", "-c", AS_ORDINARY_USER, str(directory)]
    said = subprocess.run(command, check=False, capture_output=True, text=True)
    assert said.stderr == ""
    assert said.stdout.startswith("postgresql://servicetrail_writer@/servicetrail?host=")
    assert (directory / "postgres").owner() == "nobody"
    with EmbeddedPostgres(directory, durable=False) as as_root:
        assert query(as_root.url, "SELECT 1") == 1
        server = postmaster(directory)
        assert server is not None
        assert server.username() == "nobody"


@pytest.mark.parametrize(
    ("limit", "buffers"),
    [
        ("268435456\n", 128 * 2**20),
        ("8589934592\n", 2**30),
        ("max\n", 2 * 2**30),
        ("9223372036854771712\n", 2 * 2**30),
        (None, 2 * 2**30),
    ],
)
def test_it_takes_its_share_of_the_memory_that_it_may_take(
    tmp_path: Path, limit: str | None, buffers: int
) -> None:
    of_container = tmp_path / "memory.max"
    if limit is not None:
        of_container.write_text(limit)
    limits = (tmp_path / "of another version", of_container)
    assert shared_buffers_bytes(64 * 2**30, limits) == buffers


def test_why_it_does_not_start_is_told(directory: Path) -> None:
    with EmbeddedPostgres(directory, durable=False):
        pass
    with (directory / "postgres" / "postgresql.conf").open("a") as settings:
        settings.write("max_connections = plenty\n")
    with pytest.raises(EmbeddedPostgresError, match='parameter "max_connections": "plenty"'):
        EmbeddedPostgres(directory).start()
