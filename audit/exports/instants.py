"""How exports write values as text."""

from datetime import UTC, datetime

from schemas.fields import Value


def exact(instant: datetime) -> str:
    """RFC 3339 in UTC, always to the microsecond."""
    return f"{instant.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def value_text(value: Value) -> str:
    """A value as XML and tables of text have it: instants exactly, truth as true or false."""
    match value:
        case datetime():
            return exact(value)
        case bool():
            return "true" if value else "false"
    return str(value)
