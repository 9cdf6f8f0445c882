"""Assistants, threads and messages: below each project, below OpenAI v1, and below `/openai`.

Source of paths, bodies and answers: `/assistants` and `/threads` in OpenAI's specification, and the operations of
`azure-ai-agents` 1.1.0, which lists threads besides.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from forehearth.assistants.kept import Kept
from forehearth.assistants.runs import Runs
from forehearth.assistants.threads import Threads
from forehearth.core.exchange import Head, Reply
from forehearth.core.permission import Permission
from forehearth.dialects.assistants import asked
from forehearth.dialects.assistants.asked import MetadataChange, ThreadBody, ThreadChange
from forehearth.dialects.assistants.objects import Assistant
from forehearth.dialects.responses import problems
from forehearth.dialects.wrong_members import missing_member
from forehearth.documents.metadata import read_metadata
from forehearth.documents.repository import Order
from forehearth.ports.surface import Entry
from forehearth.wire import lists, paths
from forehearth.wire.envelope import as_json
from forehearth.wire.read_body import read_body
from forehearth.wire.table import Row

P = Permission
OF_PROJECT: Mapping[Permission, Permission] = {
    P.READ_ASSISTANTS: P.READ_AGENTS,
    P.WRITE_ASSISTANTS: P.WRITE_AGENTS,
    P.DELETE_ASSISTANTS: P.DELETE_AGENTS,
    P.READ_THREADS: P.READ_AGENTS,
    P.WRITE_THREADS: P.WRITE_AGENTS,
    P.DELETE_THREADS: P.DELETE_AGENTS,
    P.READ_MESSAGES: P.READ_AGENTS,
    P.WRITE_MESSAGES: P.WRITE_AGENTS,
    P.READ_RUNS: P.READ_AGENTS,
    P.WRITE_RUNS: P.WRITE_AGENTS,
    P.READ_RUN_STEPS: P.READ_AGENTS,
}
"""What takes the place of a data action of Azure OpenAI below a project, where all of this belongs to agents."""


class _Acts:
    """What is done at each of the paths."""

    def __init__(self, kept: Kept, threads: Threads, runs: Runs) -> None:
        self._kept = kept
        self._threads = threads
        self._runs = runs

    async def list_assistants(self, entry: Entry, body: bytes) -> Reply:  # noqa: ARG002 - the shape of an act
        """A page of them."""
        return shown_page(*await self._kept.assistants.page(entry.place, order(entry.head)))

    async def create_assistant(self, entry: Entry, body: bytes) -> Reply:
        """A new one."""
        members = asked.read_assistant(body, read_metadata)
        if "model" not in members:
            raise missing_member("model")
        made = Assistant(id=self._kept.new_id("asst"), created_at=self._kept.now, **members)
        await self._kept.assistants.create(entry.place, made.id, made)
        return as_json(made)

    async def get_assistant(self, entry: Entry, body: bytes) -> Reply:  # noqa: ARG002 - the shape of an act
        """One of them."""
        (assistant,) = entry.asked.ids
        return as_json(await self._kept.assistants.get(entry.place, assistant))

    async def update_assistant(self, entry: Entry, body: bytes) -> Reply:
        """Change what is sent of it."""
        (assistant,) = entry.asked.ids
        members = asked.read_assistant(body, read_metadata)

        def change(found: Assistant) -> Assistant:
            return msgspec.structs.replace(found, **members)

        return as_json(await self._kept.assistants.change(entry.place, assistant, change))

    async def delete_assistant(self, entry: Entry, body: bytes) -> Reply:  # noqa: ARG002 - the shape of an act
        """Away with it. Runs that it was asked for go on."""
        (assistant,) = entry.asked.ids
        await self._kept.assistants.delete(entry.place, assistant)
        return as_json({"id": assistant, "object": "assistant.deleted", "deleted": True})

    async def create_thread(self, entry: Entry, body: bytes) -> Reply:
        """A new one, with messages."""
        return as_json(await self._threads.create(entry.place, read_body(body or b"{}", ThreadBody)))

    async def get_thread(self, entry: Entry, body: bytes) -> Reply:  # noqa: ARG002 - the shape of an act
        """One of them."""
        (thread,) = entry.asked.ids
        return as_json(await self._threads.get(entry.place, thread))

    async def update_thread(self, entry: Entry, body: bytes) -> Reply:
        """Change what is sent of it."""
        (thread,) = entry.asked.ids
        return as_json(await self._threads.update(entry.place, thread, read_body(body or b"{}", ThreadChange)))

    async def delete_thread(self, entry: Entry, body: bytes) -> Reply:  # noqa: ARG002 - the shape of an act
        """Away with it, its messages and its runs."""
        (thread,) = entry.asked.ids
        await self._runs.remove_thread(entry.place, thread)
        return as_json({"id": thread, "object": "thread.deleted", "deleted": True})

    async def list_messages(self, entry: Entry, body: bytes) -> Reply:  # noqa: ARG002 - the shape of an act
        """A page of a thread's messages, those of a run alone where the query names it."""
        (thread,) = entry.asked.ids
        run = paths.parameter(entry.head, b"run_id") or ""
        return shown_page(*await self._threads.messages(entry.place, thread, order(entry.head), run))

    async def create_message(self, entry: Entry, body: bytes) -> Reply:
        """Another message."""
        (thread,) = entry.asked.ids
        message = asked.read_message(problems.decoded(body), read_metadata)
        return as_json(await self._runs.add(entry.place, thread, message))

    async def get_message(self, entry: Entry, body: bytes) -> Reply:  # noqa: ARG002 - the shape of an act
        """One message."""
        thread, message = entry.asked.ids
        return as_json(await self._threads.message(entry.place, thread, message))

    async def update_message(self, entry: Entry, body: bytes) -> Reply:
        """Other metadata."""
        metadata = changed_metadata(body)
        if metadata is None:
            return await self.get_message(entry, body)
        thread, message = entry.asked.ids
        return as_json(await self._threads.update_message(entry.place, thread, message, metadata))

    async def delete_message(self, entry: Entry, body: bytes) -> Reply:  # noqa: ARG002 - the shape of an act
        """Away with a message."""
        thread, message = entry.asked.ids
        await self._threads.remove_message(entry.place, thread, message)
        return as_json({"id": message, "object": "thread.message.deleted", "deleted": True})


