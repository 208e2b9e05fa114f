"""The whole way: messages through the door, into the ledger, into the read models."""

import io
import itertools
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from ledger.datastore import Datastore
from projections.registry import read_models
from projections.runner import Runner
from schemas.files import messages_from, write_jsonl
from tests.intake.door import Door

BATCH = 1_000
NOW = datetime(2027, 1, 1, tzinfo=UTC)
"""An instant after everything that the tests let happen."""


class Trail(Door):
    """An intake, a ledger and the read models, on a database of the test's own."""

    def __init__(self, datastore: Datastore) -> None:
        super().__init__(datastore)
        self._runner = Runner(datastore, read_models())
        self._runner.prepare()

    def publish(self, cloudevents: Iterable[Mapping[str, Any]]) -> Counter[str]:
        """Take CloudEvents as a file of JSON Lines has them, project them, count the outcomes."""
        file = io.BytesIO()
        write_jsonl(file, cloudevents)
        file.seek(0)
        messages = messages_from(file, "trail.jsonl")
        outcomes: Counter[str] = Counter()
        while batch := list(itertools.islice(messages, BATCH)):
            outcomes.update(self.outcomes(*batch))
        self.project()
        return outcomes

    def project(self) -> None:
        """Bring the read models up to the end of the ledger."""
        self._runner.catch_up()
