"""A sealed ledger for tests, and somebody with every power over its database."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg2

from audit.outside import Directory
from audit.sealer import Sealer
from audit.signing import SigningKeys
from audit.whole import check_ledger
from audit.whole_checkpoints import Outside
from audit.whole_found import Found
from ledger.datastore import Datastore
from ledger.intake import Intake
from ledger.keys import Keyring
from schemas.message import Message
from tests.intake.door import MASTER, cloudevent, complaint, promise, touchpoint

KEYS = SigningKeys.made()


class Ledger:
    """A ledger of the test's own, its sealer, and a directory for checkpoints."""

    def __init__(self, datastore: Datastore, directory: Path, keys: SigningKeys = KEYS) -> None:
        self.datastore = datastore
        self.directory = Directory(directory)
        self.keys = keys
        self.keyring = Keyring(datastore, MASTER)
        self.intake = Intake(datastore, self.keyring)
        self.sealer = self.new_sealer()

    def new_sealer(self, **options: Any) -> Sealer:
        """A sealer that has seen nothing yet."""
        return Sealer(self.datastore, lambda: self.keys, [self.directory], **options)

    def take(self, *messages: Message) -> None:
        """Put messages through the door; all of them become events."""
        receipts = self.intake.take(messages)
        assert {receipt.outcome for receipt in receipts} == {"appended"}, receipts

    def outside(self) -> list[Outside]:
        """The checkpoints outside the database."""
        return [
            Outside(str(path), str(note)) for path, note, _ in self.directory.all(self.keys.origin)
        ]

    def check(self, **options: Any) -> Found:
        """Check the whole ledger, with what is outside."""
        known = [str(key) for key in self.keys.public]
        return check_ledger(
            self.datastore,
            **{"keys": known, "outside": self.outside(), "unwrap": self.keyring.unwrap} | options,
        )

    def query(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        with self.datastore.transaction() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchall()


@contextmanager
def ledger(url: str, directory: Path, keys: SigningKeys = KEYS) -> Iterator[Ledger]:
    """A ledger on the database at `url`."""
    with closing(Datastore(url)) as datastore:
        yield Ledger(datastore, directory, keys)


def a_day(number: int, customers: int = 5) -> list[Message]:
    """What some customers and a policy bring in a day: some of it personal."""
    messages = [policy(number)]
    for each in range(customers):
        customer = f"C-{each}"
        thing = f"{number}-{each}"
        messages += [
            touchpoint(
                f"T-{thing}", customer, note=f"spoke with {customer}", sequence=number * 100 + each
            ),
            promise("made", f"P-{thing}", customer, correlationid=f"case-{thing}"),
            complaint("raised", f"K-{thing}", customer, causationid=f"cause-{thing}"),
        ]
    return messages


def policy(number: int) -> Message:
    """A price per contact, which belongs to no customer."""
    data = {"channel": "mail", "currency": "EUR", "valid_from": "2026-01-01T00:00:00Z"}
    return cloudevent("channel.costed.v1", data, id=f"price-{number}")


def sealed_days(of: Ledger, days: int = 3) -> None:
    """Some days, each of them sealed at its end."""
    for number in range(1, days + 1):
        of.take(*a_day(number))
        of.sealer.seal()


class Attacker:
    """Somebody who may do anything in the database, and knows how to get round triggers."""

    def __init__(self, owner_url: str) -> None:
        self._url = owner_url

    def does(self, *statements: str) -> None:
        """Run statements with all triggers, constraints and rules of the ledger out of the way."""
        with closing(psycopg2.connect(self._url)) as connection, connection.cursor() as cursor:
            cursor.execute(FLIP)
            for table in TABLES:
                cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
            for statement in statements:
                cursor.execute(statement)
            for table in TABLES:
                cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER ALL")
            for table, trigger in ALWAYS:
                cursor.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {trigger}")
            connection.commit()


FLIP = """
    CREATE OR REPLACE FUNCTION pg_temp.flip(value bytea, at integer) RETURNS bytea LANGUAGE sql
    RETURN set_byte(value, at, get_byte(value, at) # 1)
"""
TABLES = [
    "ledger.events",
    "ledger.keys",
    "ledger.schemas",
    "seal.register",
    "seal.checkpoints",
]
ALWAYS = [
    ("ledger.events", "gapless"),
    ("ledger.events", "append_only"),
    ("ledger.events", "append_only_truncate"),
]
