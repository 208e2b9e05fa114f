"""Work in threads of its own, which nobody has to wait for once it is time to stop."""

from collections.abc import Callable
from concurrent.futures import Future, wait
from threading import Event, Thread
from typing import TypeVar

Result = TypeVar("Result")

_LOOK_SECONDS = 0.1


class Abandoned(Exception):
    """It is time to stop, and what was under way was not done until then."""


def in_thread(work: Callable[[], Result], name: str = "taking") -> "Future[Result]":
    """Its result, some time. The thread does not keep the process from ending."""
    future: Future[Result] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    Thread(target=run, name=name, daemon=True).start()
    return future


def unless(stopping: Event, work: Callable[[], Result]) -> Result:
    """Its result, for what brokers that hang may hold up longer than anybody waits for the end.

    Raises `Abandoned` once it is time to stop: the thread ends by itself then, or with the process.
    """
    asking = in_thread(work, "asking")
    while not wait([asking], _LOOK_SECONDS).done:
        if stopping.is_set():
            raise Abandoned
    return asking.result()
