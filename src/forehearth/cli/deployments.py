"""Which deployments there are, as a server or an Azure resource tells whoever may know; and which one is meant."""

from http import HTTPStatus
from typing import Any

import msgspec

from forehearth.cli.calling import Wire
from forehearth.cli.connection import Credential
from forehearth.cli.output import CommandFailed
from forehearth.cli.refusals import refused
from forehearth.connectors.places import Address
from forehearth.connectors.remedies import Circumstances
from forehearth.connectors.shapes import SHAPES

DEFAULT = "default"
_LISTED = "2023-03-15-preview"
"""The last `api-version` in which the service lists deployments to holders of a key."""


class Deployment(msgspec.Struct, frozen=True, kw_only=True):
    """One of them, as it is told."""

    name: str
    model: str
    chats: bool | None
    """Whether it answers prompts; None where that is not told."""
    embeds: bool | None = None
    """Whether it makes vectors; None where that is not told."""
    pictures: bool = False
    """Whether it is told that it makes pictures."""
    hears: bool = False
    """Whether it is told that it makes texts of recordings."""


async def deployments(wire: Wire, address: Address, credential: Credential) -> list[Deployment]:
    """What the caller may see. Raises `CommandFailed` where that is nothing, and `Failed`."""
    if credential.auth == "token":
        shape, path, read = SHAPES["project"], "/deployments?api-version=v1", _of_project
    elif address.is_azure:
        shape, path, read = SHAPES["classic"], f"/openai/deployments?api-version={_LISTED}", _of_classic
    else:
        shape, path, read = SHAPES["v1"], "models", _of_v1
    status, answer, response = await wire.read(shape, address.base(shape) + path, credential)
    if status != HTTPStatus.OK:
        raise refused(status, response.body, Circumstances(shape=shape, address=address, auth=credential.auth))
    listed = answer.get("data", answer.get("value")) if isinstance(answer, dict) else None
    found = [read(each) for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    return [each for each in found if each.name]


def chosen(found: list[Deployment]) -> str:
    """The one that a prompt goes to when nobody named one: `default`, else the first that chats."""
    able = [each for each in found if each.chats is not False]
    return next((each.name for each in able if each.name == DEFAULT), able[0].name if able else "")


async def deployment_for(wire: Wire, address: Address, credential: Credential) -> str:
    """The deployment for a prompt that names none. Raises `CommandFailed` where there is none, and `Failed`."""
    name = chosen(await deployments(wire, address, credential))
    if not name:
        raise CommandFailed("there is no deployment that answers prompts", "Name one with --deployment.")
    return name


def _capabilities(one: dict[str, Any]) -> dict[str, Any]:
    found = one.get("capabilities")
    return found if isinstance(found, dict) else {}


def _of_v1(one: dict[str, Any]) -> Deployment:
    able = _capabilities(one)
    chats, embeds = bool(able.get("chat_completion", True)), bool(able.get("embeddings", False))
    pictures, hears = bool(able.get("image_generation")), bool(able.get("audio_transcription"))
    return Deployment(name=_text(one, "id"), model="", chats=chats, embeds=embeds, pictures=pictures, hears=hears)


def _of_project(one: dict[str, Any]) -> Deployment:
    able = {what for what, can in _capabilities(one).items() if str(can).lower() == "true"}
    return Deployment(
        name=_text(one, "name"),
        model=_text(one, "modelName"),
        chats="chat_completion" in able,
        embeds="embeddings" in able,
        pictures="image_generation" in able,
        hears="audio_transcription" in able,
    )


def _of_classic(one: dict[str, Any]) -> Deployment:
    return Deployment(name=_text(one, "id"), model=_text(one, "model"), chats=None)


def _text(one: dict[str, Any], name: str) -> str:
    found = one.get(name)
    return found if isinstance(found, str) else ""
