"""Keys, in every header form that clients of the surfaces send them.

`api-key: K`, `Authorization: Bearer K`, `x-api-key: K` and `Ocp-Apim-Subscription-Key: K` are accepted everywhere, and
several at once: some clients send the same key twice, others a dummy bearer beside the real `api-key`. A bearer that
has the form of a token is never taken for a key.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from hmac import compare_digest

from forehearth.core.errors import PermissionDenied
from forehearth.core.exchange import KEY_HEADERS, Head
from forehearth.core.permission import CONTROL
from forehearth.core.principal import Principal
from forehearth.core.secret import Secret
from forehearth.identity.key_records import INFERENCE, Digester, KeyRecord, grant
from forehearth.identity.networks import Networks
from forehearth.identity.roles import Role

_log = logging.getLogger("forehearth.identity")

DEVELOPMENT = "development"
"""The name and id of the development key."""
_BEARER = b"bearer "
_SCHEME = len(_BEARER)
_TOKEN_BEGINS = b"eyJ"
_TOKEN_DOTS = 2
_LONGEST = 4_096
_FROM_ELSEWHERE = (
    "Access denied due to Virtual Network/Firewall rules. This key is not taken from the address that it is used from."
)
_EVERYTHING = INFERENCE | CONTROL


class _Entry:
    """A key, and whose it is."""

    __slots__ = ("digest", "ends", "networks", "principal")

    def __init__(self, *, digest: bytes, principal: Principal, ends: float, networks: Networks | None = None) -> None:
        self.digest = digest
        self.principal = principal
        self.ends = ends
        self.networks = networks


_NOWHERE = ""
_EMPTY: Mapping[bytes, _Entry] = {}
Products = Mapping[str, frozenset[str] | None]
"""The products of a resource, and which deployments each has; None for all."""
_NO_PRODUCTS: Mapping[str, Products] = {}
_NO_ROLES: Mapping[str, Sequence[Role]] = {}


class KeyRing:
    """The keys that are known now, by resource. They are looked up by keyed hash, so time tells nothing of a near miss.

    It holds hashes and no key. The development key is in it from the beginning and opens every resource; it is known,
    and opens nothing, where there is none.
    """

    def __init__(
        self,
        pepper: bytes,
        *,
        development: Secret,
        resources: Sequence[str],
        products: Mapping[str, Products] = _NO_PRODUCTS,
    ) -> None:
        self._digest = Digester(pepper)
        self._products = products
        self._nobody = _Entry(digest=bytes(32), principal=Principal(name="nobody", kind="key"), ends=float("-inf"))
        digest = self._digest(development.reveal().encode())
        self._always = {name: {digest: _development(digest, name, resources)} for name in (*resources, _NOWHERE)}
        self._rings: Mapping[str, Mapping[bytes, _Entry]] = self._always

    def replace(self, records: Iterable[KeyRecord], given: Mapping[str, Sequence[Role]] = _NO_ROLES) -> None:
        """Know these from now on, and the development key, and no others. One that makes no sense opens nothing.

        `given` are the roles that were given to keys, by a key's id.
        """
        rings = {name: dict(ring) for name, ring in self._always.items()}
        for record in records:
            ring = rings.get(record.resource)
            if ring is None:
                continue
            try:
                deployments = self._deployments(record)
                entries = _entries(record, deployments, given.get(record.id, ()))
                ring.update([(each.digest, each) for each in entries])
            except ValueError as error:
                _log.error("the key %s cannot be used: %s", record.id, error)
        self._rings = rings

    def _deployments(self, record: KeyRecord) -> frozenset[str] | None:
        """What a key may call: what it is limited to, and its product has. Raises `ValueError` for no such product."""
        own = None if record.deployments is None else frozenset(record.deployments)
        if record.product is None:
            return own
        products = self._products.get(record.resource, {})
        if record.product not in products:
            raise ValueError(f"there is no product '{record.product}' in the configuration")
        bundle = products[record.product]
        return bundle if own is None else own if bundle is None else own & bundle

    def identify(self, head: Head, resource: str, now: float) -> Principal | None:
        """The holder of a key in `head`, as `resource` knows it; None where there is none, or none that is good.

        Raises `PermissionDenied` where a key is good, and is not used from one of its networks.
        """
        ring = self._rings.get(resource, _EMPTY)
        elsewhere: Principal | None = None
        for candidate in candidates(head.headers):
            digest = self._digest(candidate)
            entry = ring.get(digest, self._nobody)  # whose digest is compared, too: an unknown key takes as long
            if not compare_digest(digest, entry.digest) or now >= entry.ends:
                continue
            if entry.networks is None or entry.networks.have(head.client):
                return entry.principal
            elsewhere = entry.principal
        if elsewhere is not None:
            raise PermissionDenied(_FROM_ELSEWHERE, principal=elsewhere)
        return None


def candidates(headers: Mapping[bytes, bytes]) -> list[bytes]:
    """What could be a key, in `headers` (lower-case names)."""
    found = [value for name in KEY_HEADERS if (value := headers.get(name)) and len(value) <= _LONGEST]
    authorization = headers.get(b"authorization")
    if authorization is not None and authorization[:_SCHEME].lower() == _BEARER:
        bearer = authorization[_SCHEME:].strip()
        if bearer and len(bearer) <= _LONGEST and not _is_token(bearer):
            found.append(bearer)
    return found


def _is_token(bearer: bytes) -> bool:
    return bearer.startswith(_TOKEN_BEGINS) and bearer.count(b".") == _TOKEN_DOTS


def _development(digest: bytes, resource: str, resources: Sequence[str]) -> _Entry:
    """The development key as one resource knows it: its own grant is the first, and so the first that is asked."""
    order = sorted(resources, key=lambda each: each != resource)
    grants = tuple(grant(each, _EVERYTHING, assigns=None) for each in order)
    principal = Principal(name=DEVELOPMENT, kind="key", id=DEVELOPMENT, grants=grants)
    return _Entry(digest=digest, principal=principal, ends=float("inf"))


def _entries(record: KeyRecord, deployments: frozenset[str] | None, given: Sequence[Role]) -> Iterable[_Entry]:
    grants = record.grants(given)
    networks = None if record.networks is None else Networks.read(record.networks)
    for secret in record.secrets:
        ends = record.ends(secret)
        principal = Principal(
            name=record.name,
            kind="key",
            id=record.id,
            grants=grants,
            deployments=deployments,
            product=record.product or "",
            until=ends,
        )
        yield _Entry(digest=bytes.fromhex(secret.digest), principal=principal, ends=ends, networks=networks)
