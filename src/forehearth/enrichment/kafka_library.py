"""The library of Kafka topics, or in one line what to do about its absence: it is an extra."""

from forehearth.core.errors import Misconfigured

try:
    import confluent_kafka
except ImportError as error:
    raise Misconfigured(
        f"topics need confluent-kafka, which cannot be loaded ({error}): pip install 'forehearth[kafka]'"
    ) from error

__all__ = ["confluent_kafka"]
