"""What operators see of the backends: how the worker that answers them knows each."""

from collections.abc import Callable, Iterable

import msgspec

from forehearth.core.backend_state import BackendState


class Backends(msgspec.Struct, frozen=True, kw_only=True):
    """The backends of a running server. Every worker has its own experience of them, and tells it alone."""

    states: Callable[[str], Iterable[BackendState]]
    """By resource."""
    worker: int
    """The number of the worker that tells, from 0."""
    workers: int
    """How many there are."""
