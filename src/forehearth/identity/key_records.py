"""What is kept of a key: who holds it, what it opens, and of its secrets only keyed hashes."""

import hashlib
import logging
from collections.abc import Iterable

import msgspec

from forehearth.core.call import Operation
from forehearth.core.document import Document
from forehearth.core.permission import CLASSIC_AGENTS, CONTROL, Permission
from forehearth.core.place import Place
from forehearth.core.principal import Grant
from forehearth.identity.roles import Role, allowed, named

_log = logging.getLogger("forehearth.identity")

KIND = "key"
"""The kind of document that a record is kept as."""
MOST_SECRETS = 2
"""How many secrets of one key are good at the same time: while it is changed for a new one, the old and the new."""
_PURPOSE = b"forehearth.key"

OPERATIONS: dict[Operation, frozenset[Permission]] = {
    Operation.CHAT: frozenset({Permission.CHAT, Permission.MODELS_CHAT}),
    Operation.COMPLETIONS: frozenset({Permission.COMPLETIONS}),
    Operation.EMBEDDINGS: frozenset({Permission.EMBEDDINGS, Permission.MODELS_EMBEDDINGS}),
    Operation.TRANSCRIPTIONS: frozenset({Permission.AUDIO}),
    Operation.TRANSLATIONS: frozenset({Permission.AUDIO}),
    Operation.SPEECH: frozenset({Permission.AUDIO}),
    Operation.IMAGES: frozenset({Permission.IMAGES}),
    Operation.IMAGE_EDITS: frozenset({Permission.IMAGES}),
}
"""What each operation takes, on all surfaces."""
READING = frozenset(
    {
        Permission.READ_MODELS,
        Permission.READ_OPENAI_DEPLOYMENTS,
        Permission.READ_DEPLOYMENTS,
        Permission.MODELS_INFO,
    }
)
"""What every key may do: see what there is."""
KEEPING = frozenset({Permission.READ_RESPONSES, Permission.WRITE_RESPONSES, Permission.DELETE_RESPONSES})
"""What a key may do with what is kept between calls, unless it is limited to some operations."""
STORED = frozenset(
    {
        Permission.READ_STORED,
        Permission.CHANGE_STORED,
        Permission.READ_FILES,
        Permission.WRITE_FILES,
        Permission.DELETE_FILES,
    }
    | CLASSIC_AGENTS
)
"""What a key may do with everybody's stored answers, files and classic agents, unless it is limited in any way to some
calls."""
INFERENCE = READING.union(KEEPING, STORED, *OPERATIONS.values())
"""What a key without limits opens of its resource."""
_ASSIGNED_BY_KEYS = frozenset(named("Foundry Account Owner").assigns or ())
"""A key that opens `/admin` gives holders of tokens what a Foundry Account Owner may give: whoever is one could make
such a key."""


class KeySecret(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One secret of a key. What callers send is shown once and kept nowhere."""

    id: str
    digest: str
    """Its keyed hash, in hexadecimal."""
    hint: str
    """Its last characters, to tell secrets apart."""
    created: int
    expires: int | None = None
    """When it ends, in Unix seconds, where that is before the key does."""


class KeyRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key. None is no bound. A member that is not known here makes the record unreadable: it could be a bound."""

    id: str
    name: str
    """Who holds it."""
    resource: str
    admin: bool = False
    """Whether it opens `/admin`, too."""
    enrich: bool = False
    """Whether it opens of `/admin` the jobs of enrichment."""
    deployments: tuple[str, ...] | None = None
    operations: tuple[Operation, ...] | None = None
    projects: tuple[str, ...] | None = None
    """The only projects that it is for. Inference asks none of a key's projects, as those take tokens alone: such a
    key opens none."""
    networks: tuple[str, ...] | None = None
    """Where it may be used from."""
    product: str | None = None
    """The product that its calls are of: they have its limits, and are for its deployments alone."""
    roles_only: bool = False
    """Whether it opens what its roles allow, and nothing while it has none. A key that was given a role stays so."""
    expires: int | None = None
    """When it ends, in Unix seconds."""
    created: int
    secrets: tuple[KeySecret, ...]

    def ends(self, secret: KeySecret) -> float:
        """When a secret of this key is no longer good."""
        return min(_or_never(self.expires), _or_never(secret.expires))

    def live(self, now: float) -> tuple[KeySecret, ...]:
        """Its secrets that are good."""
        return tuple(each for each in self.secrets if now < self.ends(each))

    def inference(self, given: Iterable[Role] = ()) -> frozenset[Permission]:
        """What it opens of inference, where these roles are `given` to it: what they allow, within its own limits."""
        if self.projects is not None:
            return frozenset()
        operations = OPERATIONS if self.operations is None else self.operations
        kept = KEEPING if self.operations is None else frozenset[Permission]()
        limited = (self.operations, self.deployments, self.product) != (None, None, None)
        own = READING.union(
            kept, frozenset[Permission]() if limited else STORED, *(OPERATIONS[each] for each in operations)
        )
        held = tuple(given)
        if not (self.roles_only or held):
            return own
        return own & frozenset[Permission]().union(*(allowed(each, Place(resource=self.resource)) for each in held))

    def grants(self, given: Iterable[Role] = ()) -> tuple[Grant, ...]:
        """What it opens. `/admin` is opened by how it was made, and by no role: a role adds to inference alone."""
        opens = self.inference(given)
        if not self.admin:
            return (grant(self.resource, opens | {Permission.ENRICH} if self.enrich else opens),)
        return (grant(self.resource, opens | CONTROL, assigns=_ASSIGNED_BY_KEYS),)


def grant(resource: str, permissions: frozenset[Permission], *, assigns: frozenset[str] | None = frozenset()) -> Grant:
    """Keys are of a resource, and end where its projects begin."""
    return Grant(place=Place(resource=resource), permissions=permissions, resource_level=True, assigns=assigns)


class Digester:
    """Hashes the texts of keys with the secret of an installation, its pepper: without it, a hash is of no use."""

    __slots__ = ("_keyed",)

    def __init__(self, pepper: bytes) -> None:
        self._keyed = hashlib.blake2b(key=pepper, digest_size=32, person=_PURPOSE)

    def __call__(self, text: bytes) -> bytes:
        """The hash of one text."""
        hashing = self._keyed.copy()
        hashing.update(text)
        return hashing.digest()


def encode(record: KeyRecord) -> bytes:
    """The record as it is kept."""
    return msgspec.json.encode(record)


def decode(body: bytes) -> KeyRecord:
    """Read what `encode` wrote. Raises `msgspec.DecodeError` for everything else."""
    return msgspec.json.decode(body, type=KeyRecord)


def read(document: Document) -> KeyRecord | None:
    """The record in a document; None, and a line in the log, where there is none that is understood."""
    try:
        return decode(document.body)
    except msgspec.DecodeError as error:
        _log.error("the key %s in %s cannot be read: %s", document.id, document.place.resource, error)
        return None


def _or_never(moment: int | None) -> float:
    return float("inf") if moment is None else moment
