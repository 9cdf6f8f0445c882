"""An office for tests: on memory stores, with a clock that the test moves, and a ring of keys that follows it."""

import hashlib
from itertools import count
from types import TracebackType
from typing import Any, Self

from forehearth.admin.audit import Audit
from forehearth.admin.key_scope import KeyScope, Tenant
from forehearth.admin.keys import IssuedKey, Keys, KeyTools
from forehearth.admin.office import Office
from forehearth.core.audit import AuditQuery, AuditRecord
from forehearth.core.permission import Permission
from forehearth.core.place import Place
from forehearth.core.principal import Grant, Principal
from forehearth.core.secret import Secret
from forehearth.identity.key_watch import KeyWatch
from forehearth.identity.keys import KeyRing
from forehearth.stores.memory import MemoryAudit, MemoryDocuments
from forehearth.testing.clock import VirtualClock
from tests.unit.identity.keyed import DEVELOPMENT, OTHER, PEPPER, RESOURCE, head

TENANTS = {
    RESOURCE: Tenant(
        deployments=frozenset({"chat", "vectors"}), routes={"default": "chat"}, projects=frozenset({"default", "sales"})
    ),
    OTHER: Tenant(deployments=frozenset({"chat"}), routes={}, projects=frozenset({"default"})),
}


def owner(resource: str = RESOURCE, **rest: Any) -> Principal:
    """A person whose role is Owner there."""
    grant = Grant(place=Place(resource=resource), permissions=frozenset({Permission.ADMINISTER}))
    return Principal(**{"name": "maria@example.com", "kind": "user", "id": "oid-1", "grants": (grant,)} | rest)


class TestOffice:
    """The office and what is around it: an async context manager."""

    __test__ = False

    def __init__(self, documents: MemoryDocuments | None = None, log: MemoryAudit | None = None) -> None:
        self.clock = VirtualClock()
        self.documents = documents or MemoryDocuments()
        self.log = log or MemoryAudit()
        self.ring = KeyRing(PEPPER, development=Secret(DEVELOPMENT), resources=list(TENANTS))
        self.watch = KeyWatch(self.documents, self.ring, self.clock)
        self._numbers = count(1)
        tools = KeyTools(clock=self.clock, random_bytes=self._random, pepper=PEPPER, spread=self.watch.refresh)
        self.keys = Keys(self.documents, tools)
        self.audit = Audit(self.log, self.clock, sleep=self.clock.sleep)
        self.office = Office(keys=self.keys, audit=self.audit, tenants=TENANTS, default=RESOURCE, clock=self.clock)

    async def __aenter__(self) -> Self:
        await self.audit.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.audit.__aexit__(kind, error, trace)

    async def make(self, maker: Principal | None = None, *, resource: str = RESOURCE, **scope: Any) -> IssuedKey:
        """Have a key made."""
        wanted = KeyScope(**{"name": "shop"} | scope)
        return await self.keys.create(maker or owner(resource), resource, TENANTS[resource], wanted)

    def principal(self, key: Secret, resource: str = RESOURCE, **rest: Any) -> Principal | None:
        """Who calls with a key, as far as the ring knows."""
        return self.ring.identify(head(key.reveal(), **rest), resource, self.clock.unix())

    async def records(self, **query: Any) -> list[AuditRecord]:
        """The audit log, newest first."""
        assert await self.audit.flush()
        return await self.log.page(AuditQuery(**query))

    def _random(self, size: int) -> bytes:
        return hashlib.blake2b(str(next(self._numbers)).encode(), digest_size=size).digest()
