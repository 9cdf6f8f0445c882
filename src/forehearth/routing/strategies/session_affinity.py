"""`session_affinity`: the same backend for all calls of a session, so that what it has cached of it is of use."""

import hashlib
import math
from collections.abc import Sequence
from random import Random

import msgspec

from forehearth.core.call import Call
from forehearth.core.routing_settings import AffinitySettings
from forehearth.routing.member import Member
from forehearth.routing.plan import Strategy
from forehearth.routing.strategies.weighted import weighted

_LONGEST = 1_024
"""Bytes of a session's name that are looked at."""
_RANGE = 2.0**64


class _Members(msgspec.Struct):
    user: str | None = None
    prompt_cache_key: str | None = None
    safety_identifier: str | None = None


_decoder = msgspec.json.Decoder(_Members)


def session_affinity(affinity: AffinitySettings | None) -> Strategy:
    """The strategy that knows sessions by this. Every worker and every start choose alike.

    Each backend draws a number from the session's name and its own (rendezvous hashing), so that a backend which
    leaves or comes moves its own sessions alone. Calls without a session go by weight.
    """

    def ordered(members: Sequence[Member], call: Call, now: float, dice: Random) -> Sequence[Member]:
        session = _session(affinity, call)
        if not session:
            return weighted(members, call, now, dice)
        drawn = [(_draw(session, member), number) for number, member in enumerate(members)]
        return [members[number] for _, number in sorted(drawn)]

    return ordered


def _session(affinity: AffinitySettings | None, call: Call) -> bytes:
    if affinity is None:
        return b""
    if affinity.header is not None:
        return call.headers.get(affinity.header.lower().encode(), b"")[:_LONGEST]
    try:
        name = getattr(_decoder.decode(call.body), affinity.member or "")
    except msgspec.ValidationError:  # a member of another type is nobody's session
        return b""
    return (name or "").encode("utf-8", "surrogatepass")[:_LONGEST]


def _draw(session: bytes, member: Member) -> float:
    name = f"{member.backend.name}\0{member.backend.model}\0".encode()
    drawn = int.from_bytes(hashlib.blake2b(name + session, digest_size=8).digest(), "big")
    return -math.log((drawn + 1) / (_RANGE + 1)) / member.weight
