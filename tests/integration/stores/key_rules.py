"""Keys of two tenants, by chance: what each of them opens, and until when, is what a dict says of it."""

import hashlib
from dataclasses import dataclass, field
from itertools import count
from random import Random

from hypothesis.stateful import rule

from forehearth.admin.key_scope import KeyScope, Tenant
from forehearth.admin.keys import IssuedKey, Keys, KeyTools
from forehearth.core.errors import Conflict, InvalidField, NotFound
from forehearth.core.principal import Principal
from forehearth.core.secret import Secret
from forehearth.documents.repository import Order
from forehearth.documents.watch import Watch
from forehearth.identity.assignments import Assignments
from forehearth.identity.key_records import KIND, MOST_SECRETS, KeyRecord
from forehearth.identity.keys import KeyRing
from forehearth.identity.stored import StoredIdentities
from tests.integration.stores.machine import StoreMachine, first, step
from tests.unit.identity.keyed import DEVELOPMENT, OTHER, PEPPER, RESOURCE, head

TENANT = Tenant(deployments=frozenset(), routes={}, projects=frozenset({"default"}))
OWNER = Principal(name="maria@example.com", kind="user", id="oid-1")
NAMES = tuple("abc")
"""Documents have these ids, too."""

RESOURCES = (RESOURCE, OTHER)
REFERENCES = (*NAMES, 0, 1, 2)
"""A name, or which of the ids that there have been."""
LASTING = (*[None] * 6, 0, 1, 5, 20)
"""Seconds from now."""
FIRST = 6
"""Keys that are tried to be made before anything else."""


@dataclass
class Key:
    """What is known of one key: when it ends, and when each of its secrets does; None for never."""

    id: str
    name: str
    expires: int | None
    secrets: dict[str, int | None] = field(default_factory=dict)

    def ends(self, secret: str) -> float:
        return min(float("inf") if end is None else end for end in (self.expires, self.secrets[secret]))

    def live(self, now: float) -> list[str]:
        return [each for each in self.secrets if now < self.ends(each)]


@dataclass(frozen=True)
class Text:
    """What a caller may send: of which secret it is."""

    key: Secret
    resource: str
    secret: str


