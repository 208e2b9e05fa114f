"""The ledger as a persistence module of the eventsourcing library.

Set ``PERSISTENCE_MODULE=ledger.factory`` in an application's environment, and:

* ``SERVICETRAIL_DATABASE_URL``: the database's libpq URL; required
* ``SERVICETRAIL_DATABASE_POOL_SIZE``: connections that are kept open; 5
* ``SERVICETRAIL_DATABASE_MAX_OVERFLOW``: further ones while all of those are in use; 10
* ``SERVICETRAIL_DATABASE_POOL_TIMEOUT``: seconds to wait for one of them; 30
* ``SERVICETRAIL_DATABASE_CONNECT_TIMEOUT``: seconds for one attempt to connect; 10
* ``SERVICETRAIL_DATABASE_STATEMENT_TIMEOUT``: seconds for one statement, 0 for no end; 0
* ``SERVICETRAIL_DATABASE_LOCK_TIMEOUT``: seconds to wait for a lock, 0 for no end; 30
* ``SERVICETRAIL_DATABASE_IDLE_IN_TRANSACTION_TIMEOUT``: seconds that a transaction may stand still,
  0 for no end; 60
* ``CREATE_TABLE``: whether to migrate the database first; yes
* ``APPLICATION_RECORDER_TOPIC``, ``TRACKING_RECORDER_TOPIC``, ``PROCESS_RECORDER_TOPIC``: the topic
  of a class to use instead of the recorder of that name; it must be derived from it

The library's own variables for mappers, ciphers, compressors and snapshots work as everywhere.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from eventsourcing.persistence import InfrastructureFactory, InfrastructureFactoryError
from eventsourcing.utils import Environment, EnvType, resolve_topic, strtobool

from ledger.datastore import Datastore
from ledger.migrations import migrate
from ledger.recorders import (
    AggregateRecorder,
    ApplicationRecorder,
    ProcessRecorder,
    TrackingRecorder,
)

_PREFIX = "SERVICETRAIL_DATABASE_"
_NUMBERS: dict[str, Callable[[str], float]] = {
    "pool_size": int,
    "max_overflow": int,
    "pool_timeout": float,
    "connect_timeout": int,
    "statement_timeout": float,
    "lock_timeout": float,
    "idle_in_transaction_timeout": float,
}

_Recorder = TypeVar("_Recorder")
_TrackingRecorder = TypeVar("_TrackingRecorder", bound=TrackingRecorder)


class Factory(InfrastructureFactory[TrackingRecorder]):
    """Makes recorders that share one datastore; see the module for its environment variables.

    Raises `InfrastructureFactoryError` for a variable that is missing or no number, and what
    `migrate` raises.
    """

    def __init__(self, env: Environment | EnvType | None) -> None:
        super().__init__(env)
        url = self.env.get(f"{_PREFIX}URL")
        if not url:
            raise InfrastructureFactoryError(f"{_PREFIX}URL must name the database")
        settings = self._numbers()
        if strtobool(self.env.get("CREATE_TABLE") or "yes"):
            migrate(url)
        self.datastore = Datastore(url, **settings)

    def aggregate_recorder(self, purpose: str = "events") -> AggregateRecorder:
        """A recorder outside the ledger's order, its rows told apart by application and purpose."""
        name = f"{self.env.name.lower()}_{purpose}" if self.env.name else purpose
        return AggregateRecorder(self.datastore, purpose=name)

    def application_recorder(self) -> ApplicationRecorder:
        """The ledger."""
        return self._class(self.APPLICATION_RECORDER_TOPIC, ApplicationRecorder)(self.datastore)

    def tracking_recorder(
        self, tracking_recorder_class: type[_TrackingRecorder] | None = None
    ) -> _TrackingRecorder:
        """Followed positions, by the given class, or that of the topic, or `TrackingRecorder`."""
        recorder_class: type[Any] = tracking_recorder_class or self._class(
            self.TRACKING_RECORDER_TOPIC, TrackingRecorder
        )
        recorder: _TrackingRecorder = recorder_class(self.datastore)
        return recorder

    def process_recorder(self) -> ProcessRecorder:
        """The ledger together with followed positions."""
        return self._class(self.PROCESS_RECORDER_TOPIC, ProcessRecorder)(self.datastore)

    def close(self) -> None:
        """Close every connection."""
        self.datastore.close()

    def _class(self, variable: str, base: type[_Recorder]) -> type[_Recorder]:
        topic = self.env.get(variable)
        if not topic:
            return base
        found: type[_Recorder] = resolve_topic(topic)
        if not issubclass(found, base):
            raise InfrastructureFactoryError(f"{variable}={topic} is no {base.__name__}")
        return found

    def _numbers(self) -> dict[str, Any]:
        settings = {}
        for name, number in _NUMBERS.items():
            variable = _PREFIX + name.upper()
            if text := self.env.get(variable):
                try:
                    settings[name] = number(text)
                except ValueError:
                    raise InfrastructureFactoryError(f"{variable}={text} is no number") from None
        return settings
