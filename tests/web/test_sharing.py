"""Answers that are made once for all who ask the same."""

from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from threading import Event, get_ident

import pytest

from tests.consumers.waiting import eventually
from tests.web.conftest import Api
from tests.web.test_posting import touchpoint
from web.answers import Written
from web.sharing import BYTES_BESIDE_BODY, InTurn, Kept, Together

OTHERS = 8


class Making:
    """Makes 1, and then 2, and so on; the first as soon as it is let go."""

    def __init__(self, error: Exception | None = None) -> None:
        self.begun = 0
        self.let_go = Event()
        self._error = error

    def __call__(self) -> int:
        self.begun += 1
        number = self.begun
        assert self.let_go.wait(30)
        if self._error is not None:
            raise self._error
        return number


class Key:
    """Something to ask for; knows how many threads have asked for it."""

    def __init__(self) -> None:
        self._asked: set[int] = set()

    def __hash__(self) -> int:
        self._asked.add(get_ident())
        return 0

    def __eq__(self, other: object) -> bool:
        return self is other

    def asked(self) -> int:
        return len(self._asked)


def asked_by_many(making: Making) -> list[Future[int]]:
    """What one gets who asks, and those who do while that is being made."""
    together: Together[int] = Together()
    key = Key()
    with ThreadPoolExecutor(1 + OTHERS) as threads:
        first = threads.submit(together.made, key, making)
        eventually(lambda: making.begun)
        others = [threads.submit(together.made, key, making) for _ in range(OTHERS)]
        eventually(lambda: key.asked() == 1 + OTHERS)
        assert together.made("another", lambda: 7) == 7  # does not wait for it
        making.let_go.set()
    return [first, *others]


def test_whoever_asks_while_it_is_made_shares_the_next_one() -> None:
    making = Making()
    assert [told.result() for told in asked_by_many(making)] == [1] + [2] * OTHERS
    assert making.begun == 2


def test_all_are_told_what_went_wrong() -> None:
    making = Making(error=RuntimeError("no database"))
    for told in asked_by_many(making):
        with pytest.raises(RuntimeError, match="no database"):
            told.result()
    assert making.begun == 2


def test_one_after_the_other_each_gets_their_own() -> None:
    making = Making()
    making.let_go.set()
    together: Together[int] = Together()
    assert [together.made("the same", making) for _ in range(3)] == [1, 2, 3]


def test_the_next_one_may_be_there_before_the_first_thread_goes_on() -> None:
    together: Together[int] = Together()
    key = Key()
    others: list[Future[int]] = []

    def first() -> int:
        # This thread is held right behind what it made until the other is done with its own.
        together._last[key].made.add_done_callback(lambda _: others[0].result(30))
        others.append(threads.submit(together.made, key, lambda: 2))
        eventually(lambda: key.asked() == 2)
        return 1

    with ThreadPoolExecutor(1) as threads:
        assert together.made(key, first) == 1
    assert [each.result() for each in others] == [2]
    assert together.made(key, lambda: 3) == 3


def test_so_many_work_on_the_same_at_once_and_the_others_in_their_turn() -> None:
    turns, let_go, begun = InTurn(2), Event(), list[int]()

    def making(number: int) -> int:
        begun.append(number)
        assert let_go.wait(30)
        return number

    with ThreadPoolExecutor(OTHERS) as threads:
        told = []
        for number in range(OTHERS):
            told.append(threads.submit(turns.made, "same", partial(making, number)))
            # Whoever is not at work by now stands in line.
            eventually(
                lambda number=number: (
                    len(begun) + turns._workers["same"]._work_queue.qsize() == number + 1
                )
            )
        assert turns.made("another", lambda: "at once") == "at once"
        assert begun == [0, 1]
        let_go.set()
        assert [each.result() for each in told] == list(range(OTHERS))
    assert begun == list(range(OTHERS))


def test_no_more_is_kept_than_there_is_room_for() -> None:
    kept = Kept(most_bytes=2 * (5 + BYTES_BESIDE_BODY))
    for tag in ("a", "b"):
        kept.keep(tag, Written(b"12345", {}))
    assert kept.get("a") is not None
    kept.keep("c", Written(b"12345", {}))  # in the place of b, which nobody asked for
    kept.keep("d", Written(bytes(2 * (5 + BYTES_BESIDE_BODY)), {}))
    assert [tag for tag in "abcd" if kept.get(tag)] == ["a", "c"]


def test_an_answer_is_given_again_until_something_is_projected(api: Api) -> None:
    api.post([touchpoint(1)])
    api.project()
    told = [api.client.get("/channels") for _ in range(3)]  # at most once a minute is over between
    assert any(one.content == next_.content for one, next_ in pairwise(told))
    assert {one.json()["position"] for one in told} == {1}
    (row,) = told[0].json()["rows"]
    api.post([touchpoint(2)])
    api.project()
    changed = api.client.get("/channels").json()
    assert changed["position"] == 2
    (row_now,) = changed["rows"]
    assert (row["touchpoints_in"], row_now["touchpoints_in"]) == (1, 2)
    packed = api.client.get("/channels", headers={"Accept-Encoding": "gzip"})
    assert packed.json()["rows"] == api.client.get("/channels").json()["rows"]
