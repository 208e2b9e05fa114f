"""Kafka brokers on this machine, without Docker: for trying out, for tests and for benchmarks."""

from consumers.brokers.apache import ApacheKafka
from consumers.brokers.embedded import EmbeddedBroker
from consumers.brokers.process import Broker, BrokerFailed, LocalBroker

__all__ = ["ApacheKafka", "Broker", "BrokerFailed", "EmbeddedBroker", "LocalBroker"]
