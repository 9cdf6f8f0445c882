"""What the store says of callers, handed to those who know them: keys to the ring, roles to whom they were given."""

from collections.abc import Callable, Mapping, Sequence

from forehearth.core.document import Document
from forehearth.documents.watch import Learn
from forehearth.identity import assignment_records, key_records, roles
from forehearth.identity.assignment_records import AssignmentRecord
from forehearth.identity.assignments import Assignments
from forehearth.identity.key_records import KeyRecord
from forehearth.identity.keys import KeyRing
from forehearth.identity.roles import Role

WHAT = "keys and role assignments"


class StoredIdentities:
    """Keys and role assignments as the store has them.

    `forget` is called when holders of tokens may do something else than before.
    """

    def __init__(self, ring: KeyRing, assignments: Assignments, forget: Callable[[], None]) -> None:
        self._ring = ring
        self._assignments = assignments
        self._forget = forget
        self._keys: tuple[KeyRecord, ...] = ()
        self._given: tuple[AssignmentRecord, ...] = ()

    @property
    def followed(self) -> Mapping[str, Learn]:
        """Who learns which kind of document. Roles come after keys: a key that was given one is told to need it."""
        return {key_records.KIND: self._learn_keys, assignment_records.KIND: self._learn_assignments}

    def _learn_keys(self, documents: Sequence[Document]) -> None:
        self._keys = tuple(each for document in documents if (each := key_records.read(document)) is not None)
        self._fill_ring()

    def _learn_assignments(self, documents: Sequence[Document]) -> None:
        records = (assignment_records.read(document) for document in documents)
        self._given = tuple(each for each in records if each is not None)
        self._assignments.replace(self._given)
        self._forget()
        self._fill_ring()

    def _fill_ring(self) -> None:
        self._ring.replace(self._keys, roles_of_keys(self._given))


def roles_of_keys(records: Sequence[AssignmentRecord]) -> Mapping[str, Sequence[Role]]:
    """The roles that were given to keys, by a key's id."""
    found: dict[str, list[Role]] = {}
    for record in records:
        role = roles.find(record.role)
        if record.principal_type == "key" and role is not None and not record.project:
            found.setdefault(record.principal_id, []).append(role)
    return found
