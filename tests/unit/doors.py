"""A gateway without a network: real surfaces, routing and policies around a model host that the test plays."""

import json
from collections.abc import Awaitable
from typing import Any

from forehearth.core.errors import NotAuthenticated
from forehearth.core.exchange import Head, Reply
from forehearth.core.permission import Permission
from forehearth.core.place import Place
from forehearth.core.principal import Grant, Principal
from forehearth.core.refusal import Refusal
from forehearth.core.settings import ModelSettings
from forehearth.core.upstream import Request, Response
from forehearth.core.usage import Usage
from forehearth.gateway.admitted import Admitted
from forehearth.gateway.arrival import Gateway
from forehearth.gateway.parts import Parts, Resource
from forehearth.policies.onion import compose
from forehearth.policies.usage import CountUsage
from forehearth.ports.keep import Keep
from forehearth.providers.openai_compatible import OpenAICompatible, OpenAICompatibleSettings
from forehearth.routing.attempts import Attempts
from forehearth.routing.deployment import Backend, Deployment
from forehearth.routing.directory import Directory
from forehearth.routing.pool import Pool
from forehearth.routing.routes import Route
from forehearth.testing.clock import VirtualClock
from forehearth.wire.surfaces import NONE, Families, surface_of

KEY = "fh-test-key-0123456789"
RESOURCE = "here"


def principal(*permissions: Permission, project: str = "", **rest: Any) -> Principal:
    """Somebody who may do these things, or everything when none is named."""
    grant = Grant(place=Place(resource=RESOURCE, project=project), permissions=frozenset(permissions or Permission))
    return Principal(**{"name": "somebody", "kind": "user", "id": "oid-1", "grants": (grant,)} | rest)


class Unmetered:
    """A `PoolMeter` that nobody reads."""

    def ejected(self, backend: str, model: str) -> None:
        """Not looked at."""

    def retried(self, *, allowed: bool) -> None:
        """Not looked at."""

    def spilled(self) -> None:
        """Not looked at."""


class Known:
    """An identity that knows one key, and tokens by their text; what is in `later` it has to think about."""

    def __init__(self, tokens: dict[str, Principal] | None = None, *, key: Principal | None = None) -> None:
        self.tokens = tokens or {}
        self.key = key or principal(name="key", kind="key")
        self.later: set[str] = set()

    def identify(self, head: Head, resource: str, *, keys: bool) -> Principal | Awaitable[Principal]:
        assert resource == RESOURCE
        names = (b"api-key", b"x-api-key", b"ocp-apim-subscription-key")
        scheme, _, bearer = head.headers.get(b"authorization", b"").partition(b" ")
        given = [head.headers[name] for name in names if name in head.headers]
        given += [bearer.strip()] if scheme.lower() == b"bearer" else []
        if keys and KEY.encode() in given:
            return self.key
        found = self.tokens.get(bearer.decode())
        if found is None:
            raise NotAuthenticated("who are you")
        return self._think(found) if bearer.decode() in self.later else found

    def still(self, principal: Principal, head: Head, resource: str, *, keys: bool) -> bool:
        try:
            return self.identify(head, resource, keys=keys) is principal
        except NotAuthenticated:
            return False

    async def _think(self, found: Principal) -> Principal:
        return found


class Host:
    """A model host that the test plays: `answers` are taken in turn, the last one for ever; requests are kept."""

    def __init__(self, *answers: Response | BaseException) -> None:
        self.answers = list(answers)
        self.requests: list[Request] = []

    async def send(self, request: Request) -> Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, BaseException):
            raise answer
        return answer


