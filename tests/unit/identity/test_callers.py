"""What the holder of a token may do is remembered with the token, until somebody's roles change."""

from forehearth.core.exchange import Head
from forehearth.core.permission import Permission
from forehearth.core.place import Place
from forehearth.core.principal import Grant
from forehearth.identity.callers import Callers
from forehearth.identity.claims import Claims
from forehearth.testing.clock import VirtualClock
from tests.unit.identity.keyed import NOW, OTHER, RESOURCE, record, ring
from tests.unit.identity.keyed import head as key_head

CLAIMS = Claims(issuer="one", id="u", kind="user", name="u", expires=2e9)


class Tokens:
    """Knows one token, and says the same of it each time."""

    forgotten = False

    def verify(self, token):
        return CLAIMS

    def known(self, token):
        return None if self.forgotten else CLAIMS


class Roles:
    """Counts who asks."""

    def __init__(self):
        self.asked = 0
        self.permissions = frozenset({Permission.CHAT})

    def grants_of(self, claims):
        self.asked += 1
        return {RESOURCE: (Grant(place=Place(resource=RESOURCE), permissions=self.permissions),)}


def test_it_is_asked_once_for_a_token_and_anew_when_roles_changed():
    roles = Roles()
    callers = Callers(ring(), Tokens(), roles.grants_of, VirtualClock())
    head = Head(method=b"GET", raw_path=b"/", headers={b"authorization": b"Bearer eyJ.a.b"})

    def may(permission, resource=RESOURCE):
        return callers.identify(head, resource, keys=True).may(permission, Place(resource=resource))

    assert [may(Permission.CHAT) for _ in range(3)] == [True] * 3
    assert not may(Permission.CHAT, OTHER)
    assert roles.asked == 2
    roles.permissions = frozenset({Permission.EMBEDDINGS})
    callers.forget()
    assert not may(Permission.CHAT)
    assert may(Permission.EMBEDDINGS)
    assert roles.asked == 3


def callers_of(keys, clock, tokens=None):
    return Callers(keys, tokens or Tokens(), Roles().grants_of, clock)


async def test_a_holder_of_a_key_is_still_the_same_until_the_key_is_not():
    made, clock = ring(record("k" * 20, expires=NOW + 10), record("q" * 20, id="key-2")), VirtualClock(unix=NOW)
    callers, head = callers_of(made, clock), key_head("k" * 20)
    holder = callers.identify(head, RESOURCE, keys=True)
    assert callers.still(holder, head, RESOURCE, keys=True)
    assert not callers.still(holder, head, RESOURCE, keys=False)
    assert not callers.still(holder, head, OTHER, keys=True)
    assert not callers.still(holder, key_head("q" * 20), RESOURCE, keys=True)
    await clock.advance(11)
    assert not callers.still(holder, head, RESOURCE, keys=True)


def test_a_key_that_was_revoked_or_changed_has_nobody_any_more():
    made, clock = ring(record("k" * 20)), VirtualClock(unix=NOW)
    callers, head = callers_of(made, clock), key_head("k" * 20)
    holder = callers.identify(head, RESOURCE, keys=True)
    made.replace([record("k" * 20, deployments=("one",))])
    assert not callers.still(holder, head, RESOURCE, keys=True)
    made.replace([])
    assert not callers.still(holder, head, RESOURCE, keys=True)


def test_a_key_from_elsewhere_has_nobody():
    made = ring(record("k" * 20, networks=("10.0.0.0/8",)))
    callers = callers_of(made, VirtualClock(unix=NOW))
    holder = callers.identify(key_head("k" * 20, client="10.1.1.1"), RESOURCE, keys=True)
    assert callers.still(holder, key_head("k" * 20, client="10.1.1.1"), RESOURCE, keys=True)
    assert not callers.still(holder, key_head("k" * 20, client="192.0.2.1"), RESOURCE, keys=True)


def test_a_holder_of_a_token_is_still_the_same_while_it_is_known_and_roles_are_as_they_were():
    tokens = Tokens()
    callers = callers_of(ring(), VirtualClock(unix=NOW), tokens)
    head = Head(method=b"GET", raw_path=b"/", headers={b"authorization": b"Bearer eyJ.a.b"})
    holder = callers.identify(head, RESOURCE, keys=True)
    assert callers.still(holder, head, RESOURCE, keys=True)
    callers.forget()
    assert not callers.still(holder, head, RESOURCE, keys=True)
    holder = callers.identify(head, RESOURCE, keys=True)
    tokens.forgotten = True
    assert not callers.still(holder, head, RESOURCE, keys=True)
    assert not callers.still(holder, Head(method=b"GET", raw_path=b"/"), RESOURCE, keys=True)
