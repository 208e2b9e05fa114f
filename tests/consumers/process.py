"""A consumer in a process of its own, which can be killed, frozen and continued.

`python -m tests.consumers.process {"database_url": …, "bootstrap_servers": …, …}`
"""

import json
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from consumers.consumer import Consumer
from consumers.consuming import Consuming
from ledger.datastore import Datastore
from ledger.intake import Intake
from ledger.keys import Keyring
from servicetrail.log import configure
from tests.intake.door import MASTER

ROOT = Path(__file__).parents[2]


class ConsumerProcess:
    """A child process that consumes until it is ended. `how` are fields of `Consuming`."""

    def __init__(self, database_url: str, bootstrap_servers: str, *topics: str, **how: Any) -> None:
        arguments = {
            "database_url": database_url,
            "bootstrap_servers": bootstrap_servers,
            "topics": topics,
            "group": topics[0],
            **how,
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.consumers.process", json.dumps(arguments)],
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
        self._process.send_signal(number)

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


def main(arguments: dict[str, Any]) -> None:
    configure("console", "info")
    url = arguments.pop("database_url")
    # A process that is frozen in the middle of a transaction keeps its locks for so long.
    with closing(Datastore(url, idle_in_transaction_timeout=3)) as datastore:
        keyring = Keyring(datastore, MASTER)
        consumer = Consumer(Consuming(**arguments), Intake(datastore, keyring), datastore, keyring)
        signal.signal(signal.SIGTERM, lambda *_: consumer.stop())
        consumer.run()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
