"""An office for tests: on memory stores, with a clock that the test moves, and a ring of keys that follows it."""

import hashlib
from collections.abc import Mapping, Sequence
from itertools import count
from types import TracebackType
from typing import Any, Self

from forehearth.admin.audit import Audit
from forehearth.admin.backends import Backends
from forehearth.admin.enrichments import KIND, Enrichments
from forehearth.admin.key_scope import KeyScope, Tenant
from forehearth.admin.keys import IssuedKey, Keys, KeyTools
from forehearth.admin.office import Office
from forehearth.admin.role_assignments import RoleAssignments, RoleTools
from forehearth.admin.role_scope import Holders, RoleScope
from forehearth.admin.runs import Runs
from forehearth.config.problems import Problem
from forehearth.connections.service import Connections
from forehearth.core.audit import AuditQuery, AuditRecord
from forehearth.core.backend_state import BackendState
from forehearth.core.document import StoreFailed
from forehearth.core.identity_settings import AssignmentSettings
from forehearth.core.permission import CONTROL
from forehearth.core.place import Place
from forehearth.core.principal import Grant, Principal
from forehearth.core.secret import Secret
from forehearth.documents.repository import Documents
from forehearth.documents.watch import Watch
from forehearth.identity.assignment_records import AssignmentRecord
from forehearth.identity.assignments import Assignments
from forehearth.identity.keys import KeyRing
from forehearth.identity.stored import StoredIdentities
from forehearth.jobs.desk import Jobs
from forehearth.server.run_kinds import RUN_KINDS
from forehearth.stores.memory import MemoryAudit, MemoryDocuments
from forehearth.stores.memory_jobs import MemoryJobs
from forehearth.testing.clock import VirtualClock
from tests.families import sealer
from tests.unit.identity.keyed import DEVELOPMENT, OTHER, PEPPER, RESOURCE, head

TENANTS = {
    RESOURCE: Tenant(
        deployments=frozenset({"chat", "vectors"}),
        routes={"default": "chat"},
        projects=frozenset({"default", "sales"}),
        products=frozenset({"gold", "lab"}),
    ),
    OTHER: Tenant(deployments=frozenset({"chat"}), routes={}, projects=frozenset({"default"})),
}


def owner(resource: str = RESOURCE, **rest: Any) -> Principal:
    """A person whose role is Owner there."""
    grant = Grant(place=Place(resource=resource), permissions=CONTROL, assigns=None)
    return Principal(**{"name": "maria@example.com", "kind": "user", "id": "oid-1", "grants": (grant,)} | rest)


CONFIGURED = (
    AssignmentSettings(role="Owner", user="root", issuer="one"),
    AssignmentSettings(role="Foundry User", group="staff", issuer="one", project="sales"),
    AssignmentSettings(role="Reader", user="root", issuer="one", resource=OTHER),
)
DIRECTORY = "aaaaaaaa-0000-4000-8000-00000000000a"
HOLDERS = Holders(
    issuers=("entra", "one"),
    directories=frozenset({DIRECTORY}),
    development={"user": {"developer": "dev-oid", "dev-oid": "dev-oid"}, "app_role": {"tester": "tester"}},
)


class Away(MemoryAudit):
    """A log that cannot be written."""

    async def append(self, records: Sequence[AuditRecord]) -> None:
        raise StoreFailed("the disk is full")


class TestOffice:
    """The office and what is around it: an async context manager."""

    __test__ = False

    def __init__(self, documents: MemoryDocuments | None = None, log: MemoryAudit | None = None) -> None:
        self.clock = VirtualClock()
        self.documents = documents or MemoryDocuments()
        self.jobs = MemoryJobs(self.clock)
        self.log = log or MemoryAudit()
        products = {RESOURCE: {"gold": None, "lab": frozenset({"chat"})}}
        self.ring = KeyRing(PEPPER, development=Secret(DEVELOPMENT), resources=list(TENANTS), products=products)
        self.assignments = Assignments(CONFIGURED, default=RESOURCE, issuers=HOLDERS.issuers)
        self.forgotten = 0
        """How often holders of tokens had to be asked anew."""
        stored = StoredIdentities(self.ring, self.assignments, self._forget)
        self.watch = Watch(self.documents, stored.followed, self.clock, what="keys")
        self._numbers = count(1)
        tools = KeyTools(clock=self.clock, random_bytes=self._random, pepper=PEPPER, spread=self.watch.refresh)
        self.keys = Keys(self.documents, tools)
        role_tools = RoleTools(
            clock=self.clock, spread=self.watch.refresh, holders=HOLDERS, configured=self.assignments.configured
        )
        self.roles = RoleAssignments(self.documents, self.keys, role_tools)
        self.audit = Audit(self.log, self.clock, sleep=self.clock.sleep)
        self.problems: list[Problem] = []
        """What is wrong with jobs of enrichment."""
        self.enrichments = Enrichments(
            Jobs(self.jobs, KIND),
            Documents(self.documents, KIND, new_id=lambda: "", clock=self.clock),
            self._check,
            nudge=lambda: None,
            clock=self.clock,
            kept_days=1,
        )
        self.backends: dict[str, list[BackendState]] = {}
        """By resource."""
        self.office = Office(
            keys=self.keys,
            roles=self.roles,
            audit=self.audit,
            connections=Connections(self.documents, {}, sealer(), self.clock),
            runs=Runs(self.documents, self.jobs, RUN_KINDS, self.clock),
            tenants=TENANTS,
            default=RESOURCE,
            clock=self.clock,
            enrichments=self.enrichments,
            backends=Backends(states=lambda name: self.backends.get(name, []), worker=0, workers=2),
        )

    async def _check(self, _: str, __: Mapping[str, Any]) -> list[Problem]:
        return self.problems

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

    async def assign(
        self, role: str, maker: Principal | None = None, *, resource: str = RESOURCE, **scope: Any
    ) -> AssignmentRecord:
        """Have a role assigned; to a user of the issuer `one`, unless said otherwise."""
        wanted = {"principal_type": "user", "principal_id": "u"} | scope
        if wanted["principal_type"] != "key":
            wanted = {"issuer": "one"} | wanted
        return await self.roles.assign(
            maker or owner(resource), resource, TENANTS[resource], RoleScope(role=role, **wanted)
        )

    def principal(self, key: Secret, resource: str = RESOURCE, **rest: Any) -> Principal | None:
        """Who calls with a key, as far as the ring knows."""
        return self.ring.identify(head(key.reveal(), **rest), resource, self.clock.unix())

    async def records(self, **query: Any) -> list[AuditRecord]:
        """The audit log, newest first."""
        assert await self.audit.flush()
        return await self.log.page(AuditQuery(**query))

    def _forget(self) -> None:
        self.forgotten += 1

    def _random(self, size: int) -> bytes:
        return hashlib.blake2b(str(next(self._numbers)).encode(), digest_size=size).digest()
