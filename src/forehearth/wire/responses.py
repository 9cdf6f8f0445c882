"""The endpoints of responses: below OpenAI v1, below a project's, and classic ones with and without a deployment."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from forehearth.core.errors import InvalidField
from forehearth.core.exchange import Reply
from forehearth.core.permission import Permission
from forehearth.dialects.responses.asked import INCLUDES
from forehearth.documents.repository import Order
from forehearth.ports.surface import Act, Entry
from forehearth.responses.caller import Caller
from forehearth.responses.service import Responses
from forehearth.wire import lists, paths
from forehearth.wire.asking import caller
from forehearth.wire.envelope import as_json
from forehearth.wire.table import Row

_LONGEST_NUMBER = 15


def rows(service: Responses) -> tuple[Row, ...]:
    """The endpoints below OpenAI v1, and below `/openai`."""
    one = "/responses/{response_id}"

    async def create(entry: Entry, body: bytes) -> Reply:
        return await service.create(caller(entry), body)

    async def count(entry: Entry, body: bytes) -> Reply:
        return as_json(await service.input_tokens(caller(entry), body))

    async def items(entry: Entry, body: bytes) -> Reply:  # noqa: ARG001 - an act's shape
        lists.require_includable(entry.head, INCLUDES)  # shown with it or without
        return as_json(await service.input_items(caller(entry), entry.asked.ids[0], _order(entry)))

    async def get(entry: Entry, body: bytes) -> Reply:  # noqa: ARG001 - an act's shape
        lists.require_includable(entry.head, INCLUDES)
        if paths.parameter(entry.head, b"stream") == "true":
            return await service.stream(caller(entry), entry.asked.ids[0], after=_after(entry))
        return as_json(await service.get(caller(entry), entry.asked.ids[0]))

    read, write = Permission.READ_RESPONSES, Permission.WRITE_RESPONSES
    return (
        Row(method="POST", form="/responses", permission=write, name="responses_create", act=create),
        Row(method="POST", form="/responses/input_tokens", permission=write, name="responses_count", act=count),
        Row(method="GET", form=one, permission=read, name="responses_get", act=get),
        Row(
            method="DELETE",
            form=one,
            permission=Permission.DELETE_RESPONSES,
            name="responses_delete",
            act=_about_one(service.delete),
        ),
        Row(
            method="POST",
            form=f"{one}/cancel",
            permission=write,
            name="responses_cancel",
            act=_about_one(service.cancel),
        ),
        Row(method="GET", form=f"{one}/input_items", permission=read, name="responses_input_items", act=items),
    )


def with_deployment(service: Responses) -> tuple[Row, ...]:
    """The endpoint below `/openai` at which the path names the deployment, seen in the wild."""

    async def create(entry: Entry, body: bytes) -> Reply:
        return await service.create(caller(entry), body, deployment=entry.asked.ids[0])

    form = "/deployments/{deployment}/responses"
    row = Row(method="POST", form=form, permission=Permission.WRITE_RESPONSES, name="responses_create", act=create)
    return (row,)


def _about_one(done: Callable[[Caller, str], Awaitable[dict[str, Any]]]) -> Act:
    """What is done with one response."""

    async def act(entry: Entry, body: bytes) -> Reply:  # noqa: ARG001 - an act's shape
        return as_json(await done(caller(entry), entry.asked.ids[0]))

    return act


def _order(entry: Entry) -> Order:
    """The page that the query asks for; Azure knows `before`, too. Raises `InvalidField`."""
    found = lists.order(lists.query(entry.head))
    return msgspec.structs.replace(found, before=paths.parameter(entry.head, b"before"))


def _after(entry: Entry) -> int:
    """The number of the event behind which a stream is to begin; -1 where the query has none. Raises `InvalidField`."""
    text = paths.parameter(entry.head, b"starting_after")
    if text is None:
        return -1
    if not (text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER):
        raise InvalidField("'starting_after' is the number of an event: a whole number from 0.", param="starting_after")
    return int(text)
