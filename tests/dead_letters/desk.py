"""Where an operator sits: the door, and what can be done about what did not get through it."""

from datetime import UTC, datetime
from typing import Any

from ledger.datastore import Datastore
from ledger.dead_letters import DeadLetters, Redriven, Repaired, Where, listed, shown
from ledger.intake import Intake
from schemas.message import Message
from tests.intake.door import Door


class Desk(Door):
    """An intake with dead letters."""

    def __init__(self, datastore: Datastore) -> None:
        super().__init__(datastore)
        self.dead_letters = DeadLetters(datastore, self.keyring, self.intake)

    def upgraded(self, **settings: Any) -> "Desk":
        """The same database under a program that is set up in another way."""
        desk = Desk(self.datastore)
        desk.intake = Intake(self.datastore, self.keyring, **settings)
        desk.dead_letters = DeadLetters(self.datastore, self.keyring, desk.intake)
        return desk

    def listed(self, **where: Any) -> list[dict[str, Any]]:
        """The rows of the list."""
        with self.datastore.transaction() as cursor:
            return listed(cursor, Where(**where), as_of=datetime.now(UTC), limit=1_000)

    def open(self) -> dict[int, str]:
        """State by kept id of what is on the list."""
        return {row["kept_id"]: row["state"] for row in self.listed()}

    def show(self, kept_id: int) -> dict[str, Any]:
        with self.datastore.transaction() as cursor:
            found = shown(cursor, self.keyring, kept_id)
        assert found is not None
        return found

    def history(self, kept_id: int) -> list[tuple[str, str | None]]:
        """Each step and the outcome that it led to."""
        return [(step["step"], step["outcome"]) for step in self.show(kept_id)["history"]]

    def redrive(self, *kept_ids: int, dry_run: bool = False) -> list[Redriven]:
        return self.dead_letters.redrive(kept_ids or list(self.open()), who="ada", dry_run=dry_run)

    def repair(self, kept_id: int, message: Message, *, dry_run: bool = False) -> Redriven:
        """Take another message's body in place of a kept one's."""
        return self.dead_letters.repair(kept_id, Repaired(message.body), who="ada", dry_run=dry_run)

    def discard(self, *kept_ids: int, reason: str = "a test of the channel team") -> None:
        self.dead_letters.discard(kept_ids, who="ada", reason=reason)

    def counts(self, source: str = "test", since: datetime | None = None) -> dict[str, int]:
        """The account of a source, without what is 0."""
        line = self.account(since).get(source)
        counts = {} if line is None else line._asdict()
        return {name: count for name, count in counts.items() if name != "source" and count}

    def erase(self, customer_id: str) -> None:
        """Destroy the customer's key."""
        self.query(
            "UPDATE ledger.keys SET wrapped = NULL, destroyed_at = now()"
            " WHERE subject = %s RETURNING 1",
            f"customer:{customer_id}",
        )
