"""Replies and events of classic agents fit their documents, member for member: OpenAI's, and those of Azure's client.

Every object is closed: a member too many fails as one that is missing does.
"""

import asyncio
import json
import re
from functools import cache
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator

from tests.conformance.openapi import HERE, Document
from tests.conformance.test_project_replies import mutated
from tests.unit.assistants.stage import CLASSIC, PROJECT, TOOL, V1, Event, Stage
from tests.unit.dialects.responses.chats import DONE, call, chunk, usage
from tests.unit.responses.stage import Source, says

CALLS = (
    chunk({"content": "I look."}),
    chunk(call(0, "call_1", "get_weather", '{"city": ')),
    chunk(call(0, arguments='"P"}')),
)
SPOKEN = (chunk({"content": "It is "}), chunk({"content": "sunny."}), chunk({}, "stop"), usage(), DONE)
NULL = {"type": "null"}
AZURE_NULLS = {
    "Agent": ("name", "description", "instructions", "temperature", "top_p"),
    "ThreadRun": (
        *("last_error", "started_at", "expires_at", "completed_at", "cancelled_at", "failed_at", "usage"),
        *("incomplete_details", "max_prompt_tokens", "max_completion_tokens"),
    ),
    "ThreadMessage": ("incomplete_details", "completed_at", "incomplete_at", "assistant_id", "run_id"),
    "RunStep": ("last_error", "expired_at", "completed_at", "cancelled_at", "failed_at"),
}
"""What the client's classes call required, and the service sends null for, as OpenAI's document says of it."""
AZURE_MORE: dict[str, dict[str, Any]] = {
    # Members of OpenAI's document that these classes read past: what a caller said, and what a function gave.
    "FunctionDefinition": {"strict": {"type": "boolean"}},
    "RunStepFunctionToolCallDetails": {"output": {"type": ["string", "null"]}},
}


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """A request's operation, and what came back."""

    operation: str
    reply: dict[str, Any]


