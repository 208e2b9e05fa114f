"""Clients of brokers, and why these cannot be connected to, in words that say what to do."""

from collections.abc import Callable, Mapping, Set
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.cluster import ClusterMetadata
from kafka.errors import (
    AuthorizationError,
    FencedInstanceIdError,
    GroupAuthorizationFailedError,
    IllegalSaslStateError,
    KafkaConfigurationError,
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    SaslAuthenticationFailedError,
    TopicAuthorizationFailedError,
    UnsupportedSaslMechanismError,
)
from kafka.net.compat import KafkaNetClient

_CONNECT_MS = 5_000
_NOBODY = "ECONNREFUSED"
_UNTRUSTED = "CERTIFICATE_VERIFY_FAILED"
_OPTIONS = "of the Kafka options (SERVICETRAIL_KAFKA_OPTIONS)"
_MAKE_TOPICS = "allow_auto_create_topics"
_LOGIN = (
    AuthorizationError, IllegalSaslStateError, SaslAuthenticationFailedError,
    UnsupportedSaslMechanismError,
)  # fmt: skip


class NotLetIn(KafkaError):  # type: ignore[misc]  # kafka-python has no types
    """The brokers refuse our login, or we do not trust them. Trying again would not help."""


HOPELESS = (
    AuthorizationError,
    FencedInstanceIdError,
    KafkaConfigurationError,
    NotLetIn,
    SaslAuthenticationFailedError,
)
"""What the brokers refuse us will be refused again."""


def consumer(settings: Mapping[str, Any]) -> KafkaConsumer:
    """A consumer of these settings, connected. Raises `NotLetIn`, `kafka.errors.KafkaError`."""
    client = _connected(KafkaConsumer, settings)
    _heed_making_topics(client._cluster, settings)
    return client


def producer(settings: Mapping[str, Any]) -> KafkaProducer:
    """A producer of these settings, connected. Raises `NotLetIn`, `kafka.errors.KafkaError`."""
    client = _connected(KafkaProducer, settings)
    _heed_making_topics(client._metadata, settings)
    return client


def administrator(settings: Mapping[str, Any]) -> KafkaAdminClient:
    """An administrator's client of these settings, connected. Raises `NotLetIn`,
    `kafka.errors.KafkaError`.
    """
    return _connected(KafkaAdminClient, settings)


def _connected(kind: Callable[..., Any], settings: Mapping[str, Any]) -> Any:
    """A client of that kind.

    Of one that cannot connect, kafka-python (3.0.12) leaves a thread and its sockets behind, for
    ever, and it tells only that its time ran out. So those are closed, and one more connection is
    tried: what goes wrong with it is raised.
    """
    opened: list[KafkaNetClient] = []

    def opening(**configs: Any) -> KafkaNetClient:
        opened.append(KafkaNetClient(**configs))
        return opened[-1]

    try:
        return kind(**{**settings, "kafka_client": opening})
    except BaseException as error:
        for client in opened:
            client.close()
        why = _tried(settings) if isinstance(error, KafkaTimeoutError) else None
        if why is None:  # it is said already; or brokers came back this moment
            raise
        raise _explained(why, settings) from error


def _heed_making_topics(cluster: ClusterMetadata, settings: Mapping[str, Any]) -> None:
    """Whether brokers shall make topics that are asked for and not there, with as many partitions
    as they like: kafka-python (3.0.12) takes the setting, and asks them to in any case.
    """
    cluster.config[_MAKE_TOPICS] = settings[_MAKE_TOPICS]


def told(error: BaseException) -> str:
    """An error of the client in a line; those of this module speak for themselves."""
    name = type(error).__name__
    text = " ".join(str(error.args[0] if error.args else "").split())
    if isinstance(error, OSError):
        text = str(error)
    if isinstance(error, NotLetIn):
        return text
    return name if text in ("", name) else f"{name}: {text}"


def refusal(error: KafkaError, group: str) -> str:
    """What the brokers refuse a member of the group, one of `HOPELESS`, and what to do about it."""
    if isinstance(error, TopicAuthorizationFailedError):
        names = ", ".join(sorted(unauthorized(error)))
        return f"the brokers do not let us read {names}: allow READ and DESCRIBE, and start again"
    if isinstance(error, GroupAuthorizationFailedError):
        return (
            f"the brokers do not let us join the group {group}: allow READ on it, or name another "
            "one, and start again"
        )
    return told(error)


def unauthorized(error: TopicAuthorizationFailedError) -> Set[str]:
    """The topics that the error is about."""
    topics = error.args[0] if error.args else ()
    return {topics} if isinstance(topics, str) else set(topics)


def _explained(why: Exception, settings: Mapping[str, Any]) -> KafkaError:
    protocol = settings.get("security_protocol", "PLAINTEXT")
    if isinstance(why, _LOGIN):
        return NotLetIn(
            f"the brokers refuse the login: {told(why)}; check sasl_mechanism, sasl_plain_username "
            f"and sasl_plain_password {_OPTIONS}"
        )
    text = str(why.args[0]) if why.args else told(why)
    if _UNTRUSTED in text:
        return NotLetIn(
            f"the brokers' certificate is not trusted: {text}; check that ssl_cafile {_OPTIONS} "
            "names the authority that signed it, and that the brokers are addressed by a name that "
            "stands in it"
        )
    if isinstance(why, OSError):
        return NotLetIn(
            f"the files for TLS cannot be used: {told(why)}; check ssl_cafile, ssl_certfile and "
            f"ssl_keyfile {_OPTIONS}"
        )
    if _NOBODY in text:
        return KafkaConnectionError(text)
    return KafkaConnectionError(
        f"{text}; if they are up, check security_protocol {_OPTIONS}, which is {protocol}"
    )


def _tried(settings: Mapping[str, Any]) -> Exception | None:
    """What goes wrong when one of the brokers is connected to."""
    client = KafkaNetClient(**settings)
    manager = client._manager
    build = manager._build_transport

    async def build_patient(*arguments: Any, **more: Any) -> Any:
        """The client forgets an answer behind which the connection is closed, which is how brokers
        answer a wrong password.
        """
        transport = await build(*arguments, **more)
        receive = transport._sock_recv

        def data_first() -> tuple[bytes, Exception | None]:
            data, error = receive()
            return data, None if data else error

        transport._sock_recv = data_first
        return transport

    async def connect() -> None:
        broker = manager.cluster.bootstrap_brokers()[0]
        await manager.get_connection(
            broker.node_id,
            timeout_ms=_CONNECT_MS,
            pop_on_close=False,
            refresh_metadata_on_err=False,
        )

    manager._build_transport = build_patient
    manager._net.start()
    try:
        manager.run(connect)
    except Exception as error:
        return error
    finally:
        client.close()
        manager._net.stop()
    return None
