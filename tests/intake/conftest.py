import pytest

from ledger.datastore import Datastore
from tests.intake.door import Door


@pytest.fixture
def door(datastore: Datastore) -> Door:
    """An intake on an empty ledger."""
    return Door(datastore)
