"""How a backend is: whether it is asked and why not, what it has to do, and how quick it is."""

from enum import StrEnum

import msgspec


class State(StrEnum):
    """Whether a backend is asked, and why not."""

    READY = "ready"
    DUE = "due"
    """Its ejection is over; the next call tries it."""
    FAILING = "failing"
    """It would be ejected, but too many are already: it is asked last."""
    WAITING = "waiting"
    """The host asked to be left alone."""
    FULL = "full"
    """It has as many calls or tokens as its limits allow."""
    TRIAL = "trial"
    """One call tries it; others do not."""
    EJECTED = "ejected"


class BackendState(msgspec.Struct, frozen=True, kw_only=True):
    """One backend of one deployment, as this worker knows it."""

    deployment: str
    """Its name within its resource."""
    label: str
    """What metrics and logs call the deployment."""
    backend: str
    model: str
    """The model's name there."""
    priority: int
    weight: int
    state: State
    why: str
    """What went wrong last, as a status or an error's code; empty where nothing did."""
    opens_in: float
    """Seconds until it is asked again; 0 where it is."""
    in_flight: int
    calls: int
    """Since the worker started, as everything that is counted here."""
    failures: int
    """Those that failed by its fault."""
    busy: int
    """Those that it was too busy for."""
    first_byte: float | None
    """Median seconds to the first byte of its last streams; of whole answers, where there was no stream."""
