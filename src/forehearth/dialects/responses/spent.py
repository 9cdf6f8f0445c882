"""What a response takes whose model is asked several times: the sum, or None where a host did not say one of them."""

from collections.abc import Iterable

from forehearth.core.usage import Usage, together


class Spent:
    """Of the answers that are over, and of the one that is being read."""

    __slots__ = ("_before", "_unknown", "now")

    def __init__(self) -> None:
        self.now: Usage | None = None
        """What the model's host says of this answer."""
        self._before: Usage | None = None
        self._unknown = False

    @property
    def total(self) -> Usage | None:
        """All of it together; None where it is not known."""
        return None if self._unknown else together(self._before, self.now)

    def add(self, usages: Iterable[Usage | None]) -> None:
        """Answers that are over took this."""
        for used in usages:
            self._before, self._unknown = together(self._before, used), self._unknown or used is None

    def onward(self) -> None:
        """This answer is over, and another one begins."""
        self.add([self.now])
        self.now = None
