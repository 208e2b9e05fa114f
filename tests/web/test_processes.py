"""Calls that other processes make."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path

import psutil
import pytest

from tests.consumers.waiting import eventually
from web.problems import Problem
from web.processes import Processes

READERS = 8
Work = Processes[str, tuple[str, int]]


class Unsendable(Exception):
    """An error that pickle makes nothing of."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first} {second}")


@dataclass(frozen=True)
class Told:
    """What processes do in these tests: tell what they were given, and who they are. `stuck` is a
    file: whoever takes it never comes back.
    """

    stuck: Path

    def __call__(self) -> Callable[[str], tuple[str, int]]:
        return self.tell

    def tell(self, given: str) -> tuple[str, int]:
        match given:
            case "slow":
                time.sleep(0.005)
            case "problem":
                raise Problem(404, "no-such-thing", "No such thing", "look", position=7)
            case "unsendable":
                raise Unsendable("a", "b")
            case "stuck" if self.stuck.exists():
                self.stuck.unlink()
                time.sleep(3_600)
        return given, os.getpid()


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Work]:
    told = Told(tmp_path / "stuck")
    with closing(Work(told, told.tell, 2, call_seconds=60)) as processes:
        yield processes


def start(work: Work) -> list[int]:
    """Have overlapping calls until all processes are ready; gives their ids."""
    with ThreadPoolExecutor(READERS) as threads:
        eventually(lambda: list(threads.map(work, repeat("slow", 40))) and len(work.pids) == 2)
    return work.pids


def test_who_calls_one_at_a_time_needs_no_process(work: Work) -> None:
    assert [work(each) for each in "abc"] == [(each, os.getpid()) for each in "abc"]
    assert work.pids == []


def test_once_calls_overlap_processes_make_them_and_everybody_gets_their_own(work: Work) -> None:
    processes = start(work)
    with ThreadPoolExecutor(READERS) as threads:
        told = list(threads.map(work, map(str, range(1_000))))
    assert [given for given, _ in told] == [str(number) for number in range(1_000)]
    assert {process for _, process in told} == {*processes}
    assert work("alone")[1] in processes


def test_a_count_of_none_makes_all_calls_here() -> None:
    work = Work(Told(Path("none")), lambda given: (given, os.getpid()), 0, call_seconds=1)
    with closing(work), ThreadPoolExecutor(READERS) as threads:
        told = list(threads.map(work, map(str, range(40))))
    assert [given for given, _ in told] == [str(number) for number in range(40)]
    assert work.pids == []


def test_what_was_raised_there_is_raised_here(work: Work) -> None:
    start(work)
    with pytest.raises(Problem, match="look") as problem:
        work("problem")
    assert (problem.value.status, problem.value.body["position"]) == (404, 7)
    assert problem.value.body["type"] == "urn:servicetrail:problem:no-such-thing"
    with pytest.raises(RuntimeError, match="Unsendable: a b") as unsendable:
        work("unsendable")
    assert "in tell" in unsendable.value.__notes__[0]
    assert work("and on")[0] == "and on"


def test_calls_of_a_process_that_was_killed_are_made_here(work: Work) -> None:
    killed, other = start(work)
    with ThreadPoolExecutor(READERS) as threads:
        told = threads.map(work, map(str, range(2_000)))
        os.kill(killed, signal.SIGKILL)
        assert [given for given, _ in told] == [str(number) for number in range(2_000)]
    assert work.pids == [other]
    assert work("after")[1] in (os.getpid(), other)


def test_a_process_that_is_stuck_is_ended_and_its_calls_are_made_here(tmp_path: Path) -> None:
    told = Told(tmp_path / "stuck")
    with closing(Work(told, told.tell, 2, call_seconds=3)) as work:
        start(work)
        told.stuck.touch()
        with ThreadPoolExecutor(READERS) as threads:
            made = list(threads.map(work, ["stuck", *map(str, range(100))]))
        assert made[0] == ("stuck", os.getpid())
        assert [given for given, _ in made[1:]] == [str(number) for number in range(100)]
        assert len(work.pids) < 2


def test_asked_to_end_by_a_signal_they_finish_what_is_under_way(work: Work) -> None:
    processes = start(work)
    for process in processes:
        os.kill(process, signal.SIGTERM)
        os.kill(process, signal.SIGINT)
    assert work("still there")[1] in processes
    work.close()
    assert not any(map(psutil.pid_exists, processes))
