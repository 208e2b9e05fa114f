"""Brings a database to the schema that this program knows.

The files ``NNNN_name.sql`` in this folder are applied in order, each in a transaction of its own.
A file that was released is never changed: a change is a new file.
"""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import psycopg2
import psycopg2.errors

from ledger.datastore import (
    DASHBOARD_ROLE,
    PROGRAM_ROLE,
    PgConnection,
    PgCursor,
    persistence_errors,
)
from ledger.sql import named_queries

_FOLDER = Path(__file__).parent
_SQL = named_queries(_FOLDER / "runner.sql")
_OLDEST_SERVER = 16  # roles are granted with or without SET since then
_ATTEMPTS = 5


class SchemaTooNew(Exception):
    """The database was upgraded by a newer program than this one."""


class MigrationRefused(Exception):
    """The database cannot be brought to this program's schema. The text says what to do."""


class Migration(NamedTuple):
    """One step: from version - 1 to version."""

    version: int
    name: str
    statements: str


def known_migrations() -> list[Migration]:
    """What this program ships, in order from version 1."""
    migrations = []
    for path in sorted(_FOLDER.glob("[0-9]*.sql")):
        number, name = path.stem.split("_", 1)
        migrations.append(Migration(int(number), name, path.read_text(encoding="utf-8")))
    return migrations


def migrate(url: str, migrations: Sequence[Migration] | None = None) -> None:
    """Upgrade the database at `url` to the newest of `migrations` (None: those shipped).

    Does nothing when it is there already; several programs may start at once. The login in `url`
    must own the database; the first time it also makes the role that the program takes
    (``servicetrail_writer``) and becomes a member of it, and the role of those who read the views
    for dashboards (``servicetrail_dashboard``).

    Raises `SchemaTooNew` when the database is newer, `MigrationRefused` when rights are missing,
    and `eventsourcing.persistence.OperationalError` when the server cannot be reached.
    """
    migrations = known_migrations() if migrations is None else migrations
    newest = migrations[-1].version
    with (
        persistence_errors(),
        closing(psycopg2.connect(url, application_name="servicetrail migrations")) as connection,
    ):
        version = _version(connection)
        _refuse_newer(version, newest)
        if version == newest and not _lacking_of_roles(connection):
            return
        _check_server(connection)
        try:
            _provide_roles(connection)
            for migration in migrations:
                _apply(connection, migration, newest)
        except psycopg2.errors.InsufficientPrivilege as error:
            user, database, _ = _one_row(connection, "who_and_where")
            raise MigrationRefused(
                f"{str(error).strip()}. The login that migrates must own the database. Let an "
                f"administrator run: ALTER DATABASE {database} OWNER TO {user};"
            ) from error


def _version(connection: PgConnection) -> int:
    (exists,) = _one_row(connection, "version_table_exists")
    version: int = _one_row(connection, "schema_version")[0] if exists else 0
    return version


def _refuse_newer(version: int, newest: int) -> None:
    if version > newest:
        raise SchemaTooNew(
            f"the database has schema version {version}, this program knows up to {newest}: "
            "start the newer program that upgraded it, or restore a backup from before"
        )


def _check_server(connection: PgConnection) -> None:
    version = connection.server_version // 10_000
    if version < _OLDEST_SERVER:
        raise MigrationRefused(
            f"PostgreSQL {_OLDEST_SERVER} or newer is needed, the server is version {version}"
        )
    _, database, encoding = _one_row(connection, "who_and_where")
    if encoding != "UTF8":
        raise MigrationRefused(
            f"the database must have the encoding UTF8, {database} has {encoding}: make one with "
            "CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0;"
        )


def _lacking_of_roles(connection: PgConnection) -> list[str]:
    """The statements that make the roles that are missing."""
    statements = []
    for role in (PROGRAM_ROLE, DASHBOARD_ROLE):
        (exists,) = _one_row(connection, "role_exists", {"role": role})
        if not exists:
            statements.append(f"CREATE ROLE {role} NOLOGIN;")
    (may_take_role,) = _one_row(connection, "may_take_role", {"role": PROGRAM_ROLE})
    if not may_take_role:
        user, _, _ = _one_row(connection, "who_and_where")
        statements.append(f"GRANT {PROGRAM_ROLE} TO {user};")
    return statements


def _provide_roles(connection: PgConnection) -> None:
    """Make the roles, and become a member of the program's.

    Roles belong to the whole cluster, where no lock of ours reaches: programs that start on two
    databases at once may both try, and the one that comes second looks again.
    """
    for attempt in range(1, _ATTEMPTS + 1):
        statements = _lacking_of_roles(connection)
        if not statements:
            return
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(" ".join(statements))
        except psycopg2.errors.InsufficientPrivilege as error:
            raise MigrationRefused(
                f"{str(error).strip()}. Let an administrator run: {' '.join(statements)}"
            ) from error
        except (
            psycopg2.errors.DuplicateObject,
            psycopg2.errors.UniqueViolation,
            psycopg2.errors.InternalError_,  # "tuple concurrently updated"
        ):
            if attempt == _ATTEMPTS:
                raise


def _apply(connection: PgConnection, migration: Migration, newest: int) -> None:
    with connection, connection.cursor() as cursor:
        cursor.execute(_SQL["one_at_a_time"])
        cursor.execute(_SQL["create_version_table"])
        cursor.execute(_SQL["schema_version"])
        (version,) = _fetched(cursor)
        _refuse_newer(version, newest)
        if version < migration.version:
            cursor.execute(migration.statements)
            cursor.execute(_SQL["record_version"], migration._asdict())


def _one_row(
    connection: PgConnection, query: str, parameters: dict[str, str] | None = None
) -> tuple[Any, ...]:
    with connection, connection.cursor() as cursor:
        cursor.execute(_SQL[query], parameters)
        return _fetched(cursor)


def _fetched(cursor: PgCursor) -> tuple[Any, ...]:
    row = cursor.fetchone()
    if row is None:
        raise LookupError("a query that always has a row came back without")
    return row
