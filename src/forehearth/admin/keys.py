"""Keys as operators see them: made, given a new secret, ended.

What callers send leaves here once and is kept nowhere. A record is kept under its name, so that no two of a resource
have the same; its id is for those who mean this one key and not the next of that name.
"""

from collections.abc import Awaitable, Callable, Sequence

import msgspec

from forehearth.admin.assignment_documents import AssignmentDocuments
from forehearth.admin.key_scope import ID_PREFIX, KeyScope, Tenant, check, require_within
from forehearth.core.call import Operation
from forehearth.core.clock import Clock
from forehearth.core.document import Document
from forehearth.core.errors import Conflict, NotAuthenticated, NotFound, PreconditionFailed
from forehearth.core.place import Place
from forehearth.core.principal import Principal
from forehearth.core.secret import Secret
from forehearth.documents.repository import Documents, Listing, Order
from forehearth.identity.key_records import KIND, MOST_SECRETS, Digester, KeyRecord, KeySecret, decode, encode, read
from forehearth.identity.key_text import hint, new_key
from forehearth.identity.keys import DEVELOPMENT
from forehearth.identity.roles import Role
from forehearth.ports.documents import DocumentStore

_TRIES = 3
_ID_BYTES = 16
_SECRET_ID_BYTES = 6


class KeyTools(msgspec.Struct, frozen=True, kw_only=True):
    """What keys are made of and with."""

    clock: Clock
    random_bytes: Callable[[int], bytes]
    pepper: bytes
    spread: Callable[[], Awaitable[None]]
    """Returns when a change has reached every worker, as far as that can be known."""


class IssuedKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key, and its newest secret, as callers send it."""

    record: KeyRecord
    key: Secret


class KeyPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some of a resource's keys, the newest first."""

    records: tuple[KeyRecord, ...]
    after: str | None
    """What the next page comes after; None on the last one."""


