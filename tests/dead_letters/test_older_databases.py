"""Kept inputs of before dead letters could be redriven are redriven like any other."""

from contextlib import closing

import psycopg2

from ledger.datastore import Datastore
from ledger.migrations import known_migrations, migrate
from tests.conftest import Cluster
from tests.dead_letters.desk import Desk
from tests.intake.door import promise

KEPT_BEFORE = """
WITH kept AS (
    INSERT INTO intake.kept (
        state, event_id, source, id, originator_id, waits_for, reason, message, origin, key_subject,
        sealed, first_seen, last_seen, attempts
    )
    SELECT
        state, gen_random_uuid(), 'old', state, 'promise:P-1',
        CASE state WHEN 'parked' THEN 'promise:P-1' END, 'some_reason', '', '{}', 'intake', '',
        now() - interval '1 day', now() - interval '1 hour', attempts
    FROM (VALUES ('parked', 1), ('conflict', 1), ('rejected', 3)) AS before (state, attempts)
    RETURNING *
)
INSERT INTO intake.tally
SELECT first_seen, source, attempts, 0, 0, attempts * (state = 'conflict')::int,
       attempts * (state = 'parked')::int, attempts * (state = 'rejected')::int
FROM kept
"""


def test_an_older_database_keeps_its_queues_and_its_account(cluster: Cluster) -> None:
    with cluster.database() as name:
        migrate(cluster.owner_url(name), known_migrations()[:2])
        with closing(psycopg2.connect(cluster.owner_url(name))) as connection, connection:
            connection.cursor().execute(KEPT_BEFORE)
        migrate(cluster.owner_url(name))
        with closing(Datastore(cluster.program_url(name))) as datastore:
            desk = Desk(datastore)
            assert desk.differences() == []
            parked, conflict, rejected = sorted(desk.open())
            assert desk.show(rejected)["attempts"] == 3
            assert desk.outcomes(promise("kept", id="behind")) == ["parked"]
            desk.discard(parked, conflict)
            assert desk.outcomes(promise("made", id="made")) == ["appended"]
            assert desk.ids() == ["made", "behind"]
            assert desk.differences() == []
