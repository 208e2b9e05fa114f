"""The program's settings, all of them from environment variables that start with SERVICETRAIL_."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PREFIX = "SERVICETRAIL_"
PORT = Annotated[int, Field(ge=0, le=65535)]
DeadTopics = Literal["off", "notices", "records"]
COUNT = Annotated[int, Field(ge=1)]


class SettingsWrong(Exception):
    """An environment variable holds what it must not. The text names the variable and what is
    expected.
    """


class Settings(BaseSettings):
    """What can be set. Descriptions here are what `docs/reference/settings.md` says."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, frozen=True)

    database_url: SecretStr | None = Field(
        default=None,
        description=(
            "PostgreSQL to use, as `postgresql://user:password@host:port/name`. The user must "
            "own the database, because migrations run at the start. Not set: the program starts "
            "a PostgreSQL of its own in the data directory."
        ),
    )
    data_dir: Path = Field(
        default=Path(".servicetrail"),
        description=(
            "Directory of the embedded PostgreSQL and of the master key file, relative to the "
            "working directory. Made on first use, readable by its owner only."
        ),
    )
    master_key: SecretStr | None = Field(
        default=None,
        description=(
            "The key that wraps every customer's data key: 32 bytes in base64 (`openssl rand "
            "-base64 32`). Not set: kept in the file `master.key` of the data directory, made on "
            "first use and readable by its owner only. Whoever loses it loses all personal data "
            "in the ledger."
        ),
    )
    sealing: bool = Field(
        default=True,
        description=(
            "Whether `servicetrail up` seals the ledger. Where several run on one database, those "
            "that do need the same sealing keys."
        ),
    )
    sealing_keys: SecretStr | None = Field(
        default=None,
        description=(
            "The keys that checkpoints are signed with, separated by blanks or commas, the newest "
            "last. Not set: kept in the file `sealing.keys` of the data directory, made on first "
            "use and readable by its owner only. Whoever loses them can seal this ledger no more."
        ),
    )
    checkpoint_dir: Path | None = Field(
        default=None,
        description=(
            "Directory outside the database to which checkpoints are written. Best on another "
            "machine, where nobody who administers the database can write. Not set: `checkpoints` "
            "in the data directory."
        ),
    )
    checkpoint_topic: str | None = Field(
        default=None,
        min_length=1,
        description=(
            "Kafka topic to which `servicetrail up` publishes checkpoints, and whose newest one it "
            "compares at its start. It must be there, best with one partition; the brokers are "
            "those of SERVICETRAIL_KAFKA_BOOTSTRAP_SERVERS."
        ),
    )
    witness_keys: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description=(
            "Public keys of witnesses, as `NAME+ID+BASE64`, separated by blanks or commas; their "
            "cosignatures are checked before they are stored."
        ),
    )
    http_host: str = Field(
        default="127.0.0.1",
        description=(
            "Address on which HTTP listens. Beyond loopback only where callers have to say who "
            "they are: with SERVICETRAIL_ACCESS_TOKEN set, or a token made by `servicetrail token "
            "create`."
        ),
    )
    http_port: PORT = Field(
        default=8400, description="Port on which HTTP listens; 0 takes any free one."
    )
    access_token: SecretStr | None = Field(
        default=None,
        min_length=16,
        description=(
            "Token of the operator, of at least 16 characters, who may do everything over HTTP: "
            "`Authorization: Bearer TOKEN`. `servicetrail token create` makes tokens for others."
        ),
    )
    jwt_issuer: str | None = Field(
        default=None,
        description=(
            "Issuer (`iss`) of an identity provider whose JSON Web Tokens are let in beside our "
            "own tokens. It goes with SERVICETRAIL_JWT_AUDIENCE and SERVICETRAIL_JWT_JWKS_URL."
        ),
    )
    jwt_audience: str | None = Field(
        default=None,
        description="What the provider's tokens must name as their audience (`aud`): this program.",
    )
    jwt_jwks_url: str | None = Field(
        default=None,
        pattern=r"^(https://|http://(127\.0\.0\.1|localhost|\[::1\])[:/])",
        description=(
            "Where the provider publishes its keys, starting with `https://`; `http://` on this "
            "machine only."
        ),
    )
    jwt_role_claim: str = Field(
        default="roles",
        description=(
            "Claim that holds the caller's roles, as a list or one text; with dots, one inside "
            "another, such as `realm_access.roles`. Others than ours in it are passed over."
        ),
    )
    jwt_source_claim: str = Field(
        default="sources",
        description="Claim that holds the sources that a channel may publish as.",
    )
    max_event_bytes: COUNT = Field(
        default=1_048_576,
        description="Size in bytes above which one event is rejected as `too_large`.",
    )
    max_request_bytes: COUNT = Field(
        default=16_777_216,
        description="Size in bytes above which an HTTP request is refused with status 413.",
    )
    max_request_events: COUNT = Field(
        default=10_000,
        description=(
            "How many events one HTTP request may bring; one with more is refused with status 413."
        ),
    )
    group_commit_events: COUNT = Field(
        default=1_000,
        description=(
            "How many events of concurrent HTTP requests are committed in one transaction at most."
        ),
    )
    group_commit_queue: COUNT = Field(
        default=20_000,
        description=(
            "How many events may wait for their commit; beyond that HTTP answers 503 with "
            "`Retry-After`."
        ),
    )
    import_batch_events: COUNT = Field(
        default=1_000,
        description="How many events `servicetrail import` commits in one transaction.",
    )
    projection_batch_events: COUNT = Field(
        default=5_000,
        description=(
            "How many events the projector puts into the read models in one transaction at most."
        ),
    )
    projector_workers: Annotated[int, Field(ge=1, le=64)] = Field(
        default=1,
        description=(
            "How many processes share the work of keeping the read models up to date, and of "
            "building them anew: about one for each core that is free. Answers are the same for "
            "any number."
        ),
    )
    answering_processes: Annotated[int, Field(ge=0, le=64)] = Field(
        default=2,
        description=(
            "How many processes answer what is asked over HTTP about one customer or thing, once "
            "several ask at the same time: about one for each core that is free. Each takes some "
            "100 MB and a connection to the database. 0: the process that HTTP runs in answers."
        ),
    )
    kafka_bootstrap_servers: str | None = Field(
        default=None,
        description=(
            "Kafka brokers to ask first, as `host:port`, several separated by commas. Set: "
            "`servicetrail up` consumes from them as well."
        ),
    )
    kafka_topics: Annotated[tuple[str, ...], NoDecode] = Field(
        default=("touchpoints", "promises", "complaints", "customers", "policies"),
        min_length=1,
        description=(
            "Topics to consume, separated by commas. One that begins with `^` is a regular "
            "expression for whole names of topics; with a comma in one, write all of them as a "
            "JSON array."
        ),
    )
    kafka_group: str = Field(
        default="servicetrail",
        description=(
            "The consumer group, whose members share the partitions. How far was read stands in "
            "the database, so another group on the same database reads on at the same places."
        ),
    )
    kafka_instance: str | None = Field(
        default=None,
        description=(
            "A name that this process keeps over restarts, another one for each process, for "
            "static membership: a restart within the session does not move partitions."
        ),
    )
    kafka_options: Annotated[dict[str, Any], NoDecode] = Field(
        default={},
        repr=False,
        description=(
            "Further options of kafka-python's clients as a JSON object, for SASL, TLS and "
            "whatever else they have, such as "
            '`{"security_protocol": "SASL_SSL", "sasl_mechanism": "SCRAM-SHA-512", '
            '"sasl_plain_username": "…", "sasl_plain_password": "…"}`.'
        ),
    )
    kafka_batch_events: COUNT = Field(
        default=2_000,
        description="How many records the consumer commits in one transaction at most.",
    )
    kafka_batch_bytes: COUNT = Field(
        default=16_777_216,
        description=(
            "How many bytes of records the consumer commits in one transaction at most; a larger "
            "record is a batch of its own."
        ),
    )
    kafka_dead_topics: DeadTopics = Field(
        default="off",
        description=(
            "Whether those who published a record that was not taken are told in a topic beside "
            "its own, `<topic>.dead`: `notices` tell why, without anything that the record says; "
            "`records` give back the record itself as well; `off`: nobody is told. All programs "
            "on one database must have the same value."
        ),
    )
    max_rejected_share: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.5,
        description=(
            "Share of rejected records, of the newest ones in a partition, above which the "
            "consumer stops instead of emptying the topic into the dead letters; 1 never stops it."
        ),
    )
    max_rejected_window: COUNT = Field(
        default=200,
        description=(
            "How many of a partition's newest records count for the share of rejected ones, "
            "whichever consumer read them and whenever."
        ),
    )
    schema_registry_url: SecretStr | None = Field(
        default=None,
        description=(
            "Root of the schema registry for data in the Confluent wire format, starting with "
            "`http://` or `https://`. Not set: such data are rejected as `unknown_schema`."
        ),
    )
    schema_registry_user: str | None = Field(
        default=None, description="User for the schema registry's basic authentication."
    )
    schema_registry_password: SecretStr | None = Field(
        default=None, description="The password that goes with it."
    )
    episode_gap_days: COUNT = Field(
        default=7,
        description=(
            "Touchpoints without a `case_id` that lie at most this many days apart form one "
            "conversation."
        ),
    )
    database_pool_size: COUNT = Field(
        default=10,
        description=(
            "How many connections to the database the program opens at most for answers, and as "
            "many again for taking events in."
        ),
    )
    database_timeout_seconds: COUNT = Field(
        default=30,
        description=(
            "How long a request may wait for a free connection, and a read for its result, "
            "before it fails."
        ),
    )
    database_idle_seconds: COUNT = Field(
        default=10,
        description=(
            "After how long the database ends a transaction of a program in which nothing happens: "
            "so long at most does a program that was frozen hold up all others."
        ),
    )
    log_format: Literal["console", "json"] = Field(
        default="console", description="How log lines on standard error are written."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Log lines below this level are left out."
    )

    @model_validator(mode="after")
    def _whole_provider(self) -> Self:
        given = (self.jwt_issuer, self.jwt_audience, self.jwt_jwks_url)
        if None in given and given != (None, None, None):
            raise ValueError(
                f"an identity provider needs {PREFIX}JWT_ISSUER, {PREFIX}JWT_AUDIENCE and "
                f"{PREFIX}JWT_JWKS_URL: set all of them, or none"
            )
        return self

    @field_validator("kafka_topics", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        if value.lstrip().startswith("["):
            return tuple(json.loads(value))
        return tuple(topic.strip() for topic in value.split(",") if topic.strip())

    @field_validator("witness_keys", mode="before")
    @classmethod
    def _separated(cls, value: Any) -> Any:
        return tuple(value.replace(",", " ").split()) if isinstance(value, str) else value

    @field_validator("kafka_options", mode="before")
    @classmethod
    def _is_an_object(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            options = json.loads(value)
        except ValueError:
            options = None
        if not isinstance(options, dict):
            raise ValueError('must be a JSON object such as {"security_protocol": "SSL"}')
        return options

    @property
    def access_token_text(self) -> str | None:
        """The access token in the clear, or None."""
        return None if self.access_token is None else self.access_token.get_secret_value()


def read_settings(**overrides: object) -> Settings:
    """Settings from the environment; `overrides` (those not None) win. Raises SettingsWrong in one
    line.
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(**given)  # type: ignore[arg-type]  # pydantic checks each value itself
    except ValidationError as wrong:
        raise SettingsWrong("; ".join(_in_words(wrong))) from None


def _in_words(wrong: ValidationError) -> list[str]:
    """One sentence for each error, never with the value: it may be a secret."""
    return [
        ": ".join(
            [*(PREFIX + str(part).upper() for part in error["loc"][:1]), _reason(error["msg"])]
        )
        for error in wrong.errors(include_url=False, include_input=False)
    ]


def _reason(message: str) -> str:
    return message.removeprefix("Value error, ")
