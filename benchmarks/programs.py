"""The program itself, in processes of its own, on a database and brokers of a benchmark."""

import base64
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.topic import TOPIC
from benchmarks.workload import MASTER_KEY, Database

_STOP_SECONDS = 60


@contextmanager
def servicetrail(
    database: Database, bootstrap_servers: str | None, *arguments: str
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a command of the program until the end of the block; without brokers, without Kafka."""
    with tempfile.TemporaryDirectory(prefix="servicetrail-benchmark-") as directory:
        environment = {
            **os.environ,
            "SERVICETRAIL_DATA_DIR": directory,
            "SERVICETRAIL_DATABASE_URL": database.owner_url,
            "SERVICETRAIL_MASTER_KEY": base64.b64encode(MASTER_KEY).decode(),
            "SERVICETRAIL_LOG_LEVEL": "warning",
        }
        if bootstrap_servers is not None:
            environment["SERVICETRAIL_KAFKA_BOOTSTRAP_SERVERS"] = bootstrap_servers
            environment["SERVICETRAIL_KAFKA_TOPICS"] = TOPIC
        process = subprocess.Popen(
            [sys.executable, "-m", "servicetrail", *arguments],
            env=environment,
            stdout=subprocess.DEVNULL,
        )
        try:
            yield process
        finally:
            process.terminate()
            process.wait(_STOP_SECONDS)
