from collections.abc import Iterator

import pytest

from ledger.datastore import Datastore
from tests.dead_letters.desk import Desk


@pytest.fixture
def desk(datastore: Datastore) -> Iterator[Desk]:
    """A desk on an empty ledger. After every story the account adds up."""
    desk = Desk(datastore)
    yield desk
    assert desk.differences() == []
    for line in desk.account().values():
        assert line.received == sum(line[2:])
