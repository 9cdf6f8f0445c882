"""What the client says when a call fails: in words fit for callers, without addresses and without upstream text."""

from forehearth.core.errors import Broken, TimedOut
from forehearth.core.upstream import Timeouts

CONNECT = "connect"
FIRST_BYTE = "first byte"
IDLE = "idle"
TOTAL = "total"


class StaleConnection(Exception):
    """A kept connection was closed by the peer before one byte of an answer: the one case that is sent again."""


def timed_out(phase: str, timeouts: Timeouts) -> TimedOut:
    """The error for a phase that took too long."""
    deed, seconds = {
        CONNECT: ("accept a connection", timeouts.connect),
        FIRST_BYTE: ("begin to answer", timeouts.first_byte),
        IDLE: ("send more of its answer", timeouts.idle),
        TOTAL: ("finish its answer", timeouts.total),
    }[phase]
    return TimedOut(f"The backend did not {deed} within {seconds:g} s.", phase=phase)


def cut_short() -> Broken:
    """The error for a connection that ended before the answer did."""
    return Broken("The backend closed the connection before its answer was complete.")


def not_an_answer(reason: str) -> Broken:
    """The error for bytes that are no acceptable response; `reason` is ours, never the peer's text."""
    return Broken(f"The backend's answer cannot be used: {reason}.")
