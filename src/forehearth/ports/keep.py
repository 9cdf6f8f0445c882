"""Keeps an answer where its caller asked for that."""

from typing import Protocol

from forehearth.core.call import Call
from forehearth.core.exchange import Reply
from forehearth.core.place import Place


class Keep(Protocol):
    """Is asked for calls alone that have something to `keep`."""

    async def __call__(self, place: Place, call: Call, reply: Reply) -> Reply:
        """The reply as it goes on, which is kept by the time that its last byte does.

        Whether it could be kept is no part of the call: it raises nothing of that.
        """
        ...