class Scene:
    """One of everything that can be asked at one of the places."""

    def __init__(self, base: str, stage: Stage) -> None:
        self.base = base
        self.stage = stage
        self.kept: list[Exchange] = []
        self.events: list[Event] = []
        self.agent = self.thread = ""

    async def ask(self, method: str, form: str, body: object = None, query: str = "", **ids: str) -> dict[str, Any]:
        """Ask, and keep what came back."""
        shown = await self.stage.ask(method, form.format(**ids) + query, body, base=self.base)
        self.kept.append(Exchange(operation=f"{method} {form}", reply=shown))
        return shown

    async def stream(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Ask for a stream; the run at its end."""
        told = await self.stage.events(path, body, base=self.base)
        self.events += told
        shown: dict[str, Any] = told[-2][1]
        return shown

    async def objects(self) -> None:
        """Assistants, threads and messages."""
        rich = {
            "name": "helper",
            "description": "It helps.",
            "instructions": "Be brief.",
            "tools": [TOOL],
            "tool_resources": {},
            "metadata": {"a": "b"},
            "temperature": 0.5,
            "top_p": 1,
            "response_format": {"type": "text"},
        }
        agent = self.agent = (await self.ask("POST", "/assistants", {"model": "m"} | rich))["id"]
        await self.ask("POST", "/assistants", {"model": "m"})
        await self.ask("GET", "/assistants")
        await self.ask("GET", "/assistants", query="?limit=1&before=" + agent)
        await self.ask("GET", "/assistants/{assistant_id}", assistant_id=agent)
        await self.ask("POST", "/assistants/{assistant_id}", {"name": None}, assistant_id=agent)
        text = {"type": "text", "text": "The weather?"}
        # Azure's client has no class for pictures that are shown.
        pictures = [] if self.base == PROJECT else [{"type": "image_url", "image_url": {"url": "https://e.org/a.png"}}]
        said = [{"role": "user", "content": [text]}]
        thread = self.thread = (await self.ask("POST", "/threads", {"messages": said, "metadata": {"c": "d"}}))["id"]
        await self.ask("GET", "/threads/{thread_id}", thread_id=thread)
        await self.ask("POST", "/threads/{thread_id}", {"metadata": {"e": "f"}}, thread_id=thread)
        message = {"role": "user", "content": [text, *pictures]}
        made = await self.ask("POST", "/threads/{thread_id}/messages", message, thread_id=thread)
        ids = {"thread_id": thread, "message_id": made["id"]}
        await self.ask("GET", "/threads/{thread_id}/messages/{message_id}", **ids)
        await self.ask("POST", "/threads/{thread_id}/messages/{message_id}", {"metadata": {"g": "h"}}, **ids)
        if self.base == PROJECT:
            await self.ask("GET", "/threads")
        else:
            await self.ask("DELETE", "/threads/{thread_id}/messages/{message_id}", **ids)

    async def runs(self) -> None:
        """A run that calls a function, and its steps."""
        asked = {"assistant_id": self.agent}
        run = await self.stream(f"/threads/{self.thread}/runs", asked)
        ids = {"thread_id": self.thread, "run_id": run["id"]}
        await self.ask("GET", "/threads/{thread_id}/runs/{run_id}", **ids)
        await self.ask("GET", "/threads/{thread_id}/runs/{run_id}/steps", **ids)
        outputs = {"tool_outputs": [{"tool_call_id": "call_1", "output": "sunny"}]}
        await self.stream(f"/threads/{self.thread}/runs/{run['id']}/submit_tool_outputs", outputs)
        await self.ask("GET", "/threads/{thread_id}/runs/{run_id}", **ids)
        await self.ask("POST", "/threads/{thread_id}/runs/{run_id}", {"metadata": {"i": "j"}}, **ids)
        steps = await self.ask("GET", "/threads/{thread_id}/runs/{run_id}/steps", **ids)
        for each in steps["data"]:
            await self.ask("GET", "/threads/{thread_id}/runs/{run_id}/steps/{step_id}", step_id=each["id"], **ids)
        await self.ask("GET", "/threads/{thread_id}/messages", thread_id=self.thread)
        await self.ask("GET", "/threads/{thread_id}/messages", query="?run_id=" + run["id"], thread_id=self.thread)
        await self.ask("GET", "/threads/{thread_id}/runs", thread_id=self.thread)

    async def others(self) -> None:
        """A run with all that can be said of it, which is cancelled; one with its thread; and the end."""
        asked = {"assistant_id": self.agent}
        form = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}}
        bounds = {"max_prompt_tokens": 256, "max_completion_tokens": 256, "tool_choice": "none"}
        last = {"truncation_strategy": {"type": "last_messages", "last_messages": 1}, "parallel_tool_calls": False}
        whole = asked | bounds | last | {"response_format": form}
        stopped = await self.ask("POST", "/threads/{thread_id}/runs", whole, thread_id=self.thread)
        ids = {"thread_id": self.thread, "run_id": stopped["id"]}
        await self.ask("POST", "/threads/{thread_id}/runs/{run_id}/cancel", **ids)
        with_thread = asked | {"thread": {"messages": [{"role": "user", "content": "hi"}]}}
        await self.stream("/threads/runs", with_thread)
        chosen = {"tool_choice": {"type": "function", "function": {"name": "get_weather"}}}
        await self.ask("POST", "/threads/runs", with_thread | chosen)
        await self.ask("DELETE", "/threads/{thread_id}", thread_id=self.thread)
        await self.ask("DELETE", "/assistants/{assistant_id}", assistant_id=self.agent)


async def play(base: str) -> Scene:
    models = (
        Source([*CALLS, chunk({}, "tool_calls"), usage(), DONE]),
        Source(SPOKEN),
        says("Once more."),
        Source(SPOKEN),
    )
    async with Stage(*models) as stage:
        scene = Scene(base, stage)
        await scene.objects()
        await scene.runs()
        await scene.others()
    return scene


@cache
def played(base: str) -> Scene:
    """What was asked at one of the places, and came back."""
    return asyncio.run(play(base))


@cache
def openai() -> Document:
    return Document("openai-assistants.json")


@cache
def azure() -> dict[str, Any]:
    """The document of Azure's client, with what is known to be otherwise."""
    document: dict[str, Any] = json.loads((HERE / "azure-agents-classic.json").read_text())
    for name, members in AZURE_NULLS.items():
        properties = document["schemas"][name]["properties"]
        properties |= {member: {"anyOf": [properties[member], NULL]} for member in members}
    for name, more in AZURE_MORE.items():
        document["schemas"][name]["properties"] |= more
    return document


@cache
def validator(base: str, operation: str) -> Draft202012Validator:
    """Of the answer to an operation."""
    method, _, path = operation.partition(" ")
    if base != PROJECT:
        return openai().answer(method, path)
    camel = re.sub(r"_i(?=d})", "I", path)
    said = azure()["operations"][f"{method} {camel}"]["200"]
    return Draft202012Validator({"schemas": azure()["schemas"], **said})


def problems(base: str, exchange: Exchange) -> list[str]:
    found = validator(base, exchange.operation).iter_errors(exchange.reply)
    return [f"{exchange.operation} {error.json_path}: {error.message[:300]}" for error in found]


@pytest.mark.parametrize("base", [PROJECT, V1, CLASSIC])
def test_every_reply_is_as_its_document_says(base: str) -> None:
    kept = played(base).kept
    assert [problem for exchange in kept for problem in problems(base, exchange)] == []
    if base != PROJECT:
        asked = {exchange.operation for exchange in kept}
        assert {f"{method} {path}" for path in openai().paths for method in openai().methods(path)} == asked | {
            "POST /threads/{thread_id}/runs/{run_id}/submit_tool_outputs"
        }


@pytest.mark.parametrize("base", [PROJECT, V1])
def test_every_event_is_as_the_document_says(base: str) -> None:
    checked = openai().validator("AssistantStreamEvent")
    for name, data in played(base).events:
        assert [error.message for error in checked.iter_errors({"event": name, "data": data})] == [], name


def test_an_event_with_something_wrong_is_found() -> None:
    checked = openai().validator("AssistantStreamEvent")
    for name, data in dict(played(V1).events).items():
        assert not checked.is_valid({"event": name, "data": "x" if name == "done" else data | {"a_stranger": 1}}), name
        assert not checked.is_valid({"event": "thread.strange", "data": data})


OPEN = (".metadata", ".function.parameters", ".json_schema.schema")
"""Where objects have members of any name."""


@pytest.mark.parametrize("base", [PROJECT, V1])
def test_a_reply_with_something_wrong_is_found(base: str) -> None:
    count = 0
    for exchange in {each.operation: each for each in played(base).kept}.values():
        checked = validator(base, exchange.operation)
        for where, changed in mutated(exchange.reply):
            if any(f"{each}." in where or f"{each} with" in where for each in OPEN) or where.partition(" ")[0].endswith(
                (".parameters", ".schema")
            ):
                continue
            assert not checked.is_valid(changed), (exchange.operation, where)
            count += 1
    assert count > 300
