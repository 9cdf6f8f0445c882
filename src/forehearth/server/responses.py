"""Puts the service of responses together."""

import secrets
from typing import Final

from forehearth.accounting.tokens import vocabulary
from forehearth.core.clock import Clock
from forehearth.dialects.responses.chat import Count
from forehearth.documents.repository import Documents
from forehearth.ports.documents import DocumentStore
from forehearth.ports.door import Door
from forehearth.responses.kept import KeptResponses
from forehearth.responses.service import Responses

KIND = "response"
"""The kind of document that a response is kept as."""
_COUNTED_BY: Final = "o200k"
"""The vocabulary of today's models of OpenAI."""
_RANDOM = 24
"""Bytes of an id that nobody guesses."""


def made_responses(documents: DocumentStore, door: Door, clock: Clock) -> Responses:
    """The responses of the resource whose models the `door` leads to."""
    kept = KeptResponses(Documents(documents, KIND, new_id=lambda: _new_id("resp"), clock=clock), clock)
    return Responses(kept, door, new_id=_new_id, clock=clock, counting=_counting)


def _new_id(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(_RANDOM)}"


def _counting() -> Count | None:
    found = vocabulary(_COUNTED_BY)
    return None if found is None else found.count
