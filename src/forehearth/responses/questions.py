"""From a body to what a model is asked: the agent looked up, what was said before found, references resolved."""

from collections.abc import Mapping

from forehearth.conversations.items import Item, duplicate
from forehearth.core.errors import NotSupported
from forehearth.dialects.responses import agents, asked, chat, problems
from forehearth.dialects.responses.asked import Question
from forehearth.dialects.responses.items import NewId, Resource, resolved
from forehearth.ports.agents import AgentResolver
from forehearth.responses.caller import Caller
from forehearth.responses.kept import KeptResponses
from forehearth.responses.talk import Talks


class Questions:
    """Reads questions. `agents` finds those that are asked of."""

    def __init__(self, kept: KeptResponses, talks: Talks, agents: AgentResolver, new_id: NewId) -> None:
        self._kept = kept
        self._talks = talks
        self._agents = agents
        self._new_id = new_id

    async def read(self, caller: Caller, body: bytes, deployment: str | None = None) -> Question:
        """The question in a body. `deployment` is the model where the path names it, whatever the body says.

        Raises the `Refused` that fits: `NotFound` for an agent that is not there, `Conflict` for one that is disabled.
        """
        members = problems.decoded(body)
        reference = agents.named(members, at=caller.place.agent)
        if reference is None:
            return asked.read(members if deployment is None else members | {"model": deployment}, self._new_id)
        if not caller.place.project:
            message = "An agent belongs to a project: ask below /api/projects/{project}/openai/v1."
            raise NotSupported(message, param="agent_reference")
        agent = await self._agents.resolve(caller.place, reference.name, reference.version)
        named = agents.Reference(name=agent.name, version=agent.version)
        return asked.read(agents.applied(members, agent), self._new_id, agent=named)

    async def asked(self, caller: Caller, question: Question) -> tuple[tuple[Resource, ...], bytes]:
        """The items of the input, and the body of chat completions that asks for an answer to all before and them."""
        if question.conversation is not None:
            before = await self._talks.before(caller, question.conversation)
        else:
            before = await self._kept.conversation(caller, question.body.previous_response_id)
        known = {item["id"]: item for item in before}
        items = resolved(question.items, known.get)
        _require_once(items)
        if question.conversation is not None:
            _require_new(self._talks.new(without_references(question, items)), known)
        return items, chat.body(question, [*before, *items])


def without_references(question: Question, items: tuple[Resource, ...]) -> tuple[Resource, ...]:
    """What is new of an input: all but what is in the conversation already."""
    return tuple(item for given, item in zip(question.items, items, strict=True) if given["type"] != "item_reference")


def _require_once(items: tuple[Resource, ...]) -> None:
    """Raises `InvalidField` for what is there twice: a list of them could not be paged."""
    ids: set[str] = set()
    for item in items:
        if item["id"] in ids:
            raise duplicate(item["id"], "input")
        ids.add(item["id"])


def _require_new(items: list[Item], known: Mapping[str, Resource]) -> None:
    """Raises `InvalidField` for what is in the conversation already."""
    for item in items:
        if item.id in known:
            raise duplicate(item.id, "input")
