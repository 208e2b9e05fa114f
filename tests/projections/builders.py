"""Processes that build read models, for tests that kill them."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

from ledger.datastore import Datastore
from projections.building import Building
from projections.model import ReadModel
from projections.registry import read_models

ROOT = Path(__file__).parents[2]


def build_slowly(url: str, schema: str, position: int, batches: int) -> None:
    """Build so many batches of a few events, then say so and wait for the end."""
    taken = 0

    def tell(_events: int) -> None:
        nonlocal taken
        taken += 1
        if taken == batches:
            sys.stdout.write("waiting\n")
            sys.stdout.flush()
            sys.stdin.read()

    building = Building(Datastore(url), read_models(), schema, batch_events=10)
    building.begin(position)
    building.work(Event(), tell)


@contextmanager
def building_slowly(url: str, schema: str, position: int, batches: int) -> Iterator[None]:
    """A process that has built so many batches and is in the middle of it; killed at the end."""
    code = "import sys; from tests.projections.builders import build_slowly;"
    code += "build_slowly(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))"
    with subprocess.Popen(
        [sys.executable, "-c", code, url, schema, str(position), str(batches)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "waiting\n"
            yield
        finally:
            process.kill()


def counted(events: list[int]) -> Callable[[int], None]:
    """What tells how many events were built, for a list."""
    return events.append


def all_models() -> tuple[ReadModel, ...]:
    """Every read model; it can be sent to another process."""
    return read_models()
