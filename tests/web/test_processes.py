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
from threading import Lock

import psutil
import pytest

from tests.consumers.waiting import eventually
from web.problems import Problem
from web.processes import AT_ONCE, END_SECONDS, Processes

READERS = 8
Work = Processes[str, tuple[str, int]]


class Unsendable(Exception):
    """An error that pickle makes nothing of."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first} {second}")


@dataclass(frozen=True)
class Told:
    """What processes do in these tests: tell what they were given, and who they are. There are two
    files: one who takes `stuck` never comes back, and who is `held` is so as long as it is there.
    """

    directory: Path

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
            case "held":
                eventually(lambda: not (self.directory / "held").exists())
            case "stuck" if (self.directory / "stuck").exists():
                (self.directory / "stuck").unlink()
                time.sleep(3_600)
        return given, os.getpid()


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Work]:
    told = Told(tmp_path)
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
    assert {process for _, process in told} >= {*processes}
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


def test_calls_of_a_process_that_was_killed_are_made_here_and_then_by_the_other(work: Work) -> None:
    killed, other = start(work)
    with ThreadPoolExecutor(READERS) as threads:
        told = threads.map(work, map(str, range(2_000)))
        os.kill(killed, signal.SIGKILL)
        assert [given for given, _ in told] == [str(number) for number in range(2_000)]
        eventually(lambda: [*map(work, "ab")] and work.pids == [other])
        assert {work(each)[1] for each in "abcdef"} == {other}


def test_what_cannot_be_sent_is_refused_and_others_get_their_own(work: Work) -> None:
    start(work)
    numbers = list(map(str, range(200)))
    with ThreadPoolExecutor(READERS) as threads:
        told = [threads.submit(work, each) for each in numbers]
        refused = [threads.submit(work, Lock()) for _ in numbers]  # type: ignore[arg-type]
        told += [threads.submit(work, each) for each in numbers]
    assert [each.result()[0] for each in told] == numbers * 2
    assert all(isinstance(each.exception(), TypeError) for each in refused)


def test_who_waited_for_long_makes_the_call_here(work: Work, tmp_path: Path) -> None:
    start(work)
    (tmp_path / "held").touch()
    with ThreadPoolExecutor(READERS) as threads:
        held = [threads.submit(work, "held") for _ in range(2 * AT_ONCE)]
        eventually(lambda: not any(each.done() for each in held))
        assert work("quick") == ("quick", os.getpid())
        (tmp_path / "held").unlink()
        assert os.getpid() not in {each.result()[1] for each in held}


def test_a_process_that_is_stuck_is_ended_and_its_calls_are_made_here(tmp_path: Path) -> None:
    told = Told(tmp_path)
    with closing(Work(told, told.tell, 2, call_seconds=3)) as work:
        start(work)
        (tmp_path / "stuck").touch()
        with ThreadPoolExecutor(READERS) as threads:
            made = list(threads.map(work, ["stuck", *map(str, range(100))]))
        assert made[0] == ("stuck", os.getpid())
        assert [given for given, _ in made[1:]] == [str(number) for number in range(100)]
        assert len(work.pids) < 2


def test_they_do_not_hear_ctrl_c_and_end_together_however_busy(work: Work, tmp_path: Path) -> None:
    processes = start(work)
    for process in processes:
        os.kill(process, signal.SIGINT)
    assert work("still there")[1] in processes
    (tmp_path / "held").touch()
    with ThreadPoolExecutor(READERS) as threads:
        held = [threads.submit(work, "held") for _ in processes]
        eventually(lambda: not any(each.done() for each in held))
        began = time.monotonic()
        work.close()
        took = time.monotonic() - began
        assert not any(map(psutil.pid_exists, processes))
        (tmp_path / "held").unlink()
        assert {each.result()[1] for each in held} == {os.getpid()}
    assert took < 2 * END_SECONDS
