"""Where operators' wishes go: the keys, the audit log, and what each resource has."""

from collections.abc import Mapping

import msgspec

from forehearth.admin.audit import Audit
from forehearth.admin.key_scope import Tenant
from forehearth.admin.keys import Keys
from forehearth.core.clock import Clock
from forehearth.core.principal import Principal


class Office(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is administered here."""

    keys: Keys
    audit: Audit
    tenants: Mapping[str, Tenant]
    """By resource."""
    default: str
    """The resource that is meant when none is named."""
    clock: Clock


class Actor(msgspec.Struct, frozen=True, kw_only=True):
    """Who wishes something, and in which request."""

    principal: Principal
    request_id: str
