"""Answers what one should know of a customer before calling."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from ledger.datastore import PgCursor
from ledger.prepared import Prepared
from ledger.sql import named_queries
from projections.answers import Answer, answer, fetch, window
from projections.complaints.queries import open_complaints
from projections.customers.persons import person
from projections.policies.costs import COST, COSTS
from projections.promises.queries import JUDGED
from projections.support.queries import open_requests
from schemas.codec import decode

SHOWN = 5
"""How many of the last touchpoints and of the last feedback are shown."""

_TEXTS = {
    name: sql.replace("{judged}", JUDGED).replace("{costs}", COSTS).replace("{cost}", COST)
    for name, sql in named_queries(Path(__file__).with_name("page.sql")).items()
}
# Whose promises they are must be known to judge these alone, and not everybody's first.
_SQL = {name: sql if name == "promises" else Prepared(sql) for name, sql in _TEXTS.items()}
_READ_MODELS = (
    "timeline",
    "conversations",
    "promises",
    "complaints",
    "feedback",
    "policies",
    "customers",
    "support",
    "statements",
)


def customer(
    cursor: PgCursor, customer_id: str, *, as_of: datetime, only_this_id: bool = False
) -> Answer:
    """What is known of a customer at `as_of`: one row, none if nothing had happened with them yet.

    It speaks of the person: of every id that is merged with this one at `as_of`, unless
    `only_this_id`; every part says whose id it is about. The columns and their parts are those of
    docs/reference/metrics.md, "Customers".
    """
    identities = [] if only_this_id else person(cursor, customer_id, as_of=as_of)[1:]
    ids = [customer_id, *(identity.customer_id for identity in identities)]
    asking = _Asking(cursor, ids, as_of)
    [known] = asking("known")
    if not known["events"]:
        return answer(cursor, _READ_MODELS, as_of, [])
    row = {
        "customer_id": customer_id,
        "identities": [identity._asdict() for identity in identities],
        **known,
        **_value(asking),
        "waiting": asking("waiting"),
        "promises": [_with_statement(promise) for promise in asking("promises")],
        "complaints": open_complaints(cursor, ids, as_of),
        "requests": open_requests(cursor, ids, as_of),
        "statements": asking("statements"),
        "employees": asking("employees"),
        "touchpoints": asking("touchpoints"),
        "feedback": asking("feedback"),
        **_cost(asking),
    }
    return answer(cursor, _READ_MODELS, as_of, [row])


class _Asking:
    """Asks the statements of `page.sql` about one person."""

    def __init__(self, cursor: PgCursor, ids: Sequence[str], as_of: datetime) -> None:
        self._cursor = cursor
        self._parameters = {"ids": list(ids), "as_of": as_of, "shown": SHOWN, **window(None, None)}

    def __call__(self, name: str) -> list[dict[str, Any]]:
        return fetch(self._cursor, _SQL[name], self._parameters)


def _value(asking: _Asking) -> dict[str, Any]:
    """What the customer is worth, owes and bought."""
    tiers, bought = asking("tiers"), asking("purchases")
    # Of a person in several tiers the one set last counts; one frozen credit is enough.
    tier = tiers[-1] if tiers else {"tier": None, "valid_from": None}
    changes = asking("credit")
    frozen = [change for change in changes if change["state"] == "frozen"]
    credit = max(frozen or changes, key=lambda change: change["since"], default=None)
    lapsed = asking("lapsed")
    return {
        "tier": tier["tier"],
        "tier_since": tier["valid_from"],
        "tiers": tiers,
        "credit": credit and credit["state"],
        "credit_since": credit and credit["since"],
        "lapsed_at": lapsed[0]["lapsed_at"] if lapsed else None,
        "lapse_reason": lapsed[0]["reason"] if lapsed else None,
        "purchases": sum(each["n"] for each in bought),
        "first_purchase_at": min((each["first_at"] for each in bought), default=None),
        "last_purchase_at": max((each["last_at"] for each in bought), default=None),
        "spent": [
            {"currency": each["currency"], "amount": each["amount"]}
            for each in bought
            if each["amount"] is not None
        ],
    }


def _with_statement(promise: Mapping[str, Any]) -> dict[str, Any]:
    """An open promise with what was promised, which is in the ledger alone."""
    said = decode(bytes(promise["fingerprint"]), bytes(promise["facts"]))
    kept = {name: promise[name] for name in promise if name not in {"fingerprint", "facts"}}
    return kept | {"statement": said["statement"]}


def _cost(asking: _Asking) -> dict[str, Any]:
    """What serving the customer has cost, per channel and together."""
    *channels, whole = asking("cost")
    return {"cost": whole["cost"], "currency": whole["currency"], "costs": channels}