class Keys:
    """The keys of all resources. Where a key is asked for, its id will do, and its name."""

    def __init__(self, store: DocumentStore, tools: KeyTools) -> None:
        self._tools = tools
        self._digest = Digester(tools.pepper)
        self._documents = Documents(store, KIND, new_id=self._new_id, clock=tools.clock)
        self._assignments = AssignmentDocuments(store, tools.clock)

    async def page(self, resource: str, order: Order, name: str | None = None) -> KeyPage:
        """A resource's keys. Raises `InvalidField`."""
        wanted = None if name is None else {"name": name}
        found = await self._documents.list(Place(resource=resource), order, metadata=wanted)
        records = tuple(each for document in found.documents if (each := read(document)) is not None)
        return KeyPage(records=records, after=found.last_id if found.has_more else None)

    async def get(self, resource: str, key: str) -> KeyRecord:
        """One of them. Raises `NotFound`."""
        return decode((await self._find(resource, key)).body)

    async def create(self, maker: Principal, resource: str, tenant: Tenant, scope: KeyScope) -> IssuedKey:
        """Make a key. Raises `InvalidField`, `Conflict` where the name is taken, or `PermissionDenied`."""
        now = self._tools.clock.unix()
        wanted = check(scope, tenant, now)
        text, secret = self._new_secret(int(now))
        record = KeyRecord(
            id=self._new_id(),
            name=wanted.name,
            resource=resource,
            admin=wanted.admin,
            enrich=wanted.enrich,
            deployments=wanted.deployments,
            operations=None if wanted.operations is None else tuple(map(Operation, wanted.operations)),
            projects=wanted.projects,
            networks=wanted.networks,
            product=wanted.product,
            roles_only=wanted.roles_only,
            expires=wanted.expires,
            created=int(now),
            secrets=(secret,),
        )
        await self.require_within(maker, record, ())
        try:
            await self._documents.create(
                Place(resource=resource),
                encode(record),
                id=record.name,
                metadata={"name": record.name, "id": record.id},
            )
        except Conflict:
            raise Conflict(
                f"There is a key '{record.name}' already: rotate it, revoke it, or choose another name.", param="name"
            ) from None
        await self._tools.spread()
        return IssuedKey(record=record, key=text)

    async def rotate(self, maker: Principal, resource: str, key: str, *, overlap: int, at_once: bool) -> IssuedKey:
        """Give a key a new secret. The one before goes on for `overlap` seconds; `at_once` every older one ends.

        Raises `NotFound`, `PermissionDenied`, or `Conflict` where two secrets are good and it is not `at_once`.
        """
        now = self._tools.clock.unix()
        text, secret = self._new_secret(int(now))

        def turn(record: KeyRecord) -> KeyRecord:
            if record.expires is not None and record.expires <= now:
                raise Conflict(f"The key '{record.name}' has expired: make another one.")
            older = () if at_once else _overlapping(record, now, overlap)
            return msgspec.structs.replace(record, secrets=(*older, secret))

        return IssuedKey(record=await self._change(maker, resource, key, turn), key=text)

    async def revoke(self, maker: Principal, resource: str, key: str, secret: str | None = None) -> KeyRecord:
        """End a key, or with `secret` that one of its secrets; the key, too, when it is the last. Returns what it was.

        Raises `NotFound`, `NotAuthenticated`, or `PreconditionFailed` where others change it again and again.
        """
        for tries_left in range(_TRIES - 1, -1, -1):
            document = await self._find(resource, key)
            record = decode(document.body)
            await self.known(maker, record.resource)
            if secret is not None and all(each.id != secret for each in record.secrets):
                raise NotFound(f"The key '{record.name}' has no secret '{secret[:64]}'.", param="secret")
            if secret is not None and len(record.secrets) > 1:
                await self._change(None, resource, record.id, lambda found: _without(found, secret))
                return record
            try:
                await self._documents.delete(document.place, document.id, etag=document.etag)
                break
            except PreconditionFailed:  # it was given a secret meanwhile, or it is another one of that name
                if not tries_left:
                    raise
        await self._assignments.forget(record)
        await self._tools.spread()
        return record

    async def confine(self, key: KeyRecord) -> bool:
        """Have a key open what its roles allow and no more, from now on and for good; whether it did not before.

        Who calls this tells the workers. Raises `NotFound` where it was ended meanwhile.
        """
        if key.roles_only:
            return False
        await self._write(None, key.resource, key.id, lambda found: msgspec.structs.replace(found, roles_only=True))
        return True

    async def require_within(self, maker: Principal, wanted: KeyRecord, given: Sequence[Role]) -> None:
        """Pass a key that may do no more than the key that it is made or changed with, with the roles that are `given`.

        People and applications are asked for their role alone. Raises `PermissionDenied`.
        """
        own = await self.known(maker, wanted.resource)
        if own is None:
            return
        fits = not own.roles_only or wanted.inference(given) <= own.inference(await self._assignments.roles_of(own))
        require_within(wanted, own, maker.until, roles=fits)

    async def known(self, maker: Principal, resource: str) -> KeyRecord | None:
        """The record of the key that somebody works with, as it is now; None where it is not one of ours.

        Raises `NotAuthenticated` where it was ended meanwhile.
        """
        if maker.kind != "key" or maker.id == DEVELOPMENT:
            return None
        try:
            return await self.get(resource, maker.id)
        except NotFound:
            raise NotAuthenticated("The key that was used was revoked meanwhile.") from None

    async def _change(
        self, maker: Principal | None, resource: str, key: str, turn: Callable[[KeyRecord], KeyRecord]
    ) -> KeyRecord:
        """Write a key anew, as `turn` makes it of what it is at that moment, and tell the workers."""
        record = await self._write(maker, resource, key, turn)
        await self._tools.spread()
        return record

    async def _write(
        self, maker: Principal | None, resource: str, key: str, turn: Callable[[KeyRecord], KeyRecord]
    ) -> KeyRecord:
        for tries_left in range(_TRIES - 1, -1, -1):
            document = await self._find(resource, key)
            record = turn(decode(document.body))
            if maker is not None:
                await self.require_within(maker, record, await self._assignments.roles_of(record))
            try:
                changed = msgspec.structs.replace(document, body=encode(record))
                await self._documents.update(changed, etag=document.etag)
                break
            except PreconditionFailed:
                if not tries_left:
                    raise
        return record

    async def _find(self, resource: str, key: str) -> Document:
        place = Place(resource=resource)
        if not key.startswith(ID_PREFIX):
            return await self._documents.get(place, key)
        found: Listing = await self._documents.list(place, Order(limit=1), metadata={"id": key})
        if not found.documents:
            raise NotFound(f"There is no key '{key[:64]}'.")
        return found.documents[0]

    def _new_id(self) -> str:
        return ID_PREFIX + self._tools.random_bytes(_ID_BYTES).hex()

    def _new_secret(self, now: int) -> tuple[Secret, KeySecret]:
        key = new_key(self._tools.random_bytes)
        return key, KeySecret(
            id=self._tools.random_bytes(_SECRET_ID_BYTES).hex(),
            digest=self._digest(key.reveal().encode()).hex(),
            hint=hint(key),
            created=now,
        )


def _overlapping(record: KeyRecord, now: float, overlap: int) -> tuple[KeySecret, ...]:
    """The secrets that go on beside a new one. Raises `Conflict` where there are too many."""
    live = record.live(now)
    if len(live) >= MOST_SECRETS:
        until = min(each.expires or 0 for each in live[:-1])
        raise Conflict(
            f"The key '{record.name}' has {MOST_SECRETS} secrets that are good, the older one for "
            f"{until - int(now)} more seconds: wait, or end them with 'now': true.",
            param="now",
        )
    if not overlap:
        return ()
    end = int(now) + overlap
    return tuple(
        msgspec.structs.replace(each, expires=end if each.expires is None else min(each.expires, end)) for each in live
    )


def _without(record: KeyRecord, secret: str) -> KeyRecord:
    return msgspec.structs.replace(record, secrets=tuple(each for each in record.secrets if each.id != secret))
