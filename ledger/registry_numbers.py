"""What the numbers of a schema registry stand for, remembered over restarts of the program."""

from pathlib import Path

from ledger.datastore import Datastore
from ledger.sql import named_queries
from schemas.catalogue import fingerprint_of_text

_SQL = named_queries(Path(__file__).with_name("registry_numbers.sql"))


class RegistryNumbers:
    """Numbers of one registry, by its address, that stand for schemas which the ledger knows.

    A number means the same for ever only as long as the registry itself is not replaced. So this
    is for the time in which it does not answer: what it says counts, and is remembered anew.

    Both methods raise the errors of `eventsourcing.persistence`.
    """

    def __init__(self, datastore: Datastore, registry: str) -> None:
        self._datastore = datastore
        self._registry = registry

    def remember(self, number: int, text: str) -> None:
        """Remember a schema, if it is one that the ledger knows: others reject their data."""
        try:
            fingerprint = fingerprint_of_text(text)
        except Exception:  # fastavro has no common base of what it raises here
            return
        row = {"registry": self._registry, "number": number, "fingerprint": fingerprint}
        with self._datastore.transaction() as cursor:
            cursor.execute(_SQL["remember"], row)

    def recall(self, number: int) -> str | None:
        """The schema's text, or None if the number is not remembered."""
        with self._datastore.transaction() as cursor:
            cursor.execute(_SQL["recall"], {"registry": self._registry, "number": number})
            row = cursor.fetchone()
        return None if row is None else str(row[0])
