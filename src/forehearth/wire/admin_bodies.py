"""What the admin API reads and shows: queries and bodies, strictly; keys and audit records, as JSON."""

import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Self, TypeVar
from urllib.parse import parse_qsl

import msgspec

from forehearth.admin.key_scope import KeyScope
from forehearth.core.audit import AuditRecord
from forehearth.core.errors import InvalidField, MalformedBody, UnknownField
from forehearth.identity.key_records import KeyRecord, KeySecret

LONGEST_BODY = 65_536
DEFAULT_LIMIT = 20
_MOST_PARAMETERS = 20
_MOMENT = msgspec.Meta(tz=True)
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<name>.*?)`", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(?P<name>\w+)`")
_AT = re.compile(r"^(?P<what>.*?)(?: - at `\$\.?(?P<path>.*)`)?$", re.DOTALL)
_NUMBER = re.compile(r"[0-9]{1,18}")
_SHOWN = 100
"""Characters of what a caller wrote that are said back."""

Body = TypeVar("Body", bound=msgspec.Struct)


class NewKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """The body that asks for a key. What it does not have cannot be set: resource, ids, times and secrets are ours."""

    name: str
    admin: bool = False
    enrich: bool = False
    deployments: tuple[str, ...] | None = None
    operations: tuple[str, ...] | None = None
    projects: tuple[str, ...] | None = None
    networks: tuple[str, ...] | None = None
    product: str | None = None
    expires: Annotated[datetime, _MOMENT] | None = None
    roles_only: bool = False

    def scope(self) -> KeyScope:
        """The same, as `admin` has it."""
        expires = None if self.expires is None else int(self.expires.timestamp())
        return KeyScope(**(msgspec.structs.asdict(self) | {"expires": expires}))


class Rotation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """The body that asks for a new secret of a key."""

    overlap_seconds: Annotated[int, msgspec.Meta(ge=0, le=366 * 86_400)] = 86_400
    """How long the secret before goes on."""
    now: bool = False
    """Whether every secret before ends at once."""


class SecretView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One secret of a key, as it is shown."""

    id: str
    hint: str
    created: datetime
    expires: datetime | None

    @classmethod
    def of(cls, secret: KeySecret) -> Self:
        """What may be seen of it."""
        return cls(
            id=secret.id, hint=secret.hint, created=moment(secret.created), expires=moment_or_none(secret.expires)
        )


class KeyView(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A key, as it is shown."""

    id: str
    name: str
    resource: str
    state: str
    admin: bool
    enrich: bool
    deployments: tuple[str, ...] | None
    operations: tuple[str, ...] | None
    projects: tuple[str, ...] | None
    networks: tuple[str, ...] | None
    product: str | None
    roles_only: bool
    created: datetime
    expires: datetime | None
    secrets: tuple[SecretView, ...]
    key: str = ""
    """What callers send, this once."""

    @classmethod
    def of(cls, record: KeyRecord, now: float, key: str = "") -> Self:
        """What may be seen of it."""
        return cls(
            id=record.id,
            name=record.name,
            resource=record.resource,
            state="live" if record.live(now) else "expired",
            admin=record.admin,
            enrich=record.enrich,
            deployments=record.deployments,
            operations=record.operations,
            projects=record.projects,
            networks=record.networks,
            product=record.product,
            roles_only=record.roles_only,
            created=moment(record.created),
            expires=moment_or_none(record.expires),
            secrets=tuple(SecretView.of(each) for each in record.secrets),
            key=key,
        )


class AuditView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A record of the audit log, as it is shown."""

    id: str
    time: datetime
    actor: str
    actor_kind: str
    action: str
    project: str
    target: str
    allowed: bool
    status: int
    request_id: str
    detail: str

    @classmethod
    def of(cls, record: AuditRecord) -> Self:
        """What may be seen of it."""
        return cls(
            id=str(record.sequence),
            time=moment(record.at),
            actor=record.actor,
            actor_kind=record.actor_kind,
            action=record.action,
            project=record.project,
            target=record.target,
            allowed=record.allowed,
            status=record.status,
            request_id=record.request_id,
            detail=record.detail,
        )


class AdminError(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What went wrong, in the form of Azure's core."""

    code: str
    message: str
    target: str | None = None
    """The member or parameter that is to blame."""
    details: list["AdminError"] = []
    """Each of several things that are wrong."""


