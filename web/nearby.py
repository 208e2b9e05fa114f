"""Whether a request comes from this machine itself, and not by way of a web page or a proxy."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from starlette.datastructures import Headers

_BROUGHT = ("forwarded", "x-forwarded-", "x-real-ip", "via")
"""How headers begin that a proxy adds."""


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a listener on `host` (an address or `localhost`)."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def why_not_nearby(headers: Headers) -> str | None:
    """What shows that a request comes by way of a web page or a proxy; None: nothing does.

    A page of anybody's whose name was made to mean 127.0.0.1 still has its name in Host.
    """
    host = headers.get("host", "")
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        name = ""
    if not is_loopback(name):
        return f"the header Host is {host!r}, and must be localhost, 127.0.0.1 or [::1]"
    if headers.get("origin", f"http://{host}") != f"http://{host}":
        return "the header Origin names a web page"
    brought = next((name for name in headers if name.startswith(_BROUGHT)), None)
    return None if brought is None else f"the header {brought} shows that a proxy brings it"
