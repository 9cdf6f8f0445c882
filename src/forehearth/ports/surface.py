"""One API surface: what its paths ask for, how its bodies read, and how it says no."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import msgspec

from forehearth.core.call import Call, Operation
from forehearth.core.endpoint import Endpoint
from forehearth.core.errors import ForehearthError
from forehearth.core.exchange import Head, Reply, Stream
from forehearth.core.place import Place
from forehearth.core.principal import Principal
from forehearth.core.record import CallRecord
from forehearth.core.trace import Trace


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What a head asks for: a call, which has an `operation`; something else that is done, an `act`; else a page.

    What is done with a body that may be large is an `upload`.
    """

    endpoint: Endpoint
    operation: Operation | None = None
    act: "Act | None" = None
    upload: "Upload | None" = None
    deployment: str | None = None
    """The deployment, where the path names it: then the body's `model` decides nothing."""
    project: str = ""
    agent: str = ""
    """The agent whose own endpoint this is: it is enough to have a role there."""
    subject: str = ""
    """The one thing that a page is about, where the path names one."""
    ids: tuple[str, ...] = ()
    """What an act is about: the names in its path, in their order."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A request that was let in: what it asks for, and of whom it is."""

    asked: Asked
    head: Head
    trace: Trace
    principal: Principal
    place: Place
    """The resource, and the project where the path is below one. What is kept for it belongs there."""
    started: float
    """When the head arrived, on the monotonic clock."""
    record: CallRecord = msgspec.field(default_factory=CallRecord)
    """What becomes of the call that it is."""


Act = Callable[[Entry, bytes], Awaitable[Reply]]
"""What is done with a body, which may be empty. Raises the `ForehearthError` that fits."""
StreamedAct = Callable[[Entry, Stream], Awaitable[Reply]]
"""What is done with a body while it arrives. Raises the `ForehearthError` that fits, as its stream does."""


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """What is done with a body that may be large."""

    act: StreamedAct
    most: int
    """Bytes of body that are accepted, which may be more than of others."""


class Surface(Protocol):
    """A family of endpoints with one dialect of errors and one rule for api-version."""

    @property
    def name(self) -> str:
        """What metrics and logs call it."""
        ...

    @property
    def endpoints(self) -> Sequence[Endpoint]:
        """Every endpoint that it serves; what is in no such table is refused."""
        ...

    @property
    def keys(self) -> bool:
        """Whether API keys are taken at all; where not, only tokens are looked for."""
        ...

    def find(self, head: Head) -> Asked:
        """What the path asks for. Nothing that belongs to anybody is looked at yet.

        Raises `PathNotFound`, `MethodNotAllowed`, `VersionNotServed`, `UnsupportedMediaType` or `NotServedYet`.
        """
        ...

    def page(self, entry: Entry) -> bytes:
        """The JSON of what can be answered without a body and without a model. Raises the `Refused` that fits."""
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
