"""Clients that cannot connect, as they try again and again while brokers are away."""

import gc
import threading
from collections.abc import Callable, Mapping
from typing import Any

import psutil
import pytest
from kafka.errors import KafkaConnectionError

from consumers.brokers.process import free_port
from consumers.connecting import administrator, consumer, producer


@pytest.mark.parametrize("connect", [administrator, consumer, producer])
def test_an_attempt_in_vain_leaves_no_thread_and_no_socket_behind(
    connect: Callable[[Mapping[str, Any]], Any],
) -> None:
    settings = {"bootstrap_servers": f"127.0.0.1:{free_port()}", "bootstrap_timeout_ms": 200}

    def left() -> tuple[int, int]:
        gc.collect()  # the sockets of the attempts themselves
        return threading.active_count(), psutil.Process().num_fds()

    before = left()
    for _ in range(3):
        with pytest.raises(KafkaConnectionError, match="ECONNREFUSED"):
            connect(settings)
    assert left() == before
