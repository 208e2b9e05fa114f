"""What is kept in memory for comparing channels is what stands in the tables."""

import gc
import tracemalloc
from collections import defaultdict
from datetime import datetime, timedelta
from time import process_time

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.datastore import Datastore, PgCursor
from projections import days as changes
from projections.answers import snapshot
from projections.channels.columns import DAY_MICROS, FOREVER, Columns, all_days, micros
from projections.channels.figures import Counted, figures
from projections.channels.keeping import Kept
from projections.channels.marks import marks
from projections.channels.sums import Sums, Window, counted
from projections.days import ORIGIN, changed, day_of
from projections.registry import read_models
from tests.projections.histories import (
    START,
    batches_of,
    histories,
)
from tests.projections.history import (
    Happened,
    apply,
    as_recorded,
    at,
    corrected,
    inbound,
    outbound,
    project,
    read_schema,
    runner,
)

LATER = at("2024-06-01")


DAYS = (None, 0, 1, 8, 15)
"""So many after the start a question is asked as of, or its window ends; None: at the end."""


def said(
    cursor: PgCursor, kept: Kept, as_of: int | None = None, until: int | None = None
) -> Counted:
    """Figures as of so many days after the start, of everything until so many; in order."""
    told = figures(
        cursor,
        LATER if as_of is None else START + timedelta(days=as_of),
        None if until is None else START,
        None if until is None else START + timedelta(days=until),
        kept,
    )
    return Counted(*(sorted(rows, key=lambda row: row["channel"]) for rows in told))


def truncate(cursor: PgCursor) -> None:
    """Leave nothing in any table of a read model."""
    tables = ", ".join(table for model in read_models() for table in model.tables)
    cursor.execute(f"TRUNCATE {tables}")


def strata(cursor: PgCursor, columns: Columns) -> list[list[int]]:
    """Which waits share a stratum: when they began and ended."""
    every = all_days(cursor)
    days = columns.days(cursor, marks(cursor, every), every)
    waits = columns.rows(days.values(), micros(LATER)).waits
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
    kept = Kept()
    with read_schema(datastore) as cursor:
        truncate(cursor)
        for batch in data.draw(batches_of(history)):
            apply(cursor, read_models(), batch)
            assert strata(cursor, kept.columns) == strata(cursor, Columns())
            asked = st.lists(st.tuples(*[st.sampled_from(DAYS)] * 2), min_size=2, max_size=6)
            for as_of, until in data.draw(asked):
                assert said(cursor, kept, as_of, until) == said(cursor, Kept(), as_of, until)


@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(history=histories(), as_of=st.sampled_from(DAYS), until=st.sampled_from(DAYS))
def test_what_is_counted_part_by_part_is_what_is_counted_at_once(
    datastore: Datastore, history: list[Happened], as_of: int | None, until: int | None
) -> None:
    runner(datastore)
    now = micros(LATER if as_of is None else START + timedelta(days=as_of))
    after = FOREVER if until is None else micros(START + timedelta(days=until))
    cuts = (micros(START), micros(START + timedelta(days=2)))
    window, kept = Window(micros(START) + 1, after, cuts), Kept()
    with read_schema(datastore) as cursor:
        truncate(cursor)
        apply(cursor, read_models(), as_recorded(history))
        part_by_part = kept.sums(cursor, window, now)
        columns = kept.columns
        every = all_days(cursor)
        days = columns.days(cursor, marks(cursor, every), every)
        rows = columns.rows(days.values(), now)
        at_once = counted(rows, window, FOREVER, columns.kinds, columns.abouts, now).sums
        assert told(part_by_part) == told(at_once)
        cursor.connection.rollback()


def told(sums: Sums) -> list[object]:
    """What sums say; how they are told apart by when the parts end does not matter."""
    groups = {group: [each.tolist() for each in waits] for group, waits in sums.waits.items()}
    lists = (sums.touches, sums.handling_seconds, sums.met, sums.talks, sums.helped)
    return [groups, *(np.trim_zeros(column, "b").tolist() for column in lists)]


A_CALL = [
    inbound("2024-03-01 09:00", "A1", channel="phone", topic="boiler"),
    outbound("2024-03-01 09:10", "A2", channel="phone", topic="boiler"),
]
ANOTHER = inbound("2024-03-01 10:00", "B1", channel="phone", customer_id="Ben")


def touchpoints(counted: Counted) -> int:
    return sum(figure["touchpoints_in"] + figure["touchpoints_out"] for figure in counted.figures)


