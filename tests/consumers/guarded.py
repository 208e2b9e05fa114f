"""An Apache Kafka that lets in whom it knows, over TLS, and to what they may."""

from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from kafka import KafkaAdminClient
from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    ResourcePattern,
    ResourceType,
    UserScramCredentialUpsertion,
)
from kafka.structs import TopicPartition

from consumers.brokers import ApacheKafka
from consumers.brokers.process import free_port
from consumers.cluster import Cluster

PASSWORD = "correct horse"
SCRAM = "SCRAM-SHA-512"
_PLAIN_USERS = ("plain", "stranger")
_LOGIN = "org.apache.kafka.common.security"


class Guarded(ApacheKafka):
    """A broker with a listener for SASL over TLS, beside the plain one for administrators.

    `team` logs in with SCRAM, `plain` and `stranger` with PLAIN. `authority` is the file of the
    certificate that its own rests on, `secured` where it listens.
    """

    def __init__(self) -> None:
        port = free_port()
        self.secured = f"127.0.0.1:{port}"
        users = " ".join(f'user_{name}="{PASSWORD}"' for name in _PLAIN_USERS)
        super().__init__(
            listeners=[f"SASL_SSL://{self.secured}"],
            properties={
                "listener.security.protocol.map": (
                    "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL"
                ),
                "sasl.enabled.mechanisms": f"PLAIN,{SCRAM}",
                "listener.name.sasl_ssl.plain.sasl.jaas.config": (
                    f"{_LOGIN}.plain.PlainLoginModule required {users};"
                ),
                "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": (
                    f"{_LOGIN}.scram.ScramLoginModule required;"
                ),
                "ssl.keystore.type": "PEM",
                "ssl.keystore.location": "server.pem",
                "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
                "super.users": "User:ANONYMOUS",
            },
        )
        self.authority = self.directory / "authority.pem"
        _write_certificates(self.authority, self.directory / "server.pem")

    def start(self) -> None:
        super().start()
        with self.admin() as admin:
            admin.alter_user_scram_credentials(
                [UserScramCredentialUpsertion("team", SCRAM, PASSWORD)]
            )

    def make(self, *topics: str) -> None:
        """Make topics of one partition."""
        Cluster(self.bootstrap_servers).create_topics(topics, partitions=1)

    def count(self, topic: str) -> int:
        """How many records are in the topic."""
        partition = TopicPartition(topic, 0)
        with Cluster(self.bootstrap_servers).reader() as reader:
            ends: dict[TopicPartition, int] = reader.end_offsets([partition])
        return ends[partition]

    def admin(self) -> "closing[KafkaAdminClient]":
        return closing(KafkaAdminClient(bootstrap_servers=self.bootstrap_servers))

    def allow(self, user: str, kind: str, name: str, *operations: str) -> None:
        """Allow a user to do that with a topic or a group."""
        with self.admin() as admin:
            admin.create_acls(
                [
                    ACL(
                        principal=f"User:{user}",
                        host="*",
                        operation=ACLOperation[operation],
                        permission_type=ACLPermissionType.ALLOW,
                        resource_pattern=ResourcePattern(ResourceType[kind], name),
                    )
                    for operation in operations
                ]
            )

    def options(self, user: str, **other: Any) -> Mapping[str, Any]:
        """A client's options for that user."""
        return {
            "security_protocol": "SASL_SSL",
            "sasl_mechanism": SCRAM if user == "team" else "PLAIN",
            "sasl_plain_username": user,
            "sasl_plain_password": PASSWORD,
            "ssl_cafile": str(self.authority),
            **other,
        }


def _write_certificates(authority: Path, server: Path) -> None:
    """An authority's certificate; and one that it signed for the loopback address, with its key."""
    theirs, ours = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority")])
    now = datetime.now(UTC)

    def certificate(
        subject: x509.Name, key: ec.EllipticCurvePublicKey, extension: x509.ExtensionType
    ) -> bytes:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(extension, critical=True)
            .sign(theirs, SHA256())
            .public_bytes(Encoding.PEM)
        )

    authority.write_bytes(
        certificate(name, theirs.public_key(), x509.BasicConstraints(ca=True, path_length=None))
    )
    host = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "broker")])
    names = x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))])
    key = ours.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    server.write_bytes(key + certificate(host, ours.public_key(), names))
