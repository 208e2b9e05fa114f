"""Two that decide on the same state of a queue, and write one after the other: nothing is stuck."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from psycopg2.extensions import cursor as PgCursor

from tests.dead_letters.desk import Desk
from tests.intake.door import answered, complaint, offered, promise


def both_decide_then_write(desk: Desk, *writers: Callable[[], object]) -> None:
    """Let the writers decide while the ledger's lock is held, and write in this order after."""
    with ThreadPoolExecutor(len(writers)) as pool:
        with desk.datastore.transaction() as cursor:
            cursor.execute("SELECT position FROM ledger.head FOR NO KEY UPDATE")
            started = []
            for number, writer in enumerate(writers, start=1):
                started.append(pool.submit(writer))
                wait_for_waiting(cursor, number)
        for each in started:
            each.result()


def wait_for_waiting(cursor: PgCursor, number: int) -> None:
    """Wait until so many others wait for a lock in this database."""
    found = 0
    while found < number:
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        [found] = cursor.fetchone() or (0,)


def test_the_missing_event_arrives_while_a_redriven_one_begins_to_wait_for_it(desk: Desk) -> None:
    desk.upgraded(max_event_bytes=1_000).take(promise("kept", id="kept", x="z" * 900))
    [rejected] = desk.open()
    both_decide_then_write(
        desk, lambda: desk.redrive(rejected), lambda: desk.take(promise("made", id="made"))
    )
    assert desk.ids() == ["made", "kept"]
    assert desk.open() == {}


def test_an_event_queues_up_while_the_head_of_its_queue_is_discarded(desk: Desk) -> None:
    desk.take(complaint("raised", id="raised"))
    desk.take(answered("A-9", id="misspelt"), answered("A-1", id="answered"))
    head = min(desk.open())
    both_decide_then_write(
        desk, lambda: desk.discard(head), lambda: desk.take(offered("A-1", id="offered"))
    )
    assert desk.ids() == ["raised", "offered", "answered"]
    assert desk.open() == {}


def test_an_event_queues_up_first_and_the_head_of_its_queue_is_discarded(desk: Desk) -> None:
    desk.take(complaint("raised", id="raised"))
    desk.take(answered("A-9", id="misspelt"), answered("A-1", id="answered"))
    head = min(desk.open())
    both_decide_then_write(
        desk, lambda: desk.take(offered("A-1", id="offered")), lambda: desk.discard(head)
    )
    assert desk.ids() == ["raised", "offered", "answered"]
    assert desk.open() == {}


def test_the_missing_event_arrives_while_another_is_parked_for_it(desk: Desk) -> None:
    both_decide_then_write(
        desk,
        lambda: desk.take(promise("kept", id="kept")),
        lambda: desk.take(promise("made", id="made")),
    )
    assert desk.ids() == ["made", "kept"]
