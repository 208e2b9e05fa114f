"""The processes that answer beside HTTP what is asked about one customer or thing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from ledger.datastore import Datastore
from projections.rebuilding import Models
from questions.replay import REPLAY
from servicetrail import log as logging
from servicetrail.settings import Settings
from servicetrail.system import System
from web.answers import Asked, Tell, Told, telling
from web.processes import Processes

_MOST_STATEMENTS = 10
"""For any answer; each may take as long as is set."""


@dataclass(frozen=True)
class _Telling:
    """What a process answers with, with the settings of this program."""

    settings: Settings
    reads: Datastore
    models: Models

    def __call__(self) -> Tell:
        logging.configure(self.settings.log_format, self.settings.log_level)
        return telling(self.reads, self.models)


@contextmanager
def answering(system: System) -> Iterator[Tell]:
    """What answers, by as many processes as are set, until the end of the block."""
    here = telling(system.reads, system.models)
    with closing(
        Processes[Asked, Told](
            _Telling(system.settings, system.reads, system.models),
            here,
            system.settings.answering_processes,
            call_seconds=_MOST_STATEMENTS * system.settings.database_timeout_seconds,
        )
    ) as processes:

        def tell(asked: Asked) -> Told:
            # These are computed from all that happened to a customer: it may take long, and who
            # comes next in the same process would wait for it.
            long = asked.parameters.known_at is not None or asked.path == REPLAY.path
            return (here if long else processes)(asked)

        yield tell
