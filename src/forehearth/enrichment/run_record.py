"""A run of a job: what it is at, what it did, and what that used."""

from typing import Literal

import msgspec

from forehearth.enrichment.budget import Spent

Status = Literal["planned", "running", "completed", "incomplete", "failed", "cancelled", "interrupted"]
"""`planned`: nothing was done but, perhaps, a sample; `incomplete`: a limit of the job was reached.

All but `completed` can go on.
"""


class Run(msgspec.Struct, kw_only=True):
    """One run, over all the times that it was begun again. Times are Unix seconds."""

    id: str
    job: str
    fingerprint: str
    source_version: str
    status: Status = "planned"
    reason: str = ""
    """Why it is not completed, in a sentence."""
    limit: str = ""
    """The limit that was reached, where it is `incomplete`."""
    started: float
    updated: float
    ended: float | None = None
    rows: int | None = None
    """Rows of the source, where that is known."""
    done: int = 0
    """Rows that have landed, in the sink or in the quarantine, or had landed before."""
    failed: int = 0
    """Those of them without an answer."""
    reused: int = 0
    """Rows whose answer was there already."""
    chunks: int = 0
    """Chunks that this run has landed."""
    spent: Spent = msgspec.field(default_factory=Spent)
    retried: int | None = None
    """The version of the quarantine whose rows it asks again; None for a run over the source."""
    process: int = 0
    """The process that works on it, or did last."""
