"""The views for dashboards: what they show, and that whoever reads them can do nothing else."""

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import make_dsn

from ledger.datastore import DASHBOARD_ROLE, Datastore
from ledger.migrations import MigrationRefused, migrate
from projections.answers import snapshot
from projections.channels.queries import channels
from projections.dashboard import views
from projections.slots import define_views
from schemas.codec import pii_fields
from schemas.message import Message
from tests.conftest import Cluster, DatabaseUrls
from tests.docs.pages import ROOT, Block, Page
from tests.intake.door import Door
from tests.projections.history import at, read_schema, runner
from tests.simulate.history import a_quarter

SECRET = "Lovelace, Analytical Street 1"
SAMPLE = 3_000


def with_secrets(event: dict[str, Any]) -> dict[str, Any]:
    """The event with the same words in every personal field that its type has."""
    data = json.loads(json.dumps(event["data"]))
    for path in pii_fields(event["type"]):
        *parents, name = path.split(".")
        record = data
        for parent in parents:
            record = record[parent]
        record[name] = SECRET
    return {**event, "data": data}


def message(event: dict[str, Any]) -> Message:
    return Message(
        body=json.dumps(event).encode(),
        content_type="application/cloudevents+json",
        attributes={},
        default_source="file:events",
        default_id=event["id"],
        default_time=at("2024-06-01"),
        origin={"file": "events"},
    )


@pytest.fixture(scope="module")
def company(cluster: Cluster, migrated_template: str) -> Iterator[DatabaseUrls]:
    """A simulated company with personal data wherever there may be some; read by all tests here."""
    with cluster.database(migrated_template) as name:
        urls = DatabaseUrls(cluster.owner_url(name), cluster.program_url(name))
        with closing(Datastore(urls.program)) as datastore:
            events = [with_secrets(event) for event in a_quarter()[:SAMPLE]]
            assert any(SECRET in json.dumps(event) for event in events)
            receipts = Door(datastore).take(*map(message, events))
            assert {receipt.outcome for receipt in receipts} == {"appended"}
            runner(datastore).catch_up()
        yield urls


@pytest.fixture(scope="module")
def dashboard(company: DatabaseUrls, cluster: Cluster) -> Iterator[str]:
    """Where a login connects that is a member of the role and of nothing else."""
    cluster.execute("CREATE ROLE grafana LOGIN PASSWORD 'grafana' IN ROLE servicetrail_dashboard")
    yield make_dsn(company.owner, user="grafana", password="grafana")
    cluster.execute("DROP ROLE grafana")


