"""A connector for low-code platforms: its definition and its properties, made of the description of OpenAI v1.

The two files have the forms that Microsoft's `paconn` and the import wizards of Power Platform and Logic Apps take:
Swagger 2.0 with the members `x-ms-*`, and connection parameters; microsoft/PowerPlatformConnectors has their schemas.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

import msgspec

from forehearth.connectors.forms import (
    LISTED,
    LISTED_MEMBERS,
    MODEL,
    OPERATIONS,
)
from forehearth.connectors.icon import BRAND_COLOR
from forehearth.connectors.members import Member, Operation, OperationName
from forehearth.core.errors import InvalidField

Platform = Literal["power-platform", "logic-apps"]
MOST_BYTES: Final = 1024 * 1024
"""The largest definition that either platform takes."""
MOST_TITLE: Final = 30
LIST_OPERATION: Final = "ListDeployments"
_LOGIN: Final = "https://login.microsoftonline.com"
_JSON: Final = "application/json"
_FORM: Final = "multipart/form-data"
_DEFINITIONS: Final = "#/definitions/"
_KEPT: Final[tuple[str, ...]] = ("type", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems")
_FORMATS: Final = {"integer": "int32", "number": "double"}
_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,253}[A-Za-z0-9])?")
_AUDIENCE: Final = re.compile(r"(?:(?:https|api)://)?[A-Za-z0-9][A-Za-z0-9./_:-]{0,253}")
_LARGEST_INT32: Final = 2**31 - 1


class Entra(msgspec.Struct, frozen=True, kw_only=True):
    """How a connection signs somebody in with Microsoft Entra ID."""

    client_id: str
    """Of the application that is registered for the connector."""
    audience: str
    """What a token is for: the server's own audience."""
    tenant: str = "common"


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A connector, as it is asked for."""

    platform: Platform
    title: str
    operations: Mapping[OperationName, Sequence[str]]
    """By operation the deployments to choose from; none where the designer asks the server for them."""
    entra: Entra | None = None
    """None for connections with a key."""


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """The files' contents."""

    definition: Mapping[str, Any]
    properties: Mapping[str, Any]
    settings: Mapping[str, Any] | None
    """What `paconn` reads; Power Platform's alone."""


def exported(wanted: Wanted, description: Mapping[str, Any]) -> Exported:
    """The connector. `description` is the Swagger 2.0 document of OpenAI v1 at the server's public address.

    Raises `InvalidField` for what no platform takes.
    """
    if not wanted.title.strip() or len(wanted.title) > MOST_TITLE or not wanted.title.isprintable():
        raise InvalidField(f"A title has 1 to {MOST_TITLE} printable characters.", param="title")
    if wanted.entra is not None:
        _check(wanted.entra)
    made = _definition(wanted, description)
    if len(msgspec.json.encode(made)) >= MOST_BYTES:
        raise InvalidField("The definition has more than 1 MB: choose fewer deployments.", param="deployment")
    settings = {
        "apiProperties": "apiProperties.json",
        "apiDefinition": "apiDefinition.swagger.json",
        "icon": "icon.png",
    }
    return Exported(
        definition=made,
        properties={"properties": _properties(wanted)},
        settings=settings if wanted.platform == "power-platform" else None,
    )


def _check(entra: Entra) -> None:
    """Refuse what Entra ID has no names like: they would break the addresses that they stand in."""
    for param, value in (("client_id", entra.client_id), ("tenant", entra.tenant)):
        if not _NAME.fullmatch(value):
            raise InvalidField(f"'{param}' is an id, or a domain such as contoso.com.", param=param)
    if not _AUDIENCE.fullmatch(entra.audience):
        raise InvalidField("An audience has the form https://host, api://id or an id.", param="audience")


def _definition(wanted: Wanted, description: Mapping[str, Any]) -> dict[str, Any]:
    paths: dict[str, Any] = {
        OPERATIONS[name].path: {"post": _action(OPERATIONS[name], deployments, description)}
        for name, deployments in wanted.operations.items()
    }
    if not all(wanted.operations.values()):
        paths[LISTED] = {"get": _list_action(description)}
    scheme, security = _security(wanted.entra)
    return {
        "swagger": "2.0",
        "info": {
            "title": wanted.title,
            "description": f"Asks the models of {wanted.title}: "
            + "; ".join(OPERATIONS[name].summary.lower() for name in wanted.operations)
            + ".",
            "version": description["info"]["version"],
        },
        **{name: description[name] for name in ("host", "basePath", "schemes", "consumes", "produces")},
        "paths": paths,
        "securityDefinitions": {scheme: security},
        "security": [{scheme: []}],
    }


def _security(entra: Entra | None) -> tuple[str, dict[str, Any]]:
    if entra is None:
        return "api_key", {"type": "apiKey", "in": "header", "name": "api-key"}
    login = f"{_LOGIN}/{entra.tenant}/oauth2"
    return "oauth2_auth", {
        "type": "oauth2",
        "flow": "accessCode",
        "authorizationUrl": f"{login}/authorize",
        "tokenUrl": f"{login}/token",
        "scopes": {},
    }


def _action(operation: Operation, deployments: Sequence[str], description: Mapping[str, Any]) -> dict[str, Any]:
    its = description["paths"][operation.path]["post"]
    fields = {each["name"]: each for each in its["parameters"] if each["in"] == "formData"}
    action = {
        "operationId": operation.operation_id,
        "summary": operation.summary,
        "description": operation.about,
        "x-ms-visibility": "important",
        "parameters": _fields(operation, deployments, fields) if fields else _body(operation, deployments, description),
        "responses": _responses(its, operation.answers, description),
    }
    return action | ({"consumes": [_FORM], "produces": [_JSON]} if fields else {})


