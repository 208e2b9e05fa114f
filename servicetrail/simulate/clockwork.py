"""The clock of the simulated company: stories sleep, wake in order of time, and tell facts."""

import heapq
from collections.abc import Generator, Iterator
from typing import Any, NamedTuple

Story = Generator[int, None, None]
"""Something that goes on in the company. It yields the instant at which it wants to be woken."""


class Happening(NamedTuple):
    """A fact at the instant at which it happened, not yet published."""

    at: int  # seconds since 1970
    source: str
    type: str
    subject: str
    correlation_id: str | None
    data: dict[str, Any]


class Clockwork:
    """Wakes stories in order of time; those of one instant in the order in which they lay down.

    Only stories that are under way take memory.
    """

    def __init__(self, now: int) -> None:
        self.now = now
        self._asleep: list[tuple[int, int, Story]] = []
        self._lain_down = 0
        self._told: list[Happening] = []

    def start(self, story: Story, at: int | None = None) -> None:
        """Let a story begin at that instant, by default now."""
        self._sleep(story, self.now if at is None else at)

    def tell(
        self,
        source: str,
        type_: str,
        subject: str,
        data: dict[str, Any],
        correlation_id: str | None = None,
    ) -> None:
        """A fact that happens now."""
        self._told.append(Happening(self.now, source, type_, subject, correlation_id, data))

    def run(self) -> Iterator[Happening]:
        """What the stories tell, in order of time, until all have ended."""
        asleep, told = self._asleep, self._told
        while asleep:
            self.now, _, story = heapq.heappop(asleep)
            wake_at = next(story, None)
            if told:
                yield from told
                told.clear()
            if wake_at is not None:
                self._sleep(story, wake_at)

    def _sleep(self, story: Story, until: int) -> None:
        if until < self.now:
            raise ValueError(f"a story cannot wake at {until}: it is {self.now} already")
        self._lain_down += 1
        heapq.heappush(self._asleep, (until, self._lain_down, story))
