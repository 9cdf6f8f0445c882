"""Something secret as it is kept: encrypted, and bound to where it belongs."""

import msgspec


class Sealed(msgspec.Struct, frozen=True, kw_only=True):
    """A ciphertext. It opens only with its key, and only where it is said what it belongs to, as when it was made."""

    key: str
    """Which key it is sealed with, by an id that tells nothing about it."""
    nonce: bytes
    text: bytes


class Unsealable(Exception):
    """It does not open: its key is not here, or it was changed, or it belongs to something else."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