def rows(kept: Kept, threads: Threads, runs: Runs) -> list[Row]:
    """The endpoints below OpenAI v1, and below `/openai`."""
    acts = _Acts(kept, threads, runs)
    assistants, assistant = "/assistants", "/assistants/{assistant_id}"
    all_threads, thread = "/threads", "/threads/{thread_id}"
    messages, message = "/threads/{thread_id}/messages", "/threads/{thread_id}/messages/{message_id}"
    table = (
        ("GET", assistants, P.READ_ASSISTANTS, "assistants_list", acts.list_assistants),
        ("POST", assistants, P.WRITE_ASSISTANTS, "assistants_create", acts.create_assistant),
        ("GET", assistant, P.READ_ASSISTANTS, "assistants_get", acts.get_assistant),
        ("POST", assistant, P.WRITE_ASSISTANTS, "assistants_update", acts.update_assistant),
        ("DELETE", assistant, P.DELETE_ASSISTANTS, "assistants_delete", acts.delete_assistant),
        ("POST", all_threads, P.WRITE_THREADS, "threads_create", acts.create_thread),
        ("GET", thread, P.READ_THREADS, "threads_get", acts.get_thread),
        ("POST", thread, P.WRITE_THREADS, "threads_update", acts.update_thread),
        ("DELETE", thread, P.DELETE_THREADS, "threads_delete", acts.delete_thread),
        ("GET", messages, P.READ_MESSAGES, "messages_list", acts.list_messages),
        ("POST", messages, P.WRITE_MESSAGES, "messages_create", acts.create_message),
        ("GET", message, P.READ_MESSAGES, "messages_get", acts.get_message),
        ("POST", message, P.WRITE_MESSAGES, "messages_update", acts.update_message),
        ("DELETE", message, P.WRITE_MESSAGES, "messages_delete", acts.delete_message),
    )
    return [
        Row(method=method, form=form, permission=permission, name=name, act=act)
        for method, form, permission, name, act in table
    ]


def of_project(threads: Threads, family: Sequence[Row]) -> list[Row]:
    """The same endpoints below a project, and the list of threads, which is there alone."""

    async def listed(entry: Entry, body: bytes) -> Reply:  # noqa: ARG001 - the shape of an act
        return shown_page(*await threads.page(entry.place, order(entry.head)))

    rows = [
        msgspec.structs.replace(row, permission=OF_PROJECT[row.permission], name=f"project_{row.name}")
        for row in family
        if row.permission is not None
    ]
    return [
        *rows,
        Row(method="GET", form="/threads", permission=P.READ_AGENTS, name="project_threads_list", act=listed),
    ]


def order(head: Head) -> Order:
    """The page that a query asks for. Raises `InvalidField`."""
    found = lists.order(lists.query(head))
    return msgspec.structs.replace(found, before=paths.parameter(head, b"before") or None)


def shown_page(found: Sequence[Any], has_more: bool) -> Reply:
    """A page of things with ids."""
    # The specification has no null here: of an empty page the ids are empty.
    first, last = (found[0].id, found[-1].id) if found else ("", "")
    data = [msgspec.json.encode(each) for each in found]
    return lists.shown_list(data, first_id=first, last_id=last, has_more=has_more)


def changed_metadata(body: bytes) -> Mapping[str, str] | None:
    """Other metadata of something; None where the body has none. Raises `InvalidField`."""
    metadata = read_body(body or b"{}", MetadataChange).metadata
    return None if metadata is msgspec.UNSET else read_metadata(metadata)
