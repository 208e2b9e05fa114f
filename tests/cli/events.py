"""Structured CloudEvents to put into files."""

from typing import Any


def touchpoint(number: int, **data: Any) -> dict[str, Any]:
    """One inbound mail."""
    return _event(
        f"t-{number}",
        "touchpoint.recorded.v1",
        number,
        {
            "touchpoint_id": f"T-{number}",
            "customer_id": "C-1",
            "channel": "mail",
            "direction": "inbound",
        }
        | data,
    )


def promise(step: str, promise_id: str, number: int = 0, **data: Any) -> dict[str, Any]:
    """A step of a promise to the same customer."""
    made = {"statement": "by Friday", "channel": "mail", "due_at": "2026-03-06T17:00:00Z"}
    return _event(
        f"{step}-{promise_id}",
        f"promise.{step}.v1",
        number,
        {"promise_id": promise_id, "customer_id": "C-1"} | (made if step == "made" else {}) | data,
    )


def _event(id_: str, type_: str, minute: int, data: dict[str, Any]) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": id_,
        "source": "mail",
        "type": type_,
        "time": f"2026-03-02T{9 + minute // 60 % 12:02}:{minute % 60:02}:00Z",
        "data": data,
    }
