"""What is reported of the ledger and of the journals that it is folded from."""

from typing import Literal, Protocol

from forehearth.core.ledger import Flag


class LedgerMeter(Protocol):
    """Counts."""

    def folded(self, flag: Flag, count: int) -> None:
        """Count records that came to the ledger, by their flag."""
        ...

    def unwritten(self, what: Literal["refused", "served", "lost"], count: int = 1) -> None:
        """Count calls whose intent could not be written, and were refused or served; or records that are lost."""
        ...

    def behind(self, seconds: float) -> None:
        """Say for how long records could not be brought to the ledger; 0 is well."""
        ...
