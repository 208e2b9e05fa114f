"""Apache Kafka itself, without Docker: its jars from Maven Central, run on Java in KRaft mode.

The jars are fetched once for each version, into the user's cache directory.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from consumers.brokers.process import BrokerFailed, LocalBroker, free_port

VERSION = "4.1.0"
_CLUSTER_ID = "servicetrail-local-00A"
_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
_POM = f"""\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>servicetrail</groupId>
  <artifactId>apache-kafka</artifactId>
  <version>{VERSION}</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId>
      <version>{VERSION}</version>
    </dependency>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId>
      <version>{VERSION}</version>
    </dependency>
    <dependency>
      <groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId>
      <version>2.24.3</version>
    </dependency>
  </dependencies>
</project>
"""
# One node is broker and controller at once, and internal topics have one replica. Groups form
# without waiting for more members, sessions may be as short as a test wants them, and a broker that
# was killed is let in again after 3 seconds.
_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
listeners={listeners},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners={listeners}
controller.listener.names=CONTROLLER
log.dirs={data}
auto.create.topics.enable=false
message.max.bytes=8388608
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
"""


class ApacheKafka(LocalBroker):
    """A single node of Apache Kafka. Needs Java 17 and, the first time, Maven.

    What is published outlives `stop` and `kill`. `heap_megabytes` bounds the Java heap. `listeners`
    are addresses beside the plain one, such as `SASL_SSL://127.0.0.1:9093`, and `properties` what
    else the broker is set up with.
    """

    def __init__(
        self,
        *,
        heap_megabytes: int = 512,
        start_seconds: float = 90,
        listeners: Sequence[str] = (),
        properties: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(start_seconds=start_seconds)
        self._heap = heap_megabytes
        self._listeners = [f"PLAINTEXT://127.0.0.1:{self.port}", *listeners]
        self._more = properties or {}
        self._controller_port = free_port()

    def tool(self, main_class: str, *arguments: str) -> list[str]:
        """The command that runs one of Kafka's own tools, such as its console producer."""
        return ["java", "-Xmx256m", "-cp", f"{jars()}/*", main_class, *arguments]

    def _command(self) -> list[str]:
        properties, data = self.directory / "server.properties", self.directory / "data"
        if not data.exists():
            ours = _PROPERTIES.format(
                listeners=",".join(self._listeners),
                controller_port=self._controller_port,
                data=data,
            )
            properties.write_text(ours + "".join(f"{k}={v}\n" for k, v in self._more.items()))
            formatting = ["format", "--cluster-id", _CLUSTER_ID, "--config", str(properties)]
            _run(self.tool("kafka.tools.StorageTool", *formatting))
        return [
            "java",
            f"-Xmx{self._heap}m",
            "-XX:+UseSerialGC",
            "-Dorg.apache.logging.log4j.level=WARN",
            "-cp",
            f"{jars()}/*",
            "kafka.Kafka",
            str(properties),
        ]


def is_available() -> bool:
    """Whether this machine can run Apache Kafka: it has Java, and the jars or the means to get
    them.
    """
    return shutil.which("java") is not None and (
        _cache().exists() or shutil.which("mvn") is not None
    )


def jars() -> Path:
    """The directory with Kafka's jars, fetched if need be. Raises `BrokerFailed`."""
    cache = _cache()
    if not cache.exists():
        cache.parent.mkdir(parents=True, exist_ok=True)
        # Whole or not at all, however many processes fetch at the same time.
        with tempfile.TemporaryDirectory(dir=cache.parent) as unfinished:
            pom = Path(unfinished, "pom.xml")
            pom.write_text(_POM)
            fetched = Path(unfinished, "jars")
            _run(["mvn", "-q", "-B", "-f", str(pom), _COPY, f"-DoutputDirectory={fetched}",
                  "-DincludeScope=runtime"])  # fmt: skip
            try:
                fetched.rename(cache)
            except OSError:
                if not cache.exists():
                    raise
    return cache


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base, "servicetrail", f"apache-kafka-{VERSION}")


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603
    except FileNotFoundError as error:
        raise BrokerFailed(f"{command[0]} is not installed") from error
    if done.returncode != 0:
        said = (done.stdout + done.stderr).decode(errors="replace").splitlines()
        raise BrokerFailed("\n".join([f"{command[0]} failed:", *said[-20:]]))
