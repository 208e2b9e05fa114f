"""Customers: their tier, what they bought, whether they left, who they turn out to be."""

from domain.facts import Fact


class _AboutCustomer(Fact):
    KIND = "customer"
    ID_FIELD = "customer_id"
    RANK = 60


class CustomerTiered(_AboutCustomer):
    """The customer was placed in a tier of the customer pyramid."""

    TOPIC = "customer.tiered.v1"
    RANK = 5


class CustomerPurchased(_AboutCustomer):
    """The customer bought something."""

    TOPIC = "customer.purchased.v1"


class CustomerLapsed(_AboutCustomer):
    """The customer is lost, as far as anybody knows."""

    TOPIC = "customer.lapsed.v1"


class CustomerCreditChanged(_AboutCustomer):
    """The customer's credit was frozen or released."""

    TOPIC = "customer.credit_changed.v1"


class CustomerMerged(_AboutCustomer):
    """Another id turned out to be the same person."""

    TOPIC = "customer.merged.v1"


class CustomerUnmerged(_AboutCustomer):
    """The two ids are two persons after all."""

    TOPIC = "customer.unmerged.v1"
    RANK = 61


class CustomerErased(_AboutCustomer):
    """The customer's personal data can be read no more."""

    TOPIC = "customer.erased.v1"
    RANK = 99


class CustomerHoldPlaced(_AboutCustomer):
    """The customer's personal data must not be erased for now."""

    TOPIC = "customer.hold_placed.v1"


class CustomerHoldLifted(_AboutCustomer):
    """The customer's personal data may be erased again."""

    TOPIC = "customer.hold_lifted.v1"


FACTS: tuple[type[Fact], ...] = (
    CustomerTiered,
    CustomerPurchased,
    CustomerLapsed,
    CustomerCreditChanged,
    CustomerMerged,
    CustomerUnmerged,
    CustomerErased,
    CustomerHoldPlaced,
    CustomerHoldLifted,
)
