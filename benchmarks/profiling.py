"""Where the time of a run goes: seconds inside the functions that matter, by profile."""

import cProfile
import pstats
from collections.abc import Callable
from typing import Any


def shares(work: Callable[[], Any], stages: dict[str, tuple[str, str]]) -> dict[str, float]:
    """Run under the profiler and return each stage's share of the whole time.

    `stages`: name → (end of a file's path, beginning of a function's name); a stage's time includes
    what it calls.
    """
    profile = cProfile.Profile()
    profile.runcall(work)
    stats: Any = pstats.Stats(profile)
    found = dict.fromkeys(stages, 0.0)
    for (path, _line, function), (
        _calls,
        _primitive,
        _own,
        cumulative,
        _callers,
    ) in stats.stats.items():
        for stage, (file, name) in stages.items():
            if function.strip("<{").startswith(name) and path.endswith(file):
                found[stage] = max(found[stage], cumulative)
    return {stage: seconds / stats.total_tt for stage, seconds in found.items()}
