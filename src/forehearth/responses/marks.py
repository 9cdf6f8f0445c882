"""When each item of a response was begun and done, noted while its events go by."""

from collections.abc import Callable, Iterable
from typing import Final

from forehearth.dialects.responses import states
from forehearth.dialects.responses.answer import Event

_OF_ITEM: Final = (states.ITEM_ADDED, states.ITEM_DONE)
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
            if each.get("type") in _OF_ITEM:
                self._note(each["type"], each.get("item"))

    def _note(self, kind: str, item: object) -> None:
        """What a host passes through need not be an item as it should be."""
        name = item.get("id") if isinstance(item, dict) else None
        if not isinstance(name, str):
            return
        if kind == states.ITEM_ADDED:
            self.times[name] = [self._unix()]
        else:
            self.times.setdefault(name, []).append(self._unix())
