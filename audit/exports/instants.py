"""How exports write instants."""

from datetime import UTC, datetime


def exact(instant: datetime) -> str:
    """RFC 3339 in UTC, always to the microsecond."""
    return f"{instant.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"
