"""A topic at librdkafka's own brokers within the test, which other processes reach, and what is written to it."""

import contextlib
import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

from confluent_kafka import Producer

COLUMNS: Final = {"id": "int64", "text": "string"}
PARTITIONS: Final = 4
"""As many as the brokers make of a topic that nobody has made."""


class Brokers:
    """The brokers of a test."""

    def __init__(self) -> None:
        # Where it says that it is busy, for as long as the test needs it: the brokers end with it.
        self._producer: Any = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "none", "log_level": 0})
        brokers = self._producer.list_topics(timeout=10).brokers.values()
        self.addresses = [f"{each.host}:{each.port}" for each in brokers]

    def source(self, topic: str = "tickets", **members: Any) -> dict[str, Any]:
        """A topic as the source of a job."""
        return {"format": "kafka", "brokers": self.addresses, "topic": topic, "columns": COLUMNS} | members

    def put(self, ids: Iterable[int], topic: str = "tickets") -> None:
        """Write such rows, in turn to each partition."""
        for number in ids:
            value = json.dumps({"id": number, "text": f"good {number}"}).encode()
            self._producer.produce(topic, value, key=str(number), partition=number % PARTITIONS)
        self.flush()

    def put_raw(self, value: bytes | None, *, key: bytes | None = None, partition: int = 0) -> None:
        """Write one message, whatever it is."""
        self._producer.produce("tickets", value, key=key, partition=partition)
        self.flush()

    def flush(self) -> None:
        """Wait until all is written."""
        assert self._producer.flush(30) == 0


@contextlib.contextmanager
def brokers() -> Iterator[Brokers]:
    """Brokers of a test's own."""
    yield Brokers()
