"""A program that is frozen while it holds the ledger's lock holds the others up for seconds only.

`python -m tests.ledger.test_frozen URL DIRECTORY SECONDS WHERE` appends, and freezes itself before
it commits, or in the middle of the COPY.
"""

import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from eventsourcing.persistence import PersistenceError
from pydantic import SecretStr

from ledger.datastore import Datastore, PgCursor, retry_on_loss
from ledger.rows import append
from servicetrail.settings import Settings
from servicetrail.system import open_system
from tests.conftest import DatabaseUrls
from tests.ledger.events import appended, new_event

ROOT = Path(__file__).parents[2]
IDLE_SECONDS = 1
REFUSED = 3


class Freezing:
    """What a COPY reads: nothing but a freeze."""

    def read(self, _: int) -> bytes:
        os.kill(os.getpid(), signal.SIGSTOP)
        return b""


def append_and_freeze(cursor: PgCursor) -> None:
    append(cursor, [new_event("frozen", 1)])
    os.kill(os.getpid(), signal.SIGSTOP)


def freeze_while_appending(cursor: PgCursor) -> None:
    cursor.execute("SELECT position FROM ledger.head FOR NO KEY UPDATE")
    cursor.copy_expert("COPY ledger.events FROM STDIN (FORMAT binary)", Freezing())


def frozen_in_a_transaction(url: str, directory: str, idle_seconds: str, where: str) -> int:
    """Append, freeze until somebody continues us, and commit; `REFUSED` if that cannot be done."""
    settings = Settings(
        database_url=SecretStr(url),
        data_dir=Path(directory),
        database_idle_seconds=int(idle_seconds),
    )
    with open_system(settings) as system:
        try:
            with system.datastore.transaction() as cursor:
                WHERE[where](cursor)
        except PersistenceError:
            return REFUSED
    return 0


WHERE = {"before_commit": append_and_freeze, "in_copy": freeze_while_appending}


@pytest.mark.parametrize("where", WHERE)
def test_a_frozen_writer_holds_up_others_for_seconds_and_then_writes_nothing(
    database_urls: DatabaseUrls, tmp_path: Path, where: str
) -> None:
    arguments = [database_urls.owner, str(tmp_path), str(IDLE_SECONDS), where]
    # The other one connects with the same login, as programs of one installation do.
    others = Datastore(
        database_urls.owner,
        lock_timeout=2 * IDLE_SECONDS,
        idle_in_transaction_timeout=IDLE_SECONDS,
    )
    with (
        closing(others) as datastore,
        subprocess.Popen(
            [sys.executable, "-m", "tests.ledger.test_frozen", *arguments], cwd=ROOT
        ) as frozen,
    ):
        try:
            _, status = os.waitpid(frozen.pid, os.WUNTRACED)
            assert os.WIFSTOPPED(status)
            began = time.monotonic()
            retry_on_loss(appended)(datastore, new_event("live", 1))
            assert time.monotonic() - began < 5 * IDLE_SECONDS
            frozen.send_signal(signal.SIGCONT)
            assert frozen.wait(30) == REFUSED
        finally:
            frozen.kill()
        with datastore.transaction() as cursor:
            cursor.execute("SELECT source FROM ledger.events")
            assert cursor.fetchall() == [("live",)]


if __name__ == "__main__":
    sys.exit(frozen_in_a_transaction(*sys.argv[1:]))
