"""A topic of Kafka: its partitions, and their messages from given offsets on. All of it blocks.

Offsets are kept nowhere here, nor at the brokers: whoever reads says where to begin.
"""

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from forehearth.core.errors import Misconfigured
from forehearth.core.kafka_settings import KafkaSource
from forehearth.enrichment.kafka_library import confluent_kafka
from forehearth.enrichment.messages import RAW, Message, MessageReader
from forehearth.enrichment.source import Source, SourceFailed

_WAIT: Final = 10.0
"""Seconds for a question to brokers that are known."""
_OPENING: Final = 5.0
"""Seconds until brokers that were never reached are given up."""
_STEP: Final = 1.0
"""Seconds of one try."""
_LOOK_EVERY: Final = 5.0
"""Seconds between two looks at brokers that were lost."""
_QUEUED: Final = 16_384
"""Kilobytes of messages that are fetched before anybody wants them."""
_MOST: Final = 300
"""Characters of what brokers say."""
_AT_END: Final = confluent_kafka.KafkaError._PARTITION_EOF  # noqa: SLF001 - its public name
_REMOVED: Final = confluent_kafka.KafkaError._AUTO_OFFSET_RESET  # noqa: SLF001 - the same
_ALL_AWAY: Final = confluent_kafka.KafkaError._ALL_BROKERS_DOWN  # noqa: SLF001 - the same
_WRONG: Final = frozenset({confluent_kafka.KafkaError._AUTHENTICATION, confluent_kafka.KafkaError._SSL})  # noqa: SLF001
"""What does not get better by waiting."""
_silent: Final = logging.getLogger("forehearth.kafka")
_silent.addHandler(logging.NullHandler())
_silent.propagate = False


