"""`token`: who may call over HTTP, and as what."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import typer

from ledger.tokens import NoSuchToken, RevokedAlready, Role
from questions.parameters import identifier
from questions.tables import column, instant, words
from servicetrail.cli import options
from servicetrail.cli.errors import Fail
from servicetrail.cli.output import err, out, print_table, write_json
from servicetrail.cli.recording import whoever_types
from servicetrail.settings import read_settings
from servicetrail.system import open_system
from web.tokens import told

_COLUMNS = (
    column("Id", "token_id"),
    words("Name", "name"),
    column("Role", "role"),
    column("Sources", "sources", ", ".join, wraps=True),
    instant("Created", "created_at"),
    words("By", "created_by"),
    instant("Expires", "expires_at"),
    instant("Revoked", "revoked_at"),
)


def add_to(app: typer.Typer) -> None:
    """Add the group's commands."""
    group = typer.Typer(no_args_is_help=True, help="Who may call over HTTP, and as what.")
    group.command("create")(create_command)
    group.command("list")(list_command)
    group.command("revoke")(revoke_command)
    app.add_typer(group, name="token")


def create_command(
    name: Annotated[
        str, typer.Option("--name", metavar="NAME", help="Who has it: a system, or a person.")
    ],
    role: Annotated[Role, typer.Option("--role", help="What it is for.")],
    source: Annotated[
        list[str] | None,
        typer.Option(
            "--source",
            metavar="SOURCE",
            help="Of a channel: what it may publish as; https://shop.example/* stands for "
            "everything that begins like it. Give it several times for several.",
        ),
    ] = None,
    expires: Annotated[
        datetime | None,
        typer.Option(
            "--expires",
            parser=options.parse_instant,
            metavar="INSTANT",
            help="When it ends (RFC 3339 or a date). Default: never.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Make an access token and write it to standard output. It is told this once.

    From the first token on, HTTP answers nobody without one.
    """
    try:
        names = [identifier(each) for each in (name, *(source or ()))]
        with open_system(read_settings()) as system:
            secret, token = system.tokens().create(
                names[0], role, actor=whoever_types(), sources=names[1:], expires_at=expires
            )
    except ValueError as error:
        raise Fail(str(error)) from None
    err.print(f"Token {token.token_id} for {name}: keep it, nobody can be told it again")
    out.print(secret, soft_wrap=True)


def list_command(json: options.Json = False) -> None:
    """List every access token that was ever made, the newest first."""
    with open_system(read_settings()) as system:
        rows: list[dict[str, Any]] = [
            told(each).model_dump(mode="json") for each in system.tokens().listed()
        ]
    if json:
        write_json({"rows": rows})
    else:
        print_table(rows, _COLUMNS)


def revoke_command(
    token_id: Annotated[str, typer.Argument(metavar="ID", help="The token's id.")],
) -> None:
    """Let an access token count no more, from a second later on at the latest."""
    with open_system(read_settings()) as system:
        try:
            token = system.tokens().revoke(token_id, actor=whoever_types())
        except (NoSuchToken, RevokedAlready) as error:
            raise Fail(f"{error}; see: servicetrail token list") from None
    out.print(f"Token {token_id} of {token.name} is revoked")
