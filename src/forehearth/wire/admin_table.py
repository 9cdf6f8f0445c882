"""The endpoints below `/admin`, and what their queries may have."""

import re
from collections.abc import Mapping

from forehearth.core.endpoint import Endpoint
from forehearth.core.errors import MethodNotAllowed
from forehearth.wire import admin_cache, admin_connections, admin_enrichments, admin_roles, admin_runs, admin_usage
from forehearth.wire.admin_asked import admin_endpoint
from forehearth.wire.paths import not_found

_ID = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
"""A key's id or its name, or another id. None of them has anything to decode in it."""

ENDPOINTS = (
    admin_endpoint("GET", "/admin/keys", "keys.list"),
    admin_endpoint("POST", "/admin/keys", "keys.create"),
    admin_endpoint("GET", "/admin/keys/{id}", "keys.get"),
    admin_endpoint("DELETE", "/admin/keys/{id}", "keys.revoke"),
    admin_endpoint("POST", "/admin/keys/{id}/rotate", "keys.rotate"),
    *admin_roles.ENDPOINTS,
    admin_endpoint("GET", "/admin/audit", "audit.list"),
    admin_endpoint("GET", "/admin/backends", "backends.list"),
    admin_endpoint("GET", "/admin/cache", "cache.show"),
    admin_endpoint("DELETE", "/admin/cache", "cache.purge"),
    admin_endpoint("GET", "/admin/usage", "usage.show"),
    admin_endpoint("GET", "/admin/requests/{id}", "requests.get"),
    *admin_runs.ENDPOINTS,
    *admin_connections.ENDPOINTS,
    *admin_enrichments.ENDPOINTS,
    admin_endpoint("GET", "/admin/openapi.json", "openapi.get"),
)
PARAMETERS: Mapping[str, frozenset[str]] = {
    **{endpoint.name: frozenset({"resource"}) for endpoint in ENDPOINTS},
    "keys.list": frozenset({"resource", "limit", "after", "name"}),
    "keys.revoke": frozenset({"resource", "secret"}),
    "audit.list": frozenset({"resource", "limit", "after", "since", "actor", "action"}),
    "cache.purge": admin_cache.PURGE_PARAMETERS,
    **admin_roles.PARAMETERS,
    "usage.show": admin_usage.PARAMETERS,
    **admin_runs.PARAMETERS,
    **admin_connections.PARAMETERS,
    **admin_enrichments.PARAMETERS,
}
EVERY_PARAMETER = frozenset[str]().union(*PARAMETERS.values())


def find(method: str, path: bytes) -> tuple[Endpoint, str]:
    """The endpoint, and the id that its path names. Raises `PathNotFound` or `MethodNotAllowed`."""
    parts = path.split(b"/")
    there = [(each, name) for each in ENDPOINTS if (name := _fits(each.path.encode().split(b"/"), parts)) is not None]
    if not there:
        raise not_found([f"{each.method} {each.path}" for each in ENDPOINTS], method, path)
    for endpoint, name in there:
        if endpoint.method == method:
            return endpoint, name
    allowed = tuple(sorted(endpoint.method for endpoint, _ in there))
    raise MethodNotAllowed(f"{method} is not served here; {' and '.join(allowed)} are.", allowed=allowed)


def _fits(form: list[bytes], parts: list[bytes]) -> str | None:
    """The id in a path of that form, or an empty one; None where the path has another form."""
    if len(form) != len(parts):
        return None
    found = ""
    for want, part in zip(form, parts, strict=True):
        if want == b"{id}" and _ID.fullmatch(part):
            found = part.decode("ascii")
        elif want != part:
            return None
    return found