class Counts:
    """A meter that keeps what it is told."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, str, int]] = []
        self.usages: list[tuple[str, Usage]] = []
        self.attempts: list[tuple[str, str]] = []
        self.in_flight = 0
        self.first_bytes = 0

    def request(self, surface: str, operation: str, deployment: str, status: int, seconds: float) -> None:
        assert seconds >= 0
        self.requests.append((surface, operation, deployment, status))

    def began(self) -> None:
        self.in_flight += 1

    def ended(self) -> None:
        self.in_flight -= 1

    def first_byte(self, surface: str, operation: str, deployment: str, seconds: float) -> None:
        self.first_bytes += 1

    def tokens(self, deployment: str, usage: Usage) -> None:
        self.usages.append((deployment, usage))

    def attempt(self, backend: str, outcome: str) -> None:
        self.attempts.append((backend, outcome))


class Told:
    """Keeps what is told of callers that are not let in."""

    def __init__(self) -> None:
        self.told: list[Refusal] = []

    def refused(self, refusal: Refusal) -> None:
        self.told.append(refusal)


class Door:
    """What a client of the gateway would do, without HTTP in between."""

    def __init__(self, gateway: Gateway, counts: Counts, hosts: dict[str, Host], refusals: Told) -> None:
        self.gateway = gateway
        self.counts = counts
        self.hosts = hosts
        self.refusals = refusals

    @property
    def host(self) -> Host:
        return self.hosts["one"]

    async def post(self, target: str, body: object, **headers: str) -> Reply:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        accepted = self.gateway.accept(head(target, **headers))
        if isinstance(accepted, Admitted):
            return await accepted.answer(raw)
        assert isinstance(accepted, Reply)
        return accepted

    def get(self, target: str, **headers: str) -> Reply:
        reply = self.gateway.accept(head(target, method="GET", **headers))
        assert isinstance(reply, Reply)
        return reply


def head(target: str, *, method: str = "POST", key: str | None = KEY, **headers: str) -> Head:
    """A request's head; header names are given with `_` for `-`."""
    path, _, query = target.partition("?")
    fields = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
    if key is not None:
        fields.setdefault(b"api-key", key.encode())
    return Head(method=method.encode(), raw_path=path.encode(), query=query.encode(), headers=fields)


def answer(body: Any, status: int = 200, **headers: str) -> Response:
    """A host's whole answer."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    fields = {b"content-type": b"application/json"}
    fields |= {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
    return Response(status=status, headers=fields, body=raw)


def streamed(*pieces: bytes | Exception, closed: list[bool] | None = None) -> Response:
    """A host's stream; an exception among the pieces is raised in its place."""

    async def stream():
        try:
            for piece in pieces:
                if isinstance(piece, Exception):
                    raise piece
                yield piece
        finally:
            if closed is not None:
                closed.append(True)

    return Response(status=200, headers={b"content-type": b"text/event-stream"}, stream=stream())


def make_door(
    *answers: Response | BaseException,
    second: Host | None = None,
    model: str | None = None,
    known: "Known | None" = None,
    families: Families = NONE,
    keep: Keep | None = None,
) -> Door:
    """A door to deployments `chat` and `vectors`, and route `default`, on hosts `one` and, if given, `two`."""
    hosts = {"one": Host(*answers)} | ({"two": second} if second else {})
    counts, clock, refusals = Counts(), VirtualClock(), Told()
    backends = tuple(
        Backend(
            name=name,
            provider=OpenAICompatible(name, OpenAICompatibleSettings(base_url=f"http://{name}/v1")),
            sender=host,
            model=model or "served-model",
        )
        for name, host in hosts.items()
    )
    deployments = {
        name: Deployment(name=name, facts=ModelSettings(type=kind, publisher="Somebody"), backends=backends)
        for name, kind in (("chat", "chat_completion"), ("vectors", "embeddings"))
    }
    directory = Directory(deployments, {"default": Route(chain=("chat",))}, created=1_700_000_000)
    resource = Resource(
        name=RESOURCE,
        surface_of=surface_of(directory, ["sales"], families),
        directory=directory,
        onions={
            name: compose([CountUsage(name, counts)], Attempts(Pool(deployment, clock, Unmetered()), counts))
            for name, deployment in deployments.items()
        },
    )
    numbers = iter(range(1_000_000))
    parts = Parts(
        resource_of=lambda _: resource,
        identity=known or Known(),
        meter=counts,
        traffic=counts,
        clock=clock,
        new_id=lambda: f"id-{next(numbers)}",
        max_body=1_000_000,
        refusals=refusals,
        keep=keep,
    )
    return Door(Gateway(parts), counts, hosts, refusals)
