"""The kinds of runs that operators are shown, one line a kind."""

from collections.abc import Mapping
from typing import Final

from forehearth.admin.runs import RunKind
from forehearth.assistants.history import ThreadRuns
from forehearth.responses.history import ResponseRuns
from forehearth.server import assistants, responses

RUN_KINDS: Final[Mapping[str, RunKind]] = {responses.KIND: ResponseRuns(), assistants.KIND: ThreadRuns()}
"""By the kind of the document, and of its jobs."""
