"""Answers are the same whoever makes them: the program itself, or processes beside it."""

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat

import httpx
import pytest

from ledger.keys import Keyring, MasterKey
from questions.registry import QUESTIONS
from servicetrail.answering import answering
from servicetrail.settings import Settings
from servicetrail.system import System, TimedIntake
from tests.conftest import Cluster
from tests.consumers.waiting import eventually
from tests.web.conftest import Api, serving, standing
from tests.web.test_reading import ASKED, HISTORY

AS_OF = "as_of=2026-05-01T00:00:00Z"
ABOUT_ONE = [
    path for question in QUESTIONS if question.subject for path in ASKED.get(question.path, [])
]


@pytest.fixture(scope="module")
def server(cluster: Cluster, migrated_template: str) -> Iterator[Api]:
    with standing(cluster, migrated_template, HISTORY) as api:
        yield api


@pytest.fixture(scope="module")
def beside(server: Api) -> Iterator[httpx.Client]:
    """A client of another server over the same database, whose processes are at work."""
    reads = server.datastore
    keyring = Keyring(reads, MasterKey(bytes(range(32))))
    system = System(Settings(), reads, reads, keyring, TimedIntake(reads, keyring))
    with answering(system) as tell, serving(reads, tell=tell) as api:
        with ThreadPoolExecutor(8) as threads:
            eventually(
                lambda: (
                    list(threads.map(api.client.get, repeat(ABOUT_ONE[0], 50)))
                    and len(multiprocessing.active_children()) == 2
                )
            )
        yield api.client


@pytest.mark.parametrize(
    "path",
    [
        *ABOUT_ONE,
        "/complaints/none",
        "/customers/C-1/timeline?cursor=made-up",
        "/customers/C-1/timeline?read=none",
        "/customers/C-1?known_at=3",
        "/promises?customer_id=C-1&known_at=3",
    ],
)
def test_answers_and_refusals_are_the_same(server: Api, beside: httpx.Client, path: str) -> None:
    asked = f"{path}{'&' if '?' in path else '?'}{AS_OF}"
    for media_type in ("application/json", "text/csv"):
        headers = {"Accept": media_type}
        expected = server.client.get(asked, headers=headers)
        told = beside.get(asked, headers=headers)
        assert (told.status_code, told.content) == (expected.status_code, expected.content)
        assert told.headers["content-type"] == expected.headers["content-type"]
        if "etag" in told.headers:
            same = beside.get(asked, headers=headers | {"If-None-Match": told.headers["etag"]})
            assert (same.status_code, same.content) == (304, b"")
    assert len(multiprocessing.active_children()) == 2
