import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import DatabaseUrls

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 120
# kafka-python reads its protocol's definitions in the old way.
WARNINGS = ",".join(
    [
        "error",
        "ignore:open_text is deprecated:DeprecationWarning",
        "ignore:read_text is deprecated:DeprecationWarning",
    ]
)


class Command:
    """The real command in a process of its own, on the test's own database and directory."""

    def __init__(self, directory: Path, database_url: str) -> None:
        self.directory = directory
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("SERVICETRAIL_")},
            "PYTHONPATH": str(ROOT),
            "PYTHONWARNINGS": WARNINGS,
            "SERVICETRAIL_DATABASE_URL": database_url,
            "SERVICETRAIL_DATA_DIR": str(directory / "data"),
            "SERVICETRAIL_HTTP_PORT": "0",
        }

    def run(self, *arguments: str | Path, stdin: bytes = b"") -> subprocess.CompletedProcess[str]:
        """Run to the end; what it wrote and its exit status."""
        done = subprocess.run(
            self._line(arguments),
            cwd=self.directory,
            env=self.environment,
            input=stdin,
            capture_output=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        return subprocess.CompletedProcess(
            done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
        )

    def json(self, *arguments: str | Path) -> Any:
        """What a successful run wrote, read as JSON."""
        done = self.run(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    @contextmanager
    def started(self, *arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
        """Start it and leave it running; at the end of the block it is killed if it still runs."""
        with subprocess.Popen(
            self._line(arguments),
            cwd=self.directory,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                process.send_signal(signal.SIGKILL)

    def write_lines(self, name: str, events: list[dict[str, Any]]) -> Path:
        """A file of JSON Lines."""
        path = self.directory / name
        path.write_text("".join(json.dumps(event) + "\n" for event in events), encoding="utf-8")
        return path

    def _line(self, arguments: tuple[str | Path, ...]) -> list[str]:
        return [sys.executable, "-m", "servicetrail", *map(str, arguments)]


@pytest.fixture
def command(tmp_path: Path, database_urls: DatabaseUrls) -> Command:
    return Command(tmp_path, database_urls.owner)