def test_a_snapshot_is_told_what_it_sees_though_more_is_kept_since(datastore: Datastore) -> None:
    project(datastore, A_CALL)
    kept = Kept()
    with snapshot(datastore) as before:
        assert touchpoints(said(before, kept)) == 2
        project(datastore, [ANOTHER])
        with snapshot(datastore) as after:
            assert touchpoints(said(after, kept)) == 3
        assert touchpoints(said(before, kept)) == 2


def test_as_of_an_instant_there_is_what_had_happened_whatever_was_asked_before(
    datastore: Datastore,
) -> None:
    project(datastore, [*A_CALL, ANOTHER])
    kept = Kept()
    asked = [("10:00", 3), ("09:05", 1), ("09:59", 2), ("09:09", 1), ("11:00", 3), ("08:59", 0)]
    with snapshot(datastore) as cursor:
        for time, many in [*asked, *reversed(asked)]:
            counted_ = figures(cursor, at(f"2024-03-01 {time}"), None, None, kept)
            assert touchpoints(counted_) == many


def test_who_still_waited_is_answered_as_of_later_by_a_reply_of_another_day(
    datastore: Datastore,
) -> None:
    reply = outbound("2024-03-06 09:00", "A2", channel="phone", topic="boiler")
    project(datastore, [A_CALL[0], reply])
    kept = Kept()
    with snapshot(datastore) as cursor:
        for day, waiting in (("04", 1), ("07", 0), ("05", 1)):
            (phone,) = figures(cursor, at(f"2024-03-{day}"), None, None, kept).figures
            assert (phone["answered"], phone["waiting"]) == (1 - waiting, waiting)


def test_what_was_put_right_later_is_told_as_it_was_known(datastore: Datastore) -> None:
    by_mail = corrected("2024-03-03 09:00", "A1", channel="mail", direction="inbound")
    project(datastore, [A_CALL[0], by_mail])
    kept = Kept()
    with snapshot(datastore) as cursor:
        for day, channel in (("04", "mail"), ("02", "phone"), ("05", "mail"), ("02", "phone")):
            (row,) = figures(cursor, at(f"2024-03-{day}"), None, None, kept).figures
            assert (row["channel"], row["waiting"]) == (channel, 1)


def test_what_was_put_right_is_told_on_the_days_on_which_it_was_known_to_be(
    datastore: Datastore,
) -> None:
    """Where a version begins and ends, nothing else does on its day."""
    moved = [
        corrected(when, "A1", channel="phone", direction="inbound", occurred_at=to)
        for when, to in (("2024-03-10", "2024-03-03"), ("2024-03-20", "2024-03-05"))
    ]
    project(datastore, [A_CALL[0], *moved])
    known = {"01": ("09",), "03": ("10", "19"), "05": ("20", "21")}
    asked = ("09", "21", "10", "20", "19", "09", "10")
    kept = Kept()
    with snapshot(datastore) as cursor:
        for day, seen in known.items():
            window = at(f"2024-03-{day}"), at(f"2024-03-{day} 23:59")
            for as_of in (*asked, *reversed(asked)):
                told = figures(cursor, at(f"2024-03-{as_of}"), *window, kept)
                assert touchpoints(told) == (as_of in seen)


def test_whoever_comes_back_days_later_did_so_whichever_of_the_days_is_read_again(
    datastore: Datastore,
) -> None:
    resolved = outbound(
        "2024-03-06 09:00", "A2", channel="phone", topic="boiler", outcome="resolved"
    )
    project(datastore, [A_CALL[0], resolved])
    kept = Kept()

    def for_good(until: str | None = None) -> int:
        with snapshot(datastore) as cursor:
            to = None if until is None else at(until)
            rows = figures(cursor, LATER, None, to, kept).figures
            return sum(row.get("helped_at_once", 0) for row in rows)

    assert for_good() == for_good("2024-03-02") == 1
    project(datastore, [inbound("2024-03-12 09:00", "A3", channel="phone", topic="boiler")])
    assert for_good() == for_good("2024-03-02") == 0


def test_tables_that_took_the_place_of_others_are_read_anew(datastore: Datastore) -> None:
    project(datastore, A_CALL)
    kept = Kept()
    with read_schema(datastore) as cursor:
        assert touchpoints(said(cursor, kept)) == 2
        cursor.execute("ALTER TABLE touchpoints RENAME TO former")
        cursor.execute("CREATE TABLE touchpoints (LIKE former INCLUDING ALL)")
        cursor.execute("INSERT INTO touchpoints SELECT * FROM former WHERE direction = 'inbound'")
        assert touchpoints(said(cursor, kept)) == 1
        cursor.connection.rollback()