def _body(operation: Operation, deployments: Sequence[str], description: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One object that has all of it."""
    its = description["paths"][operation.path]["post"]
    reads = next(each["schema"] for each in its["parameters"] if each["in"] == "body")
    form = _object(reads, (MODEL, *operation.asks), description)
    form["properties"]["model"] |= _choice(deployments)
    return [{"name": "body", "in": "body", "required": True, "schema": form}]


def _fields(
    operation: Operation, deployments: Sequence[str], described: Mapping[str, Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """The fields of a form, which are parameters of their own."""
    found = []
    for member in (MODEL, *operation.asks):
        its = {**described[member.name], **member.schema}
        field = {key: its[key] for key in ("name", "in", *_KEPT, "enum") if key in its} | _format(its)
        field["required"] = its["required"] if member.needed is None else member.needed
        words = {"x-ms-summary": member.title, "description": member.about}
        found.append(field | words | ({"x-ms-visibility": member.visibility} if member.visibility else {}))
    found[0] |= _choice(deployments)
    return found


def _list_action(description: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "operationId": LIST_OPERATION,
        "summary": "List deployments",
        "description": "Returns the deployments that the connection may see, for the designer to choose from.",
        "x-ms-visibility": "internal",
        "parameters": [],
        "responses": _responses(description["paths"][LISTED]["get"], LISTED_MEMBERS, description),
    }


def _choice(deployments: Sequence[str]) -> dict[str, Any]:
    """What the field of the deployment offers."""
    if deployments:
        return {"enum": [*deployments], "default": deployments[0]}
    values = {"operationId": LIST_OPERATION, "value-collection": "data", "value-path": "id", "value-title": "id"}
    return {"x-ms-dynamic-values": values}


def _responses(its: Mapping[str, Any], members: Sequence[Member], description: Mapping[str, Any]) -> dict[str, Any]:
    """What is answered; of all that may go wrong nothing is said but that it may, as designers read one schema."""
    answer = its["responses"]["200"]["schema"]
    return {
        "200": {"description": "The answer.", "schema": _object(answer, members, description)},
        "default": {"description": "The call failed; the message says why."},
    }


def _object(schema: Mapping[str, Any], members: Sequence[Member], description: Mapping[str, Any]) -> dict[str, Any]:
    """An object's schema with these members of it alone."""
    whole = _resolved(schema, description)
    its = whole.get("properties", {})
    needed = whole.get("required", ())
    required = [each.name for each in members if (each.name in needed if each.needed is None else each.needed)]
    found: dict[str, Any] = {
        "type": "object",
        "properties": {each.name: _member(each, its.get(each.name, {}), description) for each in members},
    }
    return found | ({"required": required} if required else {})


def _member(member: Member, described: Mapping[str, Any], description: Mapping[str, Any]) -> dict[str, Any]:
    its = {**_resolved(described, description), **member.schema}
    if its.get("type") == "array":
        items = _resolved(its["items"], description)
        form: dict[str, Any] = {key: its[key] for key in _KEPT if key in its}
        form["items"] = _object(items, member.members, description) if member.members else items
    elif member.members:
        form = _object(its, member.members, description)
    else:
        form = {key: its[key] for key in (*_KEPT, "enum", "default") if key in its} | _format(its)
    words = {"title": member.title, "x-ms-summary": member.title, "description": member.about}
    return form | words | ({"x-ms-visibility": member.visibility} if member.visibility else {})


def _format(its: Mapping[str, Any]) -> dict[str, str]:
    """The format that designers want of numbers."""
    kind = its["type"]
    if kind not in _FORMATS:
        return {}
    wide = kind == "integer" and its.get("maximum", _LARGEST_INT32 + 1) > _LARGEST_INT32
    return {"format": "int64" if wide else _FORMATS[kind]}


def _resolved(schema: Mapping[str, Any], description: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" not in schema:
        return schema
    found: Mapping[str, Any] = description["definitions"][schema["$ref"].removeprefix(_DEFINITIONS)]
    return found


def _properties(wanted: Wanted) -> dict[str, Any]:
    return {
        "connectionParameters": _key_parameters() if wanted.entra is None else _entra_parameters(wanted.entra),
        "iconBrandColor": BRAND_COLOR,
        "capabilities": ["actions"],
        "policyTemplateInstances": [],
    }


def _key_parameters() -> dict[str, Any]:
    words = {
        "displayName": "API key",
        "description": "A key of the server, as 'forehearth keys create' prints it.",
        "tooltip": "Give the key",
        "constraints": {"tabIndex": 2, "clearText": False, "required": "true"},
    }
    return {"api_key": {"type": "securestring", "uiDefinition": words}}


def _entra_parameters(entra: Entra) -> dict[str, Any]:
    """Where a sign-in comes back to is left out: the platforms give each connector an address of its own."""
    settings = {
        "identityProvider": "aad",
        "clientId": entra.client_id,
        "scopes": [],
        "properties": {"IsFirstParty": "False"},
        "customParameters": {
            "loginUri": {"value": _LOGIN},
            "tenantId": {"value": entra.tenant},
            "resourceUri": {"value": entra.audience},
        },
    }
    hidden = {"constraints": {"required": "false", "hidden": "true"}}
    told = {"displayName": "Tenant", "description": "The tenant ID of for the Azure Active Directory application"}
    return {
        "token": {"type": "oauthSetting", "oAuthSettings": settings},
        "token:TenantId": {
            "type": "string",
            "metadata": {"sourceType": "AzureActiveDirectoryTenant"},
            "uiDefinition": hidden | told,  # word for word what the schema asks for
        },
    }
