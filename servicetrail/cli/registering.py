"""`schemas publish`: our schemas into a schema registry."""

from __future__ import annotations

from typing import Annotated

import typer

import domain
from consumers.registering import Found, Registrar, RegistrationRefused, subject_of
from questions.tables import column, number
from schemas.avro_data import RegistryUnavailable
from schemas.catalogue import SHIPPED, Schema
from servicetrail.cli.errors import NOT_ALL_TAKEN, Fail
from servicetrail.cli.output import err, out, print_table, printable
from servicetrail.settings import read_settings


def publish_command(
    registry: Annotated[
        str | None,
        typer.Option(
            "--registry",
            metavar="URL",
            help="Root of the registry. Default: SERVICETRAIL_SCHEMA_REGISTRY_URL.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Register the schemas of all event types that can be published in a schema registry.

    The subject of each is the full name of its record, such as servicetrail.PromiseMadeV1. All are
    checked first; if the registry finds one of them incompatible, none is registered. What is
    registered already stays as it is. Exit status: 0 when all are registered, 1 when not.
    """
    registrar = _registrar(registry)
    schemas = [
        schema for schema in SHIPPED.by_type.values() if schema.type not in domain.WRITTEN_BY_US
    ]
    try:
        found = {schema.type: registrar.find(schema) for schema in schemas}
        _refuse_incompatible([each for each in schemas if found[each.type] is Found.INCOMPATIBLE])
        rows = [
            {
                "type": schema.type,
                "subject": subject_of(schema),
                "id": registrar.register(schema),
                "found": found[schema.type].value,
            }
            for schema in schemas
        ]
    except RegistryUnavailable as error:
        raise Fail(f"the schema registry cannot be used: {error}") from None
    except RegistrationRefused as error:
        raise Fail(str(error), NOT_ALL_TAKEN) from None
    print_table(rows, [column("Type", "type"), column("Subject", "subject"), number("Id", "id")])
    new = sum(row["found"] == Found.NEW for row in rows)
    out.print(f"\n{len(rows)} schemas, {new} of them new")


def _registrar(url: str | None) -> Registrar:
    settings = read_settings()
    secret = settings.schema_registry_url
    given = url or (secret.get_secret_value() if secret else None)
    if not given:
        raise Fail(
            "no schema registry is set: give --registry, or set SERVICETRAIL_SCHEMA_REGISTRY_URL"
        )
    password = settings.schema_registry_password
    try:
        return Registrar(
            given,
            username=settings.schema_registry_user,
            password=password.get_secret_value() if password else None,
        )
    except ValueError as error:
        raise Fail(str(error)) from None


def _refuse_incompatible(schemas: list[Schema]) -> None:
    for schema in schemas:
        text = f"{subject_of(schema)}: not compatible with the version that is registered"
        err.print(f"servicetrail: {printable(text)}", soft_wrap=True)
    if schemas:
        raise typer.Exit(NOT_ALL_TAKEN)
