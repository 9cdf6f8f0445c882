"""Which deployments there are, as a server or an Azure resource tells whoever may know; and which one is meant."""

from typing import Any

import msgspec

from forehearth.cli.calling import Wire
from forehearth.cli.connection import Credential
from forehearth.cli.output import CommandFailed, Exit
from forehearth.connectors.places import Address
from forehearth.connectors.shapes import SHAPES, Shape

DEFAULT = "default"
_LISTED = "2023-03-15-preview"
"""The last `api-version` in which the service lists deployments to holders of a key."""
_OK = 200


class Deployment(msgspec.Struct, frozen=True, kw_only=True):
    """One of them, as it is told."""

    name: str
    model: str
    chats: bool | None
    """Whether it answers prompts; None where that is not told."""


async def deployments(wire: Wire, address: Address, credential: Credential) -> list[Deployment] | int:
    """What the caller may see; the status where it is refused. Raises `Failed`."""
    project, classic, v1 = SHAPES["project"], SHAPES["classic"], SHAPES["v1"]
    if credential.auth == "token":
        url = f"{address.base(project)}/deployments?api-version=v1"
        status, answer, _ = await wire.read(project, url, credential)
        return [_of_project(each) for each in _named(answer, "value", "name")] if status == _OK else status
    if address.is_azure:
        url = f"{address.base(classic)}/openai/deployments?api-version={_LISTED}"
        status, answer, _ = await wire.read(classic, url, credential)
        return [_classic(each) for each in _named(answer, "data", "id")] if status == _OK else status
    status, answer, _ = await wire.read(v1, f"{address.base(v1)}models", credential)
    return [_of_v1(each) for each in _named(answer, "data", "id")] if status == _OK else status


def chosen(found: list[Deployment]) -> str:
    """The one that a prompt goes to when nobody named one: `default`, else the first that chats."""
    able = [each for each in found if each.chats is not False]
    return next((each.name for each in able if each.name == DEFAULT), able[0].name if able else "")


async def deployment_for(wire: Wire, address: Address, shape: Shape, credential: Credential) -> str:
    """The deployment for a prompt that names none. Raises `CommandFailed` where there is none, and `Failed`."""
    found = await deployments(wire, address, credential)
    if isinstance(found, int):
        raise CommandFailed(
            f"the deployments are not told: {address.origin_of(shape)} answered {found}",
            "Name one with --deployment; 'forehearth doctor' says what is wrong.",
        )
    name = chosen(found)
    if not name:
        raise CommandFailed("there is no deployment that answers prompts", "Name one with --deployment.", Exit.FAILED)
    return name


def _named(answer: Any, member: str, name: str) -> list[dict[str, Any]]:
    listed = answer.get(member) if isinstance(answer, dict) else None
    each = listed if isinstance(listed, list) else []
    return [one for one in each if isinstance(one, dict) and isinstance(one.get(name), str)]


def _capabilities(one: dict[str, Any]) -> dict[str, Any]:
    found = one.get("capabilities")
    return found if isinstance(found, dict) else {}


def _of_v1(one: dict[str, Any]) -> Deployment:
    return Deployment(name=one["id"], model="", chats=bool(_capabilities(one).get("chat_completion", True)))


def _of_project(one: dict[str, Any]) -> Deployment:
    chats = str(_capabilities(one).get("chat_completion", "")).lower() == "true"
    return Deployment(name=one["name"], model=str(one.get("modelName", "")), chats=chats)


def _classic(one: dict[str, Any]) -> Deployment:
    return Deployment(name=one["id"], model=str(one.get("model", "")), chats=None)
