"""What is kept of a role assignment: which role, to whom, where."""

import hashlib
import logging
import re
from typing import Literal

import msgspec

from forehearth.core.document import Document
from forehearth.core.place import Place

KIND = "role_assignment"
"""The kind of document that a record is kept as."""
ID_PREFIX = "assignment_"
PrincipalType = Literal["user", "group", "application", "app_role", "key"]
_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_ID_BYTES = 16
_log = logging.getLogger("forehearth.identity")


class AssignmentRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A role assignment. A member that is not known here makes the record unreadable: it could be a bound."""

    id: str
    role: str
    """By its name of today."""
    principal_type: PrincipalType
    principal_id: str
    """The object id, the client id, the app role or the key's id; GUIDs in small letters."""
    principal_name: str = ""
    """What a key is called, or somebody of the development issuer, for those who read it."""
    issuer: str = ""
    """The issuer's name in the configuration; empty for keys. An id means nothing without it."""
    tenant: str = ""
    """Only to holders from this directory; to all when empty."""
    resource: str
    project: str = ""
    agent: str = ""
    created: int = 0
    """Unix seconds; 0 for those of the configuration."""

    @property
    def place(self) -> Place:
        """Where it holds."""
        return Place(resource=self.resource, project=self.project, agent=self.agent)


def with_id(record: AssignmentRecord) -> AssignmentRecord:
    """The record under the id that it always has: the same role to the same one at the same place is one assignment."""
    said = (
        record.role,
        record.principal_type,
        record.principal_id,
        record.issuer,
        record.tenant,
        record.resource,
        record.project,
        record.agent,
    )
    digest = hashlib.blake2b("\0".join(said).encode(), digest_size=_ID_BYTES).hexdigest()
    return msgspec.structs.replace(record, id=f"{ID_PREFIX}{digest}")


def is_guid(text: str) -> bool:
    """Whether an id has the form of a GUID, as all have in Entra ID."""
    return _GUID.fullmatch(text) is not None


def plain_id(text: str) -> str:
    """An id as it is compared: GUIDs are the same in capitals, other ids are not."""
    return text.lower() if is_guid(text) else text


def encode(record: AssignmentRecord) -> bytes:
    """The record as it is kept."""
    return msgspec.json.encode(record)


def decode(body: bytes) -> AssignmentRecord:
    """Read what `encode` wrote. Raises `msgspec.DecodeError` for everything else."""
    return msgspec.json.decode(body, type=AssignmentRecord)


def read(document: Document) -> AssignmentRecord | None:
    """The record in a document; None, and a line in the log, where there is none that is understood."""
    try:
        return decode(document.body)
    except msgspec.DecodeError as error:
        _log.error("the role assignment %s in %s cannot be read: %s", document.id, document.place.resource, error)
        return None
