"""A key that signatures are verified with, whatever made it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jwt.algorithms import Algorithm


class VerifyingKey:
    """A public key with the algorithms that it may be used with."""

    __slots__ = ("algorithms", "key")

    def __init__(self, key: Any, algorithms: "Mapping[str, Algorithm]") -> None:
        self.key = key
        self.algorithms = algorithms

    def verifies(self, algorithm: str, signed: bytes, signature: bytes) -> bool:
        """Whether this key made the signature, with an algorithm that is its own."""
        found = self.algorithms.get(algorithm)
        return found is not None and bool(found.verify(signed, self.key, signature))

    def is_same_as(self, other: "VerifyingKey") -> bool:
        """Whether both are one key, for the same algorithms, in whatever set and under whatever id."""
        return bool(self.key == other.key) and self.algorithms.keys() == other.algorithms.keys()
