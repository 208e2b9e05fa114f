"""What keeps an event from being accepted for publishing."""


class PublishingError(Exception):
    """Base of the errors below; their texts are made for people."""


class OutboxInUse(PublishingError):
    """Another process, or another publisher of this one, has the outbox open."""


class OutboxFull(PublishingError):
    """As many events wait as the outbox may hold: brokers have been away for too long."""


class OutboxFailed(PublishingError):
    """The outbox file cannot be read or written, such as on a full disk."""


class PublisherClosed(PublishingError):
    """`publish` was called after `close`."""
