"""One prompt, worded for a shape: the request that its own client would send."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import msgspec

from forehearth.connectors.places import Address
from forehearth.connectors.shapes import Auth, Shape


class Prompt(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked, and of whom."""

    text: str
    deployment: str
    """Its name, or that of a route."""
    stream: bool = True
    version: str | None = None
    """Another `api-version` than the one that clients send."""
    before: tuple[Mapping[str, str], ...] = ()
    """The messages of a conversation until now, each with `role` and `content`."""


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """A request, but for its credential."""

    shape: Shape
    address: Address
    method: str = "POST"
    url: str
    body: Mapping[str, Any]
    version: str | None
    """The `api-version` that is sent."""
    deployment: str


def ask(shape: Shape, address: Address, prompt: Prompt) -> Ask:
    """The request that asks `prompt` in this shape."""
    in_query = shape.named_in == "path" or shape.name == "foundry"
    version = prompt.version or (shape.version.sent if in_query else None)
    path = shape.asks.replace("{deployment}", quote(prompt.deployment, safe=""))
    query = f"?api-version={quote(version, safe='')}" if version else ""
    return Ask(
        shape=shape,
        address=address,
        url=address.base(shape).rstrip("/") + path + query,
        body=_body(shape, prompt),
        version=version,
        deployment=prompt.deployment,
    )


def credential_header(shape: Shape, auth: Auth, text: str) -> tuple[str, str]:
    """The header in which this shape's clients send a credential."""
    if auth == "key" and shape.key_header == "api-key":
        return "api-key", text
    return "Authorization", f"Bearer {text}"


def _body(shape: Shape, prompt: Prompt) -> Mapping[str, Any]:
    said = [*prompt.before, {"role": "user", "content": prompt.text}]
    body: dict[str, Any] = {} if shape.named_in == "path" else {"model": prompt.deployment}
    if shape.dialect == "chat":
        body["messages"] = said
    else:
        body["input"] = said if prompt.before else prompt.text
    if prompt.stream:
        body["stream"] = True
    return body
