"""From the `Host` of a request to the resource that it names, as the service's own host names do."""

from collections.abc import Callable, Mapping
from typing import TypeVar

SUFFIXES = (b".services.ai.azure.com", b".openai.azure.com", b".cognitiveservices.azure.com")

Tenant = TypeVar("Tenant")


def by_host(default: Tenant, others: Mapping[str, Tenant]) -> Callable[[bytes], Tenant]:
    """Make the look-up: `{name}` before any of the suffixes is that resource, every other host the default one.

    A host says which resource is meant and nothing about who may use it: credentials belong to a resource each.
    """
    if not others:
        return lambda _: default
    hosts = {name.encode() + suffix: found for name, found in others.items() for suffix in SUFFIXES}

    def find(host: bytes) -> Tenant:
        return hosts.get(host.partition(b":")[0].lower().removesuffix(b"."), default)

    return find
