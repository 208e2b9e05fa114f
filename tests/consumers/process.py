"""Parts of the program in processes of their own, which can be killed, frozen and continued.

`python -m tests.consumers.process consume|project {"database_url": …, …}`
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from eventsourcing.persistence import PersistenceError

from consumers.consumer import Consumer
from consumers.consuming import Consuming
from ledger.datastore import Datastore
from ledger.intake import Intake
from ledger.keys import Keyring
from projections.registry import read_models
from projections.runner import Runner
from servicetrail.log import configure
from tests.intake.door import MASTER

ROOT = Path(__file__).parents[2]


class Process:
    """A child process that works until it is ended."""

    def __init__(self, what: str, **arguments: Any) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.consumers.process", what, json.dumps(arguments)],
            cwd=ROOT,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        self.kill()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; one that freezes it has done so in all of its threads afterwards."""
        self._process.send_signal(number)
        if number is signal.SIGSTOP:
            os.waitid(os.P_PID, self._process.pid, os.WSTOPPED)

    def kill(self) -> None:
        """End it as a power cut would."""
        self._process.kill()
        self._process.wait()

    def stop(self, seconds: float) -> int:
        """Ask it to end; its status. Raises `subprocess.TimeoutExpired`."""
        self._process.terminate()
        return self._process.wait(seconds)

    @property
    def running(self) -> bool:
        return self._process.poll() is None


class ConsumerProcess(Process):
    """Consumes the topics, in a group named after the first. `how` are fields of `Consuming`."""

    def __init__(self, database_url: str, bootstrap_servers: str, *topics: str, **how: Any) -> None:
        super().__init__(
            "consume",
            database_url=database_url,
            bootstrap_servers=bootstrap_servers,
            topics=topics,
            **{"group": topics[0], **how},
        )


class ProjectorProcess(Process):
    """Keeps every read model up to date."""

    def __init__(self, database_url: str) -> None:
        super().__init__("project", database_url=database_url)


def consume(datastore: Datastore, arguments: dict[str, Any]) -> None:
    keyring = Keyring(datastore, MASTER)
    intake = started(lambda: Intake(datastore, keyring))
    consumer = Consumer(Consuming(**arguments), intake, datastore, keyring)
    signal.signal(signal.SIGTERM, lambda *_: consumer.stop())
    consumer.run()


def project(datastore: Datastore, arguments: dict[str, Any]) -> None:
    runner = Runner(datastore, read_models(), **arguments)
    signal.signal(signal.SIGTERM, lambda *_: runner.stop())
    runner.run()


def started(opening: Callable[[], Intake]) -> Intake:
    """The intake, once the database is there; a supervisor would start the program until then."""
    while True:
        try:
            return opening()
        except PersistenceError:
            time.sleep(0.1)


def main(what: str, arguments: dict[str, Any]) -> None:
    configure("console", "warning")
    url = arguments.pop("database_url")
    # A process that is frozen in the middle of a transaction keeps its locks for so long.
    with closing(Datastore(url, idle_in_transaction_timeout=3)) as datastore:
        {"consume": consume, "project": project}[what](datastore, arguments)


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
