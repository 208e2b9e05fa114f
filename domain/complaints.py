"""Complaints and their recovery by the 4A: acknowledge, apologize, amend, anticipate.

Steps out of order, amends without consent, steps after closing, closing without an apology:
recorded, and judged by the read model. Only what names a complaint, or an offer of amends, that
nobody has heard of waits for it.
"""

from typing import cast

from domain.facts import Fact, Follows, NotYet, Opens, Stream


class Complaint(Stream):
    """The history of one complaint: whose it is, and which amends were offered."""

    def begin(self, customer_id: str | None) -> None:
        super().begin(customer_id)
        self.offered_amends: set[str] = set()


class ComplaintNotRaised(NotYet):
    """A step of a complaint came before the complaint."""

    code = "complaint_not_raised"


class AmendsNotOffered(NotYet):
    """Amends were answered or delivered before they were offered."""

    code = "amends_not_offered"


class ComplaintRaised(Opens):
    """A customer complained."""

    TOPIC = "complaint.raised.v1"
    KIND = "complaint"
    ID_FIELD = "complaint_id"
    RANK = 40
    STREAM = Complaint


class _Step(Follows):
    KIND = "complaint"
    ID_FIELD = "complaint_id"
    NOT_OPENED = ComplaintNotRaised
    STREAM = Complaint


class ComplaintAcknowledged(_Step):
    """The first A: the customer was told that the complaint has been heard."""

    TOPIC = "complaint.acknowledged.v1"
    RANK = 41


class ComplaintRestated(_Step):
    """The customer had to tell it again."""

    TOPIC = "complaint.restated.v1"
    RANK = 42


class ComplaintHandedOver(_Step):
    """Another employee took over."""

    TOPIC = "complaint.handed_over.v1"
    RANK = 43


class ComplaintEscalated(_Step):
    """The complaint went to a role with more authority or expertise."""

    TOPIC = "complaint.escalated.v1"
    RANK = 44


class ComplaintExplained(_Step):
    """The customer was told why it takes time."""

    TOPIC = "complaint.explained.v1"
    RANK = 45


class ComplaintApologized(_Step):
    """The second A."""

    TOPIC = "complaint.apologized.v1"
    RANK = 46


class ComplaintDecided(_Step):
    """The complaint was upheld, partly upheld or rejected."""

    TOPIC = "complaint.decided.v1"
    RANK = 47


class ComplaintAmendsOffered(_Step):
    """The third A begins: amends were offered."""

    TOPIC = "complaint.amends_offered.v1"
    RANK = 48

    def supplies(self) -> str | None:
        return _offer(self)

    def apply(self, aggregate: Complaint) -> None:
        aggregate.offered_amends.add(self.data["amends_id"])


class _AboutOffer(_Step):
    def check(self, stream: Stream | None) -> None:
        super().check(stream)
        if self.data["amends_id"] not in cast(Complaint, stream).offered_amends:
            raise AmendsNotOffered(
                f"amends {self.data['amends_id']} of {self.originator_id} were not offered yet; "
                "this event waits for the offer",
                waits_for=_offer(self),
            )


class ComplaintAmendsAnswered(_AboutOffer):
    """The customer accepted the offer, or did not."""

    TOPIC = "complaint.amends_answered.v1"
    RANK = 49


class ComplaintAmendsDelivered(_AboutOffer):
    """The amends reached the customer."""

    TOPIC = "complaint.amends_delivered.v1"
    RANK = 50


class ComplaintPreventionPlanned(_Step):
    """The fourth A: what will keep it from happening again."""

    TOPIC = "complaint.prevention_planned.v1"
    RANK = 51


class ComplaintPreventionVerified(_Step):
    """Somebody checked that the prevention works."""

    TOPIC = "complaint.prevention_verified.v1"
    RANK = 52


class ComplaintFollowedUp(_Step):
    """The customer was asked how it went."""

    TOPIC = "complaint.followed_up.v1"
    RANK = 53


class ComplaintClosed(_Step):
    """The organisation regards the complaint as done."""

    TOPIC = "complaint.closed.v1"
    RANK = 54


class ComplaintReopened(_Step):
    """It was not done."""

    TOPIC = "complaint.reopened.v1"
    RANK = 55


def _offer(fact: Fact) -> str:
    return f"{fact.originator_id}/amends:{fact.data['amends_id']}"


FACTS: tuple[type[Fact], ...] = (
    ComplaintRaised,
    ComplaintAcknowledged,
    ComplaintApologized,
    ComplaintAmendsOffered,
    ComplaintAmendsAnswered,
    ComplaintAmendsDelivered,
    ComplaintPreventionPlanned,
    ComplaintPreventionVerified,
    ComplaintEscalated,
    ComplaintHandedOver,
    ComplaintRestated,
    ComplaintExplained,
    ComplaintDecided,
    ComplaintFollowedUp,
    ComplaintClosed,
    ComplaintReopened,
)