class KeyRules(StoreMachine):
    """What operators do with keys, and who comes in with them: here at once, in another worker after its next look."""

    def __init__(self) -> None:
        super().__init__()
        self._numbers = count(1)
        (self._ring, self._watch), (self._other_ring, self._other_watch) = self._worker(), self._worker()
        tools = KeyTools(clock=self.clock, random_bytes=self._random, pepper=PEPPER, spread=self._watch.refresh)
        self._office = Keys(self.store, tools)
        self._keys: dict[tuple[str, str], Key] = {}
        """By resource and name, in the order in which they were made."""
        self._ids: dict[str, list[str]] = {RESOURCE: [], OTHER: []}
        """Every id there has been."""
        self._texts: list[Text] = []
        """Every text there has been."""
        self._opens_elsewhere: dict[tuple[str, str], tuple[str, float]] = {}

    @first
    def make_some(self, dice: Random) -> None:
        for _ in range(FIRST):
            self._make(dice)

    @step
    def make(self, dice: Random) -> None:
        self._make(dice)

    def _make(self, dice: Random) -> None:
        resource, name, lasts = dice.choice(RESOURCES), dice.choice(NAMES), dice.choice(LASTING)
        now = int(self.clock.unix())
        expires = None if lasts is None else now + lasts
        found = self.outcome(self._office.create(OWNER, resource, TENANT, KeyScope(name=name, expires=expires)))
        if lasts == 0:
            assert found is InvalidField
        elif (resource, name) in self._keys:
            assert found is Conflict
        else:
            assert isinstance(found, IssuedKey)
            assert found.record.id not in self._ids[resource]
            self._ids[resource].append(found.record.id)
            self._keys[resource, name] = Key(id=found.record.id, name=name, expires=expires)
            self._gave(resource, found, {})

    @step
    def rotate(self, dice: Random) -> None:
        resource, reference = self._some_key(dice)
        overlap, at_once = dice.choice((0, 3, 10, 10)), dice.random() < 0.3
        now = int(self.clock.unix())
        key = self._meant(resource, reference)
        found = self.outcome(
            self._office.rotate(OWNER, resource, self._as_asked(resource, reference), overlap=overlap, at_once=at_once)
        )
        if key is None:
            assert found is NotFound
            return
        live = key.live(now)
        if (key.expires is not None and key.expires <= now) or (len(live) >= MOST_SECRETS and not at_once):
            assert found is Conflict
            return
        assert isinstance(found, IssuedKey)
        end = now + overlap
        older = {} if at_once or not overlap else {each: min(key.secrets[each] or end, end) for each in live}
        self.seen["an older secret goes on"] += bool(older)
        self._gave(resource, found, older)

    @step
    def revoke(self, dice: Random) -> None:
        changing = [each for each, key in self._keys.items() if len(key.secrets) > 1]
        resource, reference = dice.choice(changing) if changing and dice.random() < 0.5 else self._some_key(dice)
        which = dice.choice((None, 0, 0, 1, "nobody's"))
        key = self._meant(resource, reference)
        secret = list(key.secrets)[which % len(key.secrets)] if key and isinstance(which, int) else which
        secret = None if secret is None else str(secret)
        found = self.outcome(self._office.revoke(OWNER, resource, self._as_asked(resource, reference), secret))
        if key is None or (secret is not None and secret not in key.secrets):
            assert found is NotFound
            return
        assert isinstance(found, KeyRecord)
        self._check(found, resource, key)
        if secret is not None and len(key.secrets) > 1:
            del key.secrets[secret]
            self.wrote(KIND, "a secret was ended")
        else:
            del self._keys[resource, key.name]
            self.wrote(KIND, "a key was ended")

    @step
    def show(self, dice: Random) -> None:
        resource, reference = self._some_key(dice)
        key = self._meant(resource, reference)
        found = self.outcome(self._office.get(resource, self._as_asked(resource, reference)))
        if key is None:
            assert found is NotFound
        else:
            assert isinstance(found, KeyRecord)
            self._check(found, resource, key)

    @step
    def list_by_pages(self, dice: Random) -> None:
        resource, limit = dice.choice(RESOURCES), dice.randint(1, 3)
        expected = [key for (owner, _), key in reversed(self._keys.items()) if owner == resource]
        found = self.run(self._walk_keys(resource, limit))
        assert [each.id for each in found] == [key.id for key in expected]
        for record, key in zip(found, expected, strict=True):
            self._check(record, resource, key)
        self.seen["several pages of keys"] += len(found) > limit

    @rule()
    def use_all(self) -> None:
        self._use(self._ring, self._opens())

    @rule()
    def use_all_in_another_worker(self) -> None:
        self._use(self._other_ring, self._opens_elsewhere)
        self.seen["another worker knows older keys"] += self._opens_elsewhere != self._opens()

    @rule()
    def another_worker_looks(self) -> None:
        self.run(self._other_watch.refresh())
        self._opens_elsewhere = self._opens()
        self._use(self._other_ring, self._opens_elsewhere)

    def _worker(self) -> tuple[KeyRing, Watch]:
        """What a worker knows keys by, and what tells it of them."""
        ring = KeyRing(PEPPER, development=Secret(DEVELOPMENT), resources=RESOURCES)
        stored = StoredIdentities(ring, Assignments((), default=RESOURCE), forget=lambda: None)
        return ring, Watch(self.store, stored.followed, self.clock, what="keys")

    def _use(self, ring: KeyRing, opens: dict[tuple[str, str], tuple[str, float]]) -> None:
        """Send every text there has been to both tenants: it opens the one that it is of, until it ends."""
        now = self.clock.unix()
        for text in self._texts:
            for resource in (RESOURCE, OTHER):
                id_, end = opens.get((resource, text.secret), ("", 0.0)) if resource == text.resource else ("", 0.0)
                found = ring.identify(head(text.key.reveal()), resource, now)
                assert (found.id if found else "") == (id_ if now < end else "")
                self.seen["let in" if found else "kept out"] += 1

    def _opens(self) -> dict[tuple[str, str], tuple[str, float]]:
        """For each resource and secret, the id of the key and the end."""
        return {
            (resource, secret): (key.id, key.ends(secret))
            for (resource, _), key in self._keys.items()
            for secret in key.secrets
        }

    def _gave(self, resource: str, issued: IssuedKey, older: dict[str, int | None]) -> None:
        """A key has a new secret, beside older ones."""
        key = self._keys[resource, issued.record.name]
        new = issued.record.secrets[-1].id
        key.secrets = {**older, new: None}
        self._check(issued.record, resource, key)
        self._texts.append(Text(key=issued.key, resource=resource, secret=new))
        self.wrote(KIND, "a key was given a secret")

    def _check(self, record: KeyRecord, resource: str, key: Key) -> None:
        assert (record.id, record.name, record.resource, record.expires) == (key.id, key.name, resource, key.expires)
        assert {each.id: each.expires for each in record.secrets} == key.secrets

    def _meant(self, resource: str, reference: str | int) -> Key | None:
        """The key that a reference means in a resource."""
        asked = self._as_asked(resource, reference)
        mine = (key for (owner, _), key in self._keys.items() if owner == resource)
        return next((key for key in mine if asked in (key.id, key.name)), None)

    def _some_key(self, dice: Random) -> tuple[str, str | int]:
        """One that there is, mostly."""
        if self._keys and dice.random() < 0.7:
            return dice.choice(list(self._keys))
        return dice.choice(RESOURCES), dice.choice(REFERENCES)

    def _as_asked(self, resource: str, reference: str | int) -> str:
        """The newest ids are the first. An id of the other resource is there, too, and nobody's."""
        if isinstance(reference, str):
            return reference
        known = [*self._ids[OTHER if resource == RESOURCE else RESOURCE][-1:], *self._ids[resource]][::-1]
        return known[reference] if reference < len(known) else "key_nobodys"

    async def _walk_keys(self, resource: str, limit: int) -> list[KeyRecord]:
        found: list[KeyRecord] = []
        after, more = None, True
        while more:
            page = await self._office.page(resource, Order(limit=limit, after=after))
            found += page.records
            assert len(found) <= len(NAMES), "it goes round"
            after, more = page.after, page.after is not None
        return found

    def _random(self, size: int) -> bytes:
        return hashlib.blake2b(str(next(self._numbers)).encode(), digest_size=size).digest()
