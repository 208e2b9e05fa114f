"""`python -m consumers.brokers apache|embedded` runs a broker until it is interrupted."""

import signal
import sys

from consumers.brokers import ApacheKafka, BrokerFailed, EmbeddedBroker, LocalBroker

KINDS: dict[str, type[LocalBroker]] = {"apache": ApacheKafka, "embedded": EmbeddedBroker}


def main(arguments: list[str]) -> int:
    """Run the broker of that kind, say where it listens, and stop it at SIGINT or SIGTERM."""
    if len(arguments) != 1 or arguments[0] not in KINDS:
        sys.stderr.write(f"usage: python -m consumers.brokers {'|'.join(KINDS)}\n")
        return 2
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with KINDS[arguments[0]]() as broker:
            sys.stdout.write(f"{broker.bootstrap_servers}\n")
            sys.stdout.flush()
            signal.pause()
    except BrokerFailed as failed:
        sys.stderr.write(f"{failed}\n")
        return 1
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
