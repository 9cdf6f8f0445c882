"""One API surface: what its paths ask for, how its bodies read, and how it says no."""

from typing import Protocol

import msgspec

from forehearth.core.call import Call, Operation
from forehearth.core.errors import ForehearthError
from forehearth.core.exchange import Head, Reply
from forehearth.core.principal import Principal
from forehearth.core.trace import Trace


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A model operation that a head asks for."""

    operation: Operation
    deployment: str | None = None
    """The deployment, where the path names it: then the body's `model` decides nothing."""
    head: Head
    trace: Trace
    principal: Principal
    started: float
    """When the head arrived, on the monotonic clock."""


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Something that can be answered at once, without a body and without a model."""

    name: str
    """What was asked, for metrics."""
    body: bytes


class Surface(Protocol):
    """A family of endpoints with one dialect of errors and one rule for api-version."""

    name: str

    def find(self, head: Head) -> "Operation | tuple[Operation, str] | Page":
        """What the path asks for: an operation, with the deployment where the path names one, or a page.

        Raises `PathNotFound`, `MethodNotAllowed`, `VersionNotServed` or `UnsupportedMediaType`.
        """
        ...

    def read(self, entry: Entry, body: bytes) -> Call:
        """Parse the body, once. Raises the `Refused` that says what is wrong with it."""
        ...

    def render(self, call: Call, reply: Reply) -> Reply:
        """Give a successful reply what this surface requires and backends do not send; mostly nothing."""
        ...

    def refuse(self, error: ForehearthError, trace: Trace) -> Reply:
        """Say `error` in this surface's envelope, status and headers."""
        ...
