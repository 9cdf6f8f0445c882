"""Where operators' wishes go: the keys, the role assignments, the audit log, and what each resource has."""

from collections.abc import Mapping

import msgspec

from forehearth.admin.audit import Audit
from forehearth.admin.backends import Backends
from forehearth.admin.cache import CacheOffice
from forehearth.admin.enrichments import Enrichments
from forehearth.admin.key_scope import Tenant
from forehearth.admin.keys import Keys
from forehearth.admin.role_assignments import RoleAssignments
from forehearth.admin.runs import Runs
from forehearth.admin.usage import LedgerOffice
from forehearth.connections.service import Connections
from forehearth.core.clock import Clock
from forehearth.core.principal import Principal


class Office(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is administered here."""

    keys: Keys
    roles: RoleAssignments
    audit: Audit
    runs: Runs
    connections: Connections
    tenants: Mapping[str, Tenant]
    """By resource."""
    default: str
    """The resource that is meant when none is named."""
    clock: Clock
    backends: Backends | None = None
    """None where no server works."""
    caches: CacheOffice | None = None
    """Likewise."""
    ledger: LedgerOffice | None = None
    """None where calls are not recorded."""
    enrichments: Enrichments | None = None
    """None where no server works."""


class Actor(msgspec.Struct, frozen=True, kw_only=True):
    """Who wishes something, and in which request."""

    principal: Principal
    request_id: str
