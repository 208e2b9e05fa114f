"""Who works at the command line, and that they go on record before they see anything."""

from __future__ import annotations

import os
import pwd

from ledger.access import Access, Actor, check_recorded, told_of
from servicetrail.system import System


def login() -> str:
    """The account that the process runs as, as the machine knows it: the environment, which
    everybody sets as they like, is not asked.
    """
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"user {os.getuid()}"


def whoever_types() -> Actor:
    """Who asks for something to be done."""
    return Actor(login(), "command")


def reader(system: System) -> Actor | None:
    """Who looks; None where nobody has to say who they are."""
    return whoever_types() if system.knows_callers() else None


def record(system: System, access: Access | None) -> None:
    """Put on record what somebody is about to see, as over HTTP. Raises
    `ledger.access.NotOnRecord`, and the errors of `eventsourcing.persistence`.
    """
    if access is not None:
        check_recorded(system.intake.record(told_of(reader(system), access)))
