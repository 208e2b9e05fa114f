"""Taking an erased customer out of this machine's outbox."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from ledger.erasing import NotEverywhere
from servicetrail.publisher.errors import PublishingError
from servicetrail.publisher.outbox import Outbox


def clear_outbox(path: Path, customer_id: str) -> None:
    """Destroy what brokers refused of a customer, if there is an outbox.

    Raises NotEverywhere where that is not possible now, and where events wait for their delivery.
    """
    if not path.exists():
        return
    try:
        with closing(Outbox(path, capacity=1)) as outbox:
            waiting = outbox.forget(customer_id)
    except PublishingError as error:
        raise NotEverywhere(
            f"customer {customer_id} is erased, but the outbox was not looked at: {error}; then "
            "erase the customer once more"
        ) from None
    if waiting:
        raise NotEverywhere(
            f"customer {customer_id} is erased, but {waiting:,} events of this customer wait in "
            f"{path} with what they say: deliver them with servicetrail publish; their personal "
            "part is lost on arrival"
        )
