"""What a key may be limited to: checked against what there is, and against the key that makes it."""

import re
from collections.abc import Collection, Mapping

import msgspec

from forehearth.config.nearest import suggestion
from forehearth.core.call import Operation
from forehearth.core.errors import InvalidField, PermissionDenied
from forehearth.identity.key_records import KeyRecord
from forehearth.identity.key_text import masked
from forehearth.identity.networks import Networks

ID_PREFIX = "key_"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_MOST = 100
"""Entries of one list."""
_LATEST = 253_402_300_799
"""The last second of the year 9999."""


class Tenant(msgspec.Struct, frozen=True, kw_only=True):
    """What a resource has that a key can be limited to."""

    deployments: frozenset[str]
    routes: Mapping[str, str]
    """Names that stand for a deployment; a key is limited to deployments alone."""
    projects: frozenset[str]
    products: frozenset[str] = frozenset()


class KeyScope(msgspec.Struct, frozen=True, kw_only=True):
    """Who a key is for and what it opens; None is no bound."""

    name: str
    admin: bool = False
    enrich: bool = False
    deployments: tuple[str, ...] | None = None
    operations: tuple[str, ...] | None = None
    projects: tuple[str, ...] | None = None
    networks: tuple[str, ...] | None = None
    product: str | None = None
    expires: int | None = None
    roles_only: bool = False


def check(scope: KeyScope, tenant: Tenant, now: float) -> KeyScope:
    """The scope in its plain form. Raises `InvalidField`, which names the member and the remedy."""
    _check_name(scope.name)
    _check_end(scope.expires, now)
    return msgspec.structs.replace(
        scope,
        deployments=_deployments(scope.deployments, tenant),
        operations=_known(scope.operations, "operations", [each.value for each in Operation]),
        projects=_known(scope.projects, "projects", tenant.projects),
        networks=_networks(scope.networks),
        product=_product(scope.product, tenant),
    )


def beyond(wanted: KeyRecord, maker: KeyRecord, until: float, *, roles: bool = True) -> list[str]:
    """In what a key may do more than the key that makes it. `until` is when that ends.

    `roles` says whether what its roles allow is within what the other one's do.
    """
    return [
        name
        for name, fits in (
            ("admin", maker.admin or not wanted.admin),
            ("enrich", maker.admin or maker.enrich or not wanted.enrich),
            ("deployments", _is_within(wanted.deployments, maker.deployments)),
            ("operations", _is_within(wanted.operations, maker.operations)),
            ("projects", _is_within(wanted.projects, maker.projects)),
            ("networks", _networks_within(wanted.networks, maker.networks)),
            ("product", maker.product in (None, wanted.product)),
            ("expires", _ends(wanted) <= min(_ends(maker), until)),
            ("roles", roles),
        )
        if not fits
    ]


def require_within(wanted: KeyRecord, maker: KeyRecord, until: float, *, roles: bool = True) -> None:
    """Pass a key that may do no more than the key that makes it, or gives it a new text. Raises `PermissionDenied`."""
    found = beyond(wanted, maker, until, roles=roles)
    if found:
        raise PermissionDenied(
            f"The key `{maker.id}` cannot give what it does not have: the other one goes beyond it in "
            f"{', '.join(found)}. Limit it as this one is, or use a key without these limits."
        )


def _check_name(name: str) -> None:
    if _NAME.fullmatch(name) is None or name.startswith(ID_PREFIX):
        raise InvalidField(
            "Invalid value for 'name': it must be at most 128 letters, digits, '.', '_' and '-', begin with a letter "
            f"or a digit, and not with '{ID_PREFIX}', as ids do.",
            param="name",
        )
    if masked(name) != name:
        raise InvalidField(
            "Invalid value for 'name': it looks like a key; names are shown, keys are not.", param="name"
        )


def _check_end(expires: int | None, now: float) -> None:
    if expires is not None and not now < expires <= _LATEST:
        raise InvalidField(
            "Invalid value for 'expires': it must be in the future; leave it out for no end.", param="expires"
        )


def _deployments(given: tuple[str, ...] | None, tenant: Tenant) -> tuple[str, ...] | None:
    for name in given or ():
        if name in tenant.routes and name not in tenant.deployments:
            raise InvalidField(
                f"Invalid value for 'deployments': '{name}' is a route; name the deployment that it stands for, "
                f"'{tenant.routes[name]}'.",
                param="deployments",
            )
    return _known(given, "deployments", tenant.deployments)


def _product(given: str | None, tenant: Tenant) -> str | None:
    if given is not None:
        _known((given,), "product", tenant.products)
    return given


def _known(given: tuple[str, ...] | None, member: str, there: Collection[str]) -> tuple[str, ...] | None:
    if given is None:
        return None
    _check_length(given, member)
    for name in given:
        if name not in there:
            hint = suggestion(name, sorted(there), "there are") or "there are none"
            raise InvalidField(f"Invalid value for '{member}': there is no '{name[:100]}'; {hint}.", param=member)
    return tuple(dict.fromkeys(given))


def _networks(given: tuple[str, ...] | None) -> tuple[str, ...] | None:
    if given is None:
        return None
    _check_length(given, "networks")
    try:
        return Networks.read(each[:100] for each in given).texts()
    except ValueError as error:
        raise InvalidField(f"Invalid value for 'networks': {error}.", param="networks") from None


def _check_length(given: tuple[str, ...], member: str) -> None:
    if not given:
        raise InvalidField(f"Invalid value for '{member}': it is empty; leave it out for no bound.", param=member)
    if len(given) > _MOST:
        raise InvalidField(f"Invalid value for '{member}': it has more than {_MOST} entries.", param=member)


def _is_within(inner: tuple[str, ...] | None, outer: tuple[str, ...] | None) -> bool:
    return outer is None or (inner is not None and set(inner) <= set(outer))


def _networks_within(inner: tuple[str, ...] | None, outer: tuple[str, ...] | None) -> bool:
    return outer is None or (inner is not None and Networks.read(outer).cover(Networks.read(inner)))


def _ends(record: KeyRecord) -> float:
    return float("inf") if record.expires is None else record.expires
