"""When each item of a response was begun and done, noted while its events go by."""

from collections.abc import Callable, Iterable

from forehearth.dialects.responses import states
from forehearth.dialects.responses.answer import Event

Times = dict[str, list[float]]
"""By the item's id: when it was begun and, once it was, done; Unix seconds."""


class Marks:
    """The notes of one response."""

    def __init__(self, unix: Callable[[], float]) -> None:
        self._unix = unix
        self.times: Times = {}

    def note(self, events: Iterable[Event]) -> None:
        """These are told now."""
        for each in events:
            if each["type"] == states.ITEM_ADDED:
                self.times[each["item"]["id"]] = [self._unix()]
            elif each["type"] == states.ITEM_DONE:
                self.times.setdefault(each["item"]["id"], []).append(self._unix())
