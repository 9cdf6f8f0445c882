"""Who shares answers: the hard partition of a cache, decided before anything of a question is looked at.

A cache belongs to one deployment of one resource; within it a scope is a value, compared whole. It is never a part of a
text that is searched.
"""

from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Final

import msgspec

from forehearth.core.call import Call

_HEADER: Final = "header:"


class Scope(msgspec.Struct, frozen=True, kw_only=True, cache_hash=True):
    """What calls have alike that share answers."""

    project: str
    caller: tuple[str, str, str] | None = None
    """Kind, directory and id; None where callers share."""
    headers: tuple[bytes | None, ...] = ()
    """Digests of the headers that are varied by, because one may be a secret; None for a header that is not there."""


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """Which scopes an operator means: those that have all of what is given."""

    project: str | None = None
    caller: str | None = None
    """The id of a key, user or application; what callers share is none of theirs."""

    def has(self, scope: Scope) -> bool:
        """Whether this scope is meant."""
        of_caller = self.caller is None or (scope.caller is not None and scope.caller[-1] == self.caller)
        return of_caller and self.project in (None, scope.project)


def scoping(vary_by: Sequence[str]) -> Callable[[Call], Scope]:
    """From a call to its scope, for a deployment whose answers vary by these: see `core.cache_settings`."""
    by_caller = "key" in vary_by
    names = [each.removeprefix(_HEADER).lower().encode() for each in vary_by if each.startswith(_HEADER)]

    def scope(call: Call) -> Scope:
        caller = call.principal
        return Scope(
            project=call.project,
            caller=(caller.kind, caller.tenant, caller.id or caller.name) if by_caller else None,
            headers=tuple(_digest(call.headers.get(name)) for name in names),
        )

    return scope


def _digest(value: bytes | None) -> bytes | None:
    return None if value is None else blake2b(value, digest_size=16).digest()
