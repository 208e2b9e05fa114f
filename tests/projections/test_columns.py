"""What is kept in memory for comparing channels is what stands in the tables."""

from collections import defaultdict
from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.datastore import Datastore, PgCursor
from projections.answers import snapshot
from projections.channels.columns import Columns, micros, weeks_of
from projections.channels.figures import Counted, figures
from projections.registry import read_models
from projections.weeks import ORIGIN, changed, marks, week_of
from tests.projections.histories import (
    START,
    batches_of,
    histories,
)
from tests.projections.history import (
    Happened,
    apply,
    at,
    inbound,
    outbound,
    project,
    read_schema,
    runner,
)

LATER = at("2024-06-01")


def said(cursor: PgCursor, columns: Columns, days: int | None = None) -> Counted:
    """Figures of everything, or of what began on a day, as of so many days later; in order."""
    if days is None:
        told = figures(cursor, LATER, None, None, columns)
    else:
        end = START + timedelta(days=1)
        told = figures(cursor, START + timedelta(days=days), START, end, columns)
    return Counted(*(sorted(rows, key=lambda row: row["channel"]) for rows in told))


def strata(cursor: PgCursor, columns: Columns) -> list[list[int]]:
    """Which waits share a stratum: when they began and ended."""
    waits = columns.rows(cursor, weeks_of(cursor, None, None), micros(LATER)).waits
    found: dict[int, list[int]] = defaultdict(list)
    for stratum, *about in zip(waits.stratum, waits.at, waits.ended_at, strict=True):
        found[stratum] += map(int, about)
    return sorted(map(sorted, found.values()))


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data(), history=histories())
def test_whatever_comes_is_counted_as_if_nothing_had_been_kept(
    datastore: Datastore, data: st.DataObject, history: list[Happened]
) -> None:
    runner(datastore)
    tables = ", ".join(table for model in read_models() for table in model.tables)
    kept = Columns()
    with read_schema(datastore) as cursor:
        cursor.execute(f"TRUNCATE {tables}")
        for batch in data.draw(batches_of(history)):
            apply(cursor, read_models(), batch)
            assert strata(cursor, kept) == strata(cursor, Columns())
            for days in (None, 0, 8):
                assert said(cursor, kept, days) == said(cursor, Columns(), days)


A_CALL = [
    inbound("2024-03-01 09:00", "A1", channel="phone", topic="boiler"),
    outbound("2024-03-01 09:10", "A2", channel="phone", topic="boiler"),
]
ANOTHER = inbound("2024-03-01 10:00", "B1", channel="phone", customer_id="Ben")


def touchpoints(counted: Counted) -> int:
    return sum(figure["touchpoints_in"] + figure["touchpoints_out"] for figure in counted.figures)


def test_a_snapshot_is_told_what_it_sees_though_more_is_kept_since(datastore: Datastore) -> None:
    project(datastore, A_CALL)
    kept = Columns()
    with snapshot(datastore) as before:
        assert touchpoints(said(before, kept)) == 2
        project(datastore, [ANOTHER])
        with snapshot(datastore) as after:
            assert touchpoints(said(after, kept)) == 3
        assert touchpoints(said(before, kept)) == 2


def test_tables_that_took_the_place_of_others_are_read_anew(datastore: Datastore) -> None:
    project(datastore, A_CALL)
    kept = Columns()
    with read_schema(datastore) as cursor:
        assert touchpoints(said(cursor, kept)) == 2
        cursor.execute("ALTER TABLE touchpoints RENAME TO former")
        cursor.execute("CREATE TABLE touchpoints (LIKE former INCLUDING ALL)")
        cursor.execute("INSERT INTO touchpoints SELECT * FROM former WHERE direction = 'inbound'")
        assert touchpoints(said(cursor, kept)) == 1
        cursor.connection.rollback()


def test_tables_of_a_program_that_marked_nothing_are_read_each_time(datastore: Datastore) -> None:
    project(datastore, A_CALL)
    kept = Columns()
    with read_schema(datastore) as cursor:
        cursor.execute("UPDATE position SET version = '2' WHERE name = 'customers'")
        assert touchpoints(said(cursor, kept)) == 2
        cursor.execute("DELETE FROM touchpoints WHERE touchpoint_id = 'A2'")
        assert touchpoints(said(cursor, kept)) == 1
        cursor.connection.rollback()


def test_what_there_is_no_room_for_is_read_each_time(datastore: Datastore) -> None:
    project(datastore, [*A_CALL, ANOTHER])
    with snapshot(datastore) as cursor:
        nowhere = Columns(most_bytes=0)
        assert said(cursor, nowhere) == said(cursor, nowhere) == said(cursor, Columns())


def test_a_week_that_did_not_change_is_not_read_again(datastore: Datastore) -> None:
    later = inbound("2024-03-20 09:00", "C1", channel="phone", customer_id="Cleo")
    project(datastore, [*A_CALL, later])
    kept = Columns()
    with read_schema(datastore) as cursor:
        assert touchpoints(said(cursor, kept)) == 3
        # Nobody says so: it is not looked at.
        cursor.execute("DELETE FROM touchpoints WHERE touchpoint_id = 'A2'")
        assert touchpoints(said(cursor, kept)) == 3
        changed(cursor, [at("2024-03-20")])
        assert touchpoints(said(cursor, kept)) == 3
        changed(cursor, [at("2024-03-01")])
        assert touchpoints(said(cursor, kept)) == 2
        cursor.connection.rollback()


def test_marks_of_a_week_alone_and_of_all_from_it_on(datastore: Datastore) -> None:
    runner(datastore)
    weeks = range(3, 7)
    with read_schema(datastore) as cursor:
        assert marks(cursor, weeks) == [0, 0, 0, 0]
        fifth = ORIGIN + timedelta(weeks=4, days=6)
        assert week_of(fifth) == 4
        changed(cursor, [fifth])
        alone = marks(cursor, weeks)
        assert [mark != 0 for mark in alone] == [False, True, False, False]
        changed(cursor, [fifth], onwards=True)
        assert [b != a for a, b in zip(alone, marks(cursor, weeks), strict=True)] == [
            False,
            True,
            True,
            True,
        ]
        assert marks(cursor, range(6, 7)) == marks(cursor, weeks)[3:]
        assert marks(cursor, range(0)) == []
