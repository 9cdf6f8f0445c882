"""Puts the service of responses together."""

from typing import Final

from forehearth.accounting.tokens import vocabulary
from forehearth.conversations.service import Conversations
from forehearth.core.clock import Clock
from forehearth.dialects.responses.chat import Count
from forehearth.documents.repository import Documents
from forehearth.ports.agents import AgentResolver
from forehearth.ports.documents import DocumentStore
from forehearth.ports.door import Door
from forehearth.responses.kept import KeptResponses
from forehearth.responses.questions import Questions
from forehearth.responses.service import Responses
from forehearth.responses.talk import Talks

KIND = "response"
"""The kind of document that a response is kept as."""
_COUNTED_BY: Final = "o200k"
"""The vocabulary of today's models of OpenAI."""


def made_responses(
    documents: DocumentStore, door: Door, conversations: Conversations, agents: AgentResolver, clock: Clock
) -> Responses:
    """The responses of the resource whose models the `door` leads to."""
    new_id = conversations.new_id
    kept = KeptResponses(Documents(documents, KIND, new_id=lambda: new_id("resp"), clock=clock), clock)
    talks = Talks(conversations, new_id)
    questions = Questions(kept, talks, agents, new_id)
    return Responses(kept, talks, questions, door, new_id=new_id, clock=clock, counting=_counting)


def _counting() -> Count | None:
    found = vocabulary(_COUNTED_BY)
    return None if found is None else found.count
