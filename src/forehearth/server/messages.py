"""What parent and children say to each other, one JSON line each, over the socket that ties them together."""

import msgspec


class Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="say"):
    """One line."""


class Stop(Message, frozen=True, kw_only=True, tag="stop"):
    """To a child: take nothing new, finish what is in flight within `grace` seconds, end."""

    grace: float
    cancelled: bool = False
    """Whether somebody wants that work not to go on; else it goes on elsewhere, or later."""


class Ready(Message, frozen=True, kw_only=True, tag="ready"):
    """From a child: what it was started for is done or can begin; a worker accepts, a host has what it was to load."""


class Progress(Message, frozen=True, kw_only=True, tag="progress"):
    """From a child: how far `name` is, in bytes; `total` is 0 where it is not known."""

    name: str
    done: int
    total: int = 0
    step: str = ""
    """What is being done, in a word or two."""


class Told(Message, frozen=True, kw_only=True, tag="told"):
    """From a child that does one piece of work: how that is."""

    what: str
    body: msgspec.Raw


class Trouble(Message, frozen=True, kw_only=True, tag="trouble"):
    """From a child, before it ends: why, in one line fit for a log."""

    reason: str


Upward = Ready | Progress | Told | Trouble
Downward = Stop

_upward: msgspec.json.Decoder[Upward] = msgspec.json.Decoder(Upward)
_downward: msgspec.json.Decoder[Downward] = msgspec.json.Decoder(Downward)


def line(message: Message) -> bytes:
    """The message as it is sent."""
    return msgspec.json.encode(message) + b"\n"


def from_child(received: bytes) -> Upward:
    """What a child said."""
    return _upward.decode(received)


def from_parent(received: bytes) -> Downward:
    """What the parent said."""
    return _downward.decode(received)