class Topic:
    """An opened topic. Raises `Misconfigured` where it cannot be read."""

    def __init__(self, settings: KafkaSource, name: str, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._monotonic = monotonic
        self._heard = ""
        self._refused = False
        self._lost: float | None = None
        self._looked = 0.0
        self.read: MessageReader = MessageReader(settings.columns)
        """What makes rows of messages."""
        self.position: dict[int, int] = {}
        """How far each partition was taken: the next offset."""
        try:
            self._consumer = confluent_kafka.Consumer(
                _configuration(settings, name) | {"error_cb": self._hear}, logger=_silent
            )
        except confluent_kafka.KafkaException as error:
            raise Misconfigured(f"source: the brokers cannot be asked: {_words(error.args[0])}") from error
        try:
            self._cluster = str(self._metadata().cluster_id or "")
            self.partitions()
        except SourceFailed as error:
            self.close()
            raise Misconfigured(f"{error}") from error

    @property
    def source(self) -> Source:
        """What its rows are. They are not read by it."""
        version = f"kafka:{self._cluster}/{self._settings.topic}"
        return Source(schema=self.read.schema, version=version, read=lambda: iter(()), aside=(RAW,))

    def partitions(self) -> list[int]:
        """The partitions there are now. Raises `SourceFailed`."""
        topic = self._metadata().topics[self._settings.topic]
        if topic.error is not None:
            raise self._failed(_words(topic.error))
        return sorted(topic.partitions)

    def bounds(self) -> dict[int, tuple[int, int]]:
        """The first offset that is kept of each partition, and the one after its last. Raises `SourceFailed`."""
        found = {}
        for partition in self.partitions():
            try:
                low, high = self._consumer.get_watermark_offsets(self._at(partition), timeout=_WAIT)
            except confluent_kafka.KafkaException as error:
                raise self._failed(_words(error.args[0])) from error
            found[partition] = (max(0, low), max(0, high))
        return found

    def behind(self) -> int:
        """Messages that are there and were not taken, as far as is known without asking."""
        behind = 0
        for partition, position in self.position.items():
            _, high = self._consumer.get_watermark_offsets(self._at(partition), cached=True)
            behind += max(0, high - position)
        return behind

    def seek(self, offsets: Mapping[int, int]) -> None:
        """Read on from these offsets, in these partitions and no others."""
        self.position = dict(offsets)
        self._consumer.assign([self._at(partition, offset) for partition, offset in offsets.items()])

    def take(self, most: int, seconds: float, patience: float) -> list[Message]:
        """The messages that come in so many seconds, or `most` of them. Those without a value are left out.

        Raises `SourceFailed`, also where no broker was there for as long as `patience`.
        """
        taken = []
        each: Any
        for each in self._consumer.consume(most, seconds):
            partition, offset = each.partition(), each.offset()
            if each.error() is not None:
                self._heed(each.error(), partition, offset)
                continue
            self.position[partition] = offset + 1
            if each.value() is not None:
                kind, milliseconds = each.timestamp()
                known = kind != confluent_kafka.TIMESTAMP_NOT_AVAILABLE
                taken.append(
                    Message(
                        partition=partition,
                        offset=offset,
                        key=each.key(),
                        value=each.value(),
                        milliseconds=milliseconds if known else None,
                    )
                )
        if taken:
            self._lost = None
        elif self._lost is not None:
            self._look(patience)
        return taken

    def close(self) -> None:
        """Let go of the brokers."""
        self._consumer.close()

    def _heed(self, error: Any, partition: int, offset: int) -> None:
        if error.code() == _AT_END:
            self._lost = None
            self.position[partition] = max(self.position.get(partition, 0), offset)
        elif error.retriable() or (error.code() < 0 and error.code() != _REMOVED):
            self._hear(error)
        else:
            raise self._failed(_words(error))

    def _hear(self, error: Any) -> None:
        """What the library says of brokers that are away. It goes on trying."""
        if error.code() != _ALL_AWAY:  # which says nothing that was not said before
            self._heard = _words(error)
        self._refused = self._refused or error.code() in _WRONG
        if self._lost is None:
            self._lost = self._looked = self._monotonic()

    def _look(self, patience: float) -> None:
        """See whether lost brokers are there again."""
        now, lost = self._monotonic(), self._lost
        if lost is None or now - self._looked < _LOOK_EVERY:
            return
        self._looked = now
        try:
            self._consumer.list_topics(self._settings.topic, timeout=_LOOK_EVERY)
            self._lost = None
        except confluent_kafka.KafkaException as error:
            if now - lost > patience:
                raise self._failed(f"no broker has answered for {now - lost:.0f} s: {self._heard}") from error

    def _metadata(self) -> Any:
        until = self._monotonic() + _OPENING
        while True:
            try:
                return self._consumer.list_topics(self._settings.topic, timeout=_STEP)
            except confluent_kafka.KafkaException as error:
                self._consumer.poll(0)  # which tells what was heard meanwhile
                if self._monotonic() > until or self._refused:
                    raise self._failed(self._heard or _words(error.args[0])) from error

    def _at(self, partition: int, offset: int = 0) -> Any:
        return confluent_kafka.TopicPartition(self._settings.topic, partition, offset)

    def _failed(self, words: str) -> SourceFailed:
        where = ", ".join(self._settings.brokers)
        return SourceFailed(f"source: the topic {self._settings.topic} at {where} cannot be read: {words}")


def _configuration(settings: KafkaSource, name: str) -> dict[str, Any]:
    """What librdkafka asks for, by its own names."""
    encrypted = "ssl" if settings.tls else "plaintext"
    found: dict[str, Any] = {
        "bootstrap.servers": ",".join(settings.brokers),
        "client.id": f"forehearth-{name}",
        "group.id": f"forehearth-{name}",
        "security.protocol": f"sasl_{encrypted}" if settings.sasl is not None else encrypted,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "enable.partition.eof": True,
        "auto.offset.reset": "error",
        "queued.max.messages.kbytes": _QUEUED,
    }
    files = {
        "ssl.ca.location": settings.ca_bundle,
        "ssl.certificate.location": settings.client_certificate,
        "ssl.key.location": settings.client_key,
    }
    found |= {key: path for key, path in files.items() if path is not None}
    if settings.sasl is not None:
        found["sasl.mechanism"] = settings.sasl.mechanism.upper()
        found["sasl.username"] = settings.sasl.user
        found["sasl.password"] = settings.sasl.password.reveal()
    return found


def _words(error: Any) -> str:
    return " ".join(str(error.str()).split())[:_MOST]