def query(url: str, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall()


def test_every_view_and_column_is_described_and_there(company: DatabaseUrls) -> None:
    found = query(
        company.owner,
        "SELECT c.relname, obj_description(c.oid), a.attname, col_description(c.oid, a.attnum)"
        " FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0"
        " WHERE c.relnamespace = 'dashboard'::regnamespace ORDER BY c.relname, a.attnum",
    )
    described = [
        (view.name, view.says, column, says)
        for view in sorted(views())
        for column, says in view.columns.items()
    ]
    assert found == described


@pytest.mark.parametrize("view", [view.name for view in views()])
def test_a_view_has_rows_to_show_and_nothing_personal(view: str, dashboard: str) -> None:
    rows = query(dashboard, f"SELECT row_to_json(v)::text FROM dashboard.{view} AS v")
    assert rows
    assert not any("Lovelace" in text for (text,) in rows)


ATTACKS = {
    "the ledger": "SELECT * FROM ledger.events",
    "the keys": "SELECT * FROM ledger.keys",
    "what was kept": "SELECT * FROM intake.kept",
    "the read models": "SELECT * FROM read.touchpoints",
    "steps with all they say": "SELECT data FROM read.complaint_steps",
    "update a view": "UPDATE dashboard.statements SET value = 'forged'",
    "insert into a view": "INSERT INTO dashboard.feedback (feedback_id) VALUES ('forged')",
    "delete from a view": "DELETE FROM dashboard.conversation_versions",
    "drop a view": "DROP VIEW dashboard.promises",
    "replace a view": "CREATE OR REPLACE VIEW dashboard.promises AS SELECT * FROM ledger.events",
    "a table beside the views": "CREATE TABLE dashboard.mine ()",
    "a table of its own": "CREATE TABLE public.mine ()",
    "a schema of its own": "CREATE SCHEMA mine",
    "a role of its own": "CREATE ROLE mine",
    "become the program": "SET ROLE servicetrail_writer",
    "grant itself the right": "GRANT SELECT ON ledger.events TO servicetrail_dashboard",
    "files of the server": "COPY dashboard.promises TO '/tmp/promises'",
    "append to the ledger": "INSERT INTO ledger.events DEFAULT VALUES",
}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
def test_who_reads_the_views_can_do_nothing_else(attack: str, dashboard: str) -> None:
    with (
        closing(psycopg2.connect(dashboard)) as connection,
        connection.cursor() as cursor,
        pytest.raises(psycopg2.Error, match=r"permission denied|must be owner|cannot .* view"),
    ):
        cursor.execute(attack)


TOOLS = [
    block
    for block in Page(ROOT / "docs" / "dashboards.md").blocks()
    if (block.option("file") or "").startswith(("grafana_", "metabase_"))
]


def as_sent(query: str) -> str:
    """The query as Grafana's and Metabase's own documentation says that they send it."""
    query = re.sub(
        r"\$__timeGroup\((\w+), *'7d'\)",
        r"floor(extract(epoch FROM \1) / 604800) * 604800",
        query,
    )
    query = re.sub(
        r"\$__timeFilter\((\w+)\)",
        r"\1 BETWEEN '2024-01-01T00:00:00Z' AND '2024-12-31T00:00:00Z'",
        query,
    )
    query = query.replace("[[", "").replace("]]", "")
    return query.replace("{{channel}}", "'mail'").replace("{{day}}", "date '2024-01-10'")


@pytest.mark.parametrize("block", TOOLS, ids=lambda block: block.option("file"))
def test_queries_of_the_page_run_as_the_tools_send_them(block: Block, dashboard: str) -> None:
    assert query(dashboard, as_sent(block.text))


def test_the_page_has_queries_for_both_tools() -> None:
    assert len(TOOLS) == 4


def test_a_month_of_channels_is_what_the_question_says(company: DatabaseUrls) -> None:
    with closing(Datastore(company.program)) as datastore, snapshot(datastore) as cursor:
        cursor.execute("SELECT now()")
        (now,) = cursor.fetchone() or (None,)
        january = {"from_": at("2024-01-01"), "to": at("2024-02-01")}
        asked = channels(cursor, as_of=now, **january).rows
        cursor.execute(
            "SELECT row_to_json(m) FROM dashboard.channels_by_month AS m"
            " WHERE month = '2024-01-01' ORDER BY channel"
        )
        shown = [row for (row,) in cursor]
    same = [name for name in shown[0] if name in asked[0]]
    assert len(same) > 15
    for row, wanted in zip(shown, asked, strict=True):
        assert {name: row[name] for name in same} == pytest.approx(
            {name: wanted[name] for name in same}
        )


@pytest.mark.parametrize(
    ("versions", "ended", "view", "thing"),
    [
        ("touchpoint_versions", "occurred_at", "touchpoints", "event_id"),
        ("promise_versions", "settled_at", "promises", "promise_id"),
        ("complaint_versions", "closed_at", "complaints", "complaint_id"),
        ("conversation_versions", "started_at", "conversations", "conversation_id"),
        ("response_time_versions", "ended_at", "response_times", "metric || started_by"),
    ],
)
def test_versions_as_of_now_are_what_holds_now(
    dashboard: str, versions: str, ended: str, view: str, thing: str
) -> None:
    holding = "visible_from <= now() AND visible_to > now()"
    then = f"SELECT {thing}, {ended} FROM dashboard.{versions} WHERE {holding} ORDER BY 1"
    assert query(dashboard, then) == query(
        dashboard, f"SELECT {thing}, {ended} FROM dashboard.{view} ORDER BY 1"
    )


@pytest.fixture
def beside(database_urls: DatabaseUrls) -> None:
    """Schemas of the program's: `former`, where tables go that are replaced, and `other`."""
    with (
        closing(psycopg2.connect(database_urls.owner)) as connection,
        connection,
        connection.cursor() as cursor,
    ):
        for name in ("former", "other"):
            cursor.execute(f"CREATE SCHEMA {name} AUTHORIZATION servicetrail_writer")


@pytest.mark.usefixtures("beside")
def test_views_follow_tables_that_were_put_in_place_of_others(datastore: Datastore) -> None:
    """Read models built beside are swapped in: views, and what others built on them, go on."""
    runner(datastore).catch_up()
    with read_schema(datastore) as cursor:
        cursor.execute("CREATE VIEW other.mine AS SELECT channel FROM dashboard.promises")
        cursor.execute("ALTER TABLE promises SET SCHEMA former")
        cursor.execute("CREATE TABLE read.promises (LIKE former.promises INCLUDING ALL)")
        cursor.execute(
            "INSERT INTO read.promises (promise_id, visible_from, visible_to, customer_id, channel,"
            " made_at, made_by, due_at, due_by) VALUES ('P', '-infinity', 'infinity', 'Ada',"
            " 'phone', '2024-01-01', gen_random_uuid(), '2024-01-02', gen_random_uuid())"
        )
        define_views(cursor)
        cursor.execute("DROP TABLE former.promises")
        cursor.execute("SELECT channel FROM other.mine")
        assert cursor.fetchall() == [("phone",)]


@pytest.mark.usefixtures("beside")
def test_a_column_of_another_type_makes_the_views_anew(datastore: Datastore) -> None:
    runner(datastore)
    with read_schema(datastore) as cursor:
        cursor.execute("ALTER TABLE feedback SET SCHEMA former")
        cursor.execute("CREATE TABLE read.feedback (LIKE former.feedback)")
        cursor.execute("ALTER TABLE read.feedback ALTER COLUMN score TYPE numeric")
        define_views(cursor)
        cursor.execute("DROP TABLE former.feedback")
        cursor.execute("SELECT pg_typeof(score) FROM (SELECT) LEFT JOIN dashboard.feedback ON true")
        assert cursor.fetchall() == [("numeric",)]


def test_who_may_not_make_the_role_is_told_what_to_run(cluster: Cluster) -> None:
    cluster.execute("CREATE ROLE keeper LOGIN PASSWORD 'keeper' IN ROLE servicetrail_writer")
    with cluster.database() as name:
        cluster.execute(f"ALTER DATABASE {name} OWNER TO keeper")
        cluster.execute(f"ALTER ROLE {DASHBOARD_ROLE} RENAME TO servicetrail_elsewhere")
        url = make_dsn(cluster.owner_url(name), user="keeper", password="keeper")
        try:
            with pytest.raises(
                MigrationRefused, match=r"run: CREATE ROLE servicetrail_dashboard NOLOGIN;$"
            ):
                migrate(url)
        finally:
            cluster.execute(f"ALTER ROLE servicetrail_elsewhere RENAME TO {DASHBOARD_ROLE}")
        migrate(url)
        cluster.execute(f"ALTER DATABASE {name} OWNER TO CURRENT_USER")
        with closing(psycopg2.connect(cluster.owner_url(name))) as connection:
            connection.cursor().execute("DROP OWNED BY keeper CASCADE")
            connection.commit()
    cluster.execute("DROP ROLE keeper")