def test_tables_of_a_program_that_marked_no_days_are_read_each_time(datastore: Datastore) -> None:
    project(datastore, A_CALL)
    kept = Kept()
    with read_schema(datastore) as cursor:
        cursor.execute("UPDATE position SET version = '3' WHERE name = 'customers'")
        assert touchpoints(said(cursor, kept)) == 2
        cursor.execute("DELETE FROM touchpoints WHERE touchpoint_id = 'A2'")
        assert touchpoints(said(cursor, kept)) == 1
        cursor.connection.rollback()


def test_what_there_is_no_room_for_is_read_each_time(datastore: Datastore) -> None:
    project(datastore, [*A_CALL, ANOTHER])
    with snapshot(datastore) as cursor:
        nowhere = Kept(Columns(most_bytes=0), most_bytes=0)
        assert said(cursor, nowhere) == said(cursor, nowhere) == said(cursor, Kept())


def taken(cursor: PgCursor, kept: Kept, begins: datetime, days: int, windows: int) -> int:
    """How many bytes windows take that begin one microsecond after the other."""
    first, now = micros(begins), micros(LATER)
    kept.sums(cursor, Window(first, first + days * DAY_MICROS, ()), now)  # the rows
    gc.collect()
    tracemalloc.start()
    try:
        for more in range(windows):
            window = Window(first + more, first + more + days * DAY_MICROS, ())
            kept.sums(cursor, window, now)
        gc.collect()
        return tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


def test_windows_take_no_more_memory_than_they_may(datastore: Datastore) -> None:
    many = [
        inbound(f"2024-03-02 09:{minute:02}", f"D{minute}", topic=f"{minute}", customer_id="Ben")
        for minute in range(20)
    ]
    project(datastore, [*A_CALL, *many, inbound("2024-03-12 09:00", "C1", customer_id="Cleo")])
    with snapshot(datastore) as cursor:
        asked = ("2024-03-02", 1, 50), ("2024-03-01", 10, 50), ("2024-03-04", 1, 1_000)
        for begins, days, windows in asked:
            kept = Kept(most_bytes=100_000)  # of windows, and as many of their parts
            assert 100_000 < taken(cursor, kept, at(begins), days, windows) < 300_000
        no_days = at("2024-05-01")
        assert taken(cursor, Kept(), no_days, 1, windows=200) < 20_000


def test_one_wrong_date_makes_no_question_long(datastore: Datastore) -> None:
    project(datastore, [inbound("1970-01-01", "A0"), *A_CALL])
    kept = Kept(Columns(most_bytes=8_000_000), most_bytes=0)
    with read_schema(datastore) as cursor:
        since = process_time()
        assert touchpoints(said(cursor, kept)) == 3
        assert process_time() - since < 0.5
        # Nobody says so: it is not looked at, as all 20,000 days are kept.
        cursor.execute(
            "UPDATE touchpoints SET occurred_at = '1980-01-01' WHERE touchpoint_id = 'A1'"
        )
        until = figures(cursor, LATER, None, at("2000-01-01"), kept)
        assert touchpoints(until) == 1
        cursor.connection.rollback()
    project(datastore, [inbound("1990-01-01", "B0", customer_id="Ben")])
    with snapshot(datastore) as cursor:
        assert touchpoints(said(cursor, kept)) == 4


def test_a_day_that_did_not_change_is_not_read_again(datastore: Datastore) -> None:
    later = inbound("2024-03-20 09:00", "C1", channel="phone", customer_id="Cleo")
    project(datastore, [*A_CALL, later])
    kept = Kept()
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


def test_marks_of_a_day_alone_and_of_all_from_it_on(datastore: Datastore) -> None:
    runner(datastore)
    days = range(3, 7)
    with read_schema(datastore) as cursor:
        assert changes.marks(cursor, days) == [0, 0, 0, 0]
        fifth = ORIGIN + timedelta(days=4, hours=23)
        assert day_of(fifth) == 4
        changed(cursor, [fifth])
        alone = changes.marks(cursor, days)
        assert [mark != 0 for mark in alone] == [False, True, False, False]
        changed(cursor, [fifth], onwards=True)
        assert [b != a for a, b in zip(alone, changes.marks(cursor, days), strict=True)] == [
            False,
            True,
            True,
            True,
        ]
        assert changes.marks(cursor, range(6, 7)) == changes.marks(cursor, days)[3:]
        assert changes.marks(cursor, range(0)) == []
