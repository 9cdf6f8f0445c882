"""Fakes for tests, ours and other people's: a clock that does not wait, and model hosts on loopback ports.

They are ordinary parts that are handed in where the real ones would be, so nothing has to be patched.
"""

from forehearth.testing.clock import VirtualClock
from forehearth.testing.http_connection import Seen
from forehearth.testing.upstream import Answer, Upstream

__all__ = ["Answer", "Seen", "Upstream", "VirtualClock"]
