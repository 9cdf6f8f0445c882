"""Who may come in."""

from collections.abc import Mapping
from typing import Protocol

from forehearth.core.principal import Principal


class Identity(Protocol):
    """Knows callers by their credentials."""

    def identify(self, headers: Mapping[bytes, bytes]) -> Principal:
        """The caller behind a head's credential (header names in lower case). Raises `NotAuthenticated`."""
        ...
