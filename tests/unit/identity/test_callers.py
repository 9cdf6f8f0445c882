"""What the holder of a token may do is remembered with the token, until somebody's roles change."""

from forehearth.core.exchange import Head
from forehearth.core.permission import Permission
from forehearth.core.place import Place
from forehearth.core.principal import Grant
from forehearth.identity.callers import Callers
from forehearth.identity.claims import Claims
from forehearth.testing.clock import VirtualClock
from tests.unit.identity.keyed import OTHER, RESOURCE, ring

CLAIMS = Claims(issuer="one", id="u", kind="user", name="u", expires=2e9)


class Tokens:
    """Knows one token, and says the same of it each time."""

    def verify(self, token):
        return CLAIMS


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
