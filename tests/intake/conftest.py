from collections.abc import Iterator

import pytest

from ledger.datastore import Datastore
from tests.intake.door import Door


@pytest.fixture
def keys_datastore(database_url: str) -> Iterator[Datastore]:
    """A datastore for the keyring alone, on this test's own database."""
    opened = Datastore(database_url, pool_size=1)
    yield opened
    opened.close()


@pytest.fixture
def door(datastore: Datastore, keys_datastore: Datastore) -> Door:
    """An intake on an empty ledger."""
    return Door(datastore, keys_datastore)
