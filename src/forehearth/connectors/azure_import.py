"""A configuration made of an Azure resource, as its control plane tells of it.

The resource is one backend; each of its deployments that answers what is served here is one, with its model's facts
and its quota.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
import yaml

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_TYPES: Final = {"chatCompletion": "chat_completion", "embeddings": "embeddings", "completion": "completion"}
"""What a deployment is for, by the capability that says so; the first that it has."""
_LIMITS: Final = {"request": "requests_per_minute", "token": "tokens_per_minute"}
_MINUTE: Final = 60
_OPENAI: Final = "OpenAI Language Model Instance API"
"""What the control plane calls the endpoint of the OpenAI shapes."""


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """A resource."""

    id: str
    name: str
    endpoint: str


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """A configuration, and what is not in it."""

    text: str
    left_out: tuple[str, ...]
    """Deployments that have no place here, each with the reason."""


def account(told: Mapping[str, Any]) -> Account:
    """The resource that the control plane tells of."""
    properties = _mapping(told.get("properties"))
    endpoints = _mapping(properties.get("endpoints"))
    name = str(told.get("name", ""))
    openai = f"https://{properties.get('customSubDomainName') or name.lower()}.openai.azure.com"
    return Account(id=str(told.get("id", "")), name=name, endpoint=str(endpoints.get(_OPENAI) or openai).rstrip("/"))


def configuration(resource: Account, told: Sequence[Mapping[str, Any]], *, key: str | None) -> Imported:
    """The configuration; `key` is the variable that will have the resource's key, None for an identity of Entra ID."""
    backend: dict[str, Any] = {"provider": "azure_openai", "endpoint": resource.endpoint}
    backend |= {"api_key": f"${{{key}}}"} if key else {"credential": {"kind": "default"}}
    deployments: dict[str, Any] = {}
    left_out: list[str] = []
    for each in told:
        name, properties = str(each.get("name", "")), _mapping(each.get("properties"))
        why = _unfit(name, properties)
        if why:
            left_out.append(f"{name!a}: {why}")
        else:
            deployments[name] = _deployment(name, properties)
    whole = {"version": 1, "backends": {"azure": backend}, "deployments": deployments}
    return Imported(text=_text(resource, whole, left_out), left_out=tuple(left_out))


def _unfit(name: str, properties: Mapping[str, Any]) -> str:
    if not _NAME.fullmatch(name):
        return "its name cannot be one here"
    if _type(properties) is None:
        return "it answers neither chat nor completions nor embeddings"
    state = properties.get("provisioningState", "Succeeded")
    return "" if state == "Succeeded" else f"its state is {state!a}"


def _deployment(name: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    model = _mapping(properties.get("model"))
    facts = {"name": model.get("name"), "version": model.get("version"), "publisher": model.get("format")}
    known = {key: value for key, value in facts.items() if isinstance(value, str) and value}
    member: dict[str, Any] = {"backend": "azure", "model": name}
    limits = _limits(properties.get("rateLimits"))
    if limits:
        member["limits"] = limits
    return {"model": {**known, "type": _type(properties)}, "backends": [member]}


def _type(properties: Mapping[str, Any]) -> str | None:
    capabilities = _mapping(properties.get("capabilities"))
    able = (kind for name, kind in _TYPES.items() if str(capabilities.get(name, "")).lower() == "true")
    return next(able, None)


def _limits(told: Any) -> dict[str, int]:
    """The quota, for a minute each."""
    found: dict[str, int] = {}
    for each in told if isinstance(told, list) else ():
        limit = _mapping(each)
        name, count, period = _LIMITS.get(str(limit.get("key"))), limit.get("count"), limit.get("renewalPeriod")
        if name and isinstance(count, int | float) and isinstance(period, int | float) and count > 0 and period > 0:
            found[name] = max(1, int(count * _MINUTE / period))
    return found


def _text(resource: Account, whole: Mapping[str, Any], left_out: Sequence[str]) -> str:
    head = [
        f"# Made by 'forehearth import azure' of the resource {resource.name!a}.",
        "# Check it: forehearth config check",
    ]
    head += [f"# Left out: {each}" for each in left_out]
    return "\n".join(head) + "\n" + yaml.safe_dump(dict(whole), sort_keys=False, allow_unicode=True, width=120)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
