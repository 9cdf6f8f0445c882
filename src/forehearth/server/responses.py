"""Puts the service of responses together, and what makes those in the background."""

import asyncio
from collections.abc import Callable
from typing import Final

import msgspec

from forehearth.accounting.tokens import vocabulary
from forehearth.conversations.service import Conversations
from forehearth.core.clock import Clock
from forehearth.dialects.responses.chat import Count
from forehearth.documents.repository import Documents
from forehearth.jobs.desk import Desk, Jobs
from forehearth.ports.agents import AgentResolver
from forehearth.ports.documents import DocumentStore
from forehearth.ports.door import Door
from forehearth.ports.hosts import Hosts
from forehearth.ports.sealer import Sealer
from forehearth.responses.attachments import Attachments
from forehearth.responses.background import Background
from forehearth.responses.kept import KeptResponses
from forehearth.responses.loop import Parts as LoopParts
from forehearth.responses.loops import Loops, SourcesAt
from forehearth.responses.questions import Questions
from forehearth.responses.service import Responses
from forehearth.responses.talk import Talks
from forehearth.responses.work import Parts, Work

KIND = "response"
"""The kind of document that a response is kept as, and of the job that makes one."""
_COUNTED_BY: Final = "o200k"
"""The vocabulary of today's models of OpenAI."""


class Around(msgspec.Struct, frozen=True, kw_only=True):
    """What the responses of all resources have in common."""

    documents: DocumentStore
    jobs: Desk
    conversations: Conversations
    agents: AgentResolver
    attachments: Attachments
    clock: Clock
    sealer: Sealer
    sources_at: SourcesAt
    """Where tools come from that are called here."""
    nudge: Callable[[], None]
    """Tells the worker that there is something to do."""


def made_responses(around: Around, door: Door, hosts: Hosts) -> tuple[Responses, Work]:
    """The responses of the resource whose models the `door` leads to, and what makes those in the background."""
    conversations, clock = around.conversations, around.clock
    new_id = conversations.new_id
    kept = KeptResponses(
        Documents(around.documents, KIND, new_id=lambda: new_id("resp"), clock=clock), clock, around.sealer
    )
    talks, jobs = Talks(conversations, new_id), Jobs(around.jobs, KIND)
    questions = Questions(kept, talks, around.agents, new_id, attachments=around.attachments, hosts=hosts)
    background = Background(kept, jobs, new_id=new_id, clock=clock, sleep=asyncio.sleep, nudge=around.nudge)
    loops = Loops(LoopParts(door=door, new_id=new_id, clock=clock), questions, around.sources_at)
    parts = Parts(
        kept=kept, talks=talks, questions=questions, jobs=jobs, door=door, new_id=new_id, clock=clock, loops=loops
    )
    responses = Responses(
        kept, talks, questions, door, background, loops, new_id=new_id, clock=clock, counting=counting
    )
    return responses, Work(parts)


def counting() -> Count | None:
    """Counts tokens, where the vocabularies are installed."""
    found = vocabulary(_COUNTED_BY)
    return None if found is None else found.count