class AdminFailure(msgspec.Struct, frozen=True, kw_only=True):
    """The body of every answer that is an error."""

    error: AdminError


class Page(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Some of many things, and where the next ones are."""

    value: tuple[msgspec.Struct, ...]
    next_link: str = ""


def in_words(record: KeyRecord) -> str:
    """What a key opens, for the audit log: all that limits it, and nothing of its secrets."""
    lists = {name: getattr(record, name) for name in ("deployments", "operations", "projects", "networks")}
    words = [f"{name}={','.join(given)}" for name, given in lists.items() if given is not None]
    end = [] if record.expires is None else [f"expires={moment(record.expires).isoformat()}"]
    told = (("admin", record.admin), ("enrich", record.enrich), ("roles only", record.roles_only))
    marks = [word for word, is_so in told if is_so]
    product = [] if record.product is None else [f"product={record.product}"]
    return "; ".join([record.name, *marks, *product, *words, *end])


def read(body: bytes, form: type[Body]) -> Body:
    """The body. Raises `MalformedBody`, `InvalidField` or `UnknownField`, which name what is wrong."""
    try:
        return msgspec.json.decode(body, type=form)
    except msgspec.ValidationError as error:
        raise _invalid(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise MalformedBody("The body is not valid JSON; send a JSON object.") from None


def read_any(body: bytes) -> dict[str, Any]:
    """The body, an object that others look into. Raises `MalformedBody`."""
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise MalformedBody("The body is not a JSON object; send one.") from None


def query(text: bytes, known: Collection[str]) -> Mapping[str, str]:
    """The parameters of a query, each once and none that is not known. Raises `InvalidField` or `UnknownField`."""
    try:
        pairs = parse_qsl(
            text.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(text),
            errors="strict",
            max_num_fields=_MOST_PARAMETERS,
        )
    except ValueError:
        raise InvalidField("The query cannot be read: it must be name=value, joined with '&'.") from None
    found: dict[str, str] = {}
    for name, value in pairs:
        shown = name[:_SHOWN]
        if name not in known:
            raise UnknownField(f"Unrecognized query parameter: '{shown}'.", param=shown)
        if name in found:
            raise InvalidField(f"The query parameter '{shown}' is there more than once.", param=shown)
        found[name] = value
    return found


def count(text: str | None, *, most: int) -> int:
    """The parameter `limit`. Raises `InvalidField`."""
    if text is None:
        return DEFAULT_LIMIT
    if not (_NUMBER.fullmatch(text) and 1 <= int(text) <= most):
        raise InvalidField(f"Invalid value for 'limit': expected a number from 1 to {most}.", param="limit")
    return int(text)


def sequence(text: str | None) -> int | None:
    """The parameter `after` of the audit log. Raises `InvalidField`."""
    if text is None:
        return None
    if not _NUMBER.fullmatch(text):
        raise InvalidField("Invalid value for 'after': expected the id of a record.", param="after")
    return int(text)


def since(text: str | None, name: str = "since") -> float | None:
    """The parameter `since`, or another one that is a time. Raises `InvalidField`."""
    if text is None:
        return None
    try:
        found: datetime = msgspec.convert(text, Annotated[datetime, _MOMENT])
    except msgspec.ValidationError:
        raise InvalidField(
            f"Invalid value for '{name}': expected a time such as 2027-01-31T00:00:00Z.", param=name
        ) from None
    return found.timestamp()


def moment(unix: float) -> datetime:
    """Unix seconds as JSON shows them."""
    return datetime.fromtimestamp(unix, UTC)


def moment_or_none(unix: float | None) -> datetime | None:
    """The same, or nothing."""
    return None if unix is None else moment(unix)


def _invalid(text: str) -> InvalidField | UnknownField:
    found = _AT.match(text)
    what, path = (found["what"], found["path"] or "") if found else (text, "")
    unknown = _UNKNOWN.match(what)
    if unknown:
        name = unknown["name"][:_SHOWN]
        return UnknownField(f"Unrecognized request argument supplied: {name}.", param=name)
    missing = _MISSING.match(what)
    if missing:
        return InvalidField(f"Missing required parameter: '{missing['name']}'.", param=missing["name"])
    expected = what[:1].lower() + what[1:].replace("`", "")
    if not path:
        return InvalidField(f"The body must be a JSON object: {expected}.")
    return InvalidField(f"Invalid value for '{path}': {expected}.", param=path)
