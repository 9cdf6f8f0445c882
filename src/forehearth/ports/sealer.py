"""What encrypts secrets before they are kept."""

from collections.abc import Collection, Sequence
from typing import Protocol

from forehearth.core.sealed import Sealed


class SealingKeys(Protocol):
    """Where the keys come from."""

    def all(self) -> Sequence[bytes]:
        """The keys, 32 bytes each: the first one seals, all of them open. Made where there are none yet.

        Raises `Conflict` where nobody may make one, and `Misconfigured` where they cannot be read.
        """
        ...

    def renew(self) -> bool:
        """Put a new key first; False where the keys are the operator's own, who does that."""
        ...

    def forget(self, used: Collection[str]) -> None:
        """Nothing is sealed any more but with the keys of these ids. The last two stay all the same."""
        ...


class Sealer(Protocol):
    """Seals and opens. `context` says what a secret belongs to; it opens with the same one alone."""

    def seal(self, secret: bytes, context: bytes) -> Sealed:
        """Encrypt it. Raises `Conflict` where there is no key, and none may be made."""
        ...

    def open(self, sealed: Sealed, context: bytes) -> bytes:
        """The secret. Raises `Unsealable`."""
        ...

    def is_current(self, sealed: Sealed) -> bool:
        """Whether it is sealed with the key that seals now."""
        ...

    def renew(self) -> bool:
        """Seal with a new key from now on; False where the keys are the operator's own."""
        ...

    def forget(self, used: Collection[str]) -> None:
        """Nothing is sealed any more but with the keys of these ids."""
        ...
