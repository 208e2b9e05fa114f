"""A broker as a child process: started, waited for, stopped, killed, started again."""

import atexit
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

_STOP_SECONDS = 20
_LOG_LINES = 20


class BrokerFailed(RuntimeError):
    """A broker could not be started; the text says why, with the end of its log."""


class Broker(Protocol):
    """Where a broker listens."""

    @property
    def bootstrap_servers(self) -> str:
        """`host:port`, as clients expect it."""


class LocalBroker(ABC):
    """A broker of our own on a free port of the loopback address.

    Its files live in a temporary directory that `close` removes. `stop` and `kill` keep the files
    and the port, and `start` starts it again on them. `start_seconds` bounds one start.
    """

    def __init__(self, *, start_seconds: float = 60) -> None:
        self._start_seconds = start_seconds
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        self.directory = Path(tempfile.mkdtemp(prefix="servicetrail-broker-"))

    @property
    def bootstrap_servers(self) -> str:
        """`host:port` of this broker."""
        return f"127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        self.close()

    def start(self) -> None:
        """Start the broker; returns when it answers. Raises `BrokerFailed`."""
        if self._process is not None:
            return
        command = self._command()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 (a command of our own)
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.directory
            )
        atexit.register(self.close)
        deadline = time.monotonic() + self._start_seconds
        while not self._answers():
            if self._process.poll() is not None:
                raise self._failed(f"ended with status {self._process.returncode}")
            if time.monotonic() > deadline:
                raise self._failed(f"did not answer within {self._start_seconds:.0f} s")
            time.sleep(0.05)

    def stop(self) -> None:
        """Let the broker shut down; kill it if it takes too long. May be called twice."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End the broker as a power cut would."""
        self._end(signal.SIGKILL)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """It takes connections and answers nobody, as one whose machine or disk hangs."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """Kill the broker and remove its files."""
        atexit.unregister(self.close)
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    @abstractmethod
    def _command(self) -> list[str]:
        """Prepare a start, and say what to run."""

    @property
    def _log(self) -> Path:
        return self.directory / "broker.log"

    def _answers(self) -> bool:
        with closing(socket.socket()) as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", self.port)) != 0:
                return False
        try:
            with closing(
                KafkaAdminClient(
                    bootstrap_servers=self.bootstrap_servers, bootstrap_timeout_ms=2_000
                )
            ) as admin:
                return bool(admin.describe_cluster()["brokers"])
        except KafkaError:
            return False

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _failed(self, why: str) -> BrokerFailed:
        lines = self._log.read_text(errors="replace").splitlines() if self._log.exists() else []
        self.kill()
        return BrokerFailed("\n".join([f"the broker {why}; its log ends:", *lines[-_LOG_LINES:]]))


def free_port() -> int:
    """A port of the loopback address on which nobody listens at the moment."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
