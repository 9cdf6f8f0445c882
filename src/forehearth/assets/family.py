"""What may stand in an index or a dataset, and which of it stays as it was made.

Source of members, and of which of them can be changed: the models of `azure-ai-projects` 2.10.0. They have no limits of
lengths; the one here is on the whole.
"""

from collections.abc import Mapping
from typing import Annotated

import msgspec

from forehearth.core.errors import InvalidField
from forehearth.core.misfit import misfit

LONGEST = 64 * 1024
"""Bytes of all members of a version, as JSON."""
_DEEPEST = 32
_GIVEN = frozenset({"id", "name", "version"})
_CHANGEABLE = frozenset({"description", "tags"})
_Text = Annotated[str, msgspec.Meta(min_length=1)]
_Uri = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z][A-Za-z0-9+.-]*:[^\s]+$")]

Members = Mapping[str, object]
"""What a caller said of a version, as JSON that was decoded."""


class _Asset(msgspec.Struct, kw_only=True, rename="camel"):
    description: str | None = None
    tags: dict[str, str] | None = None


class _FieldMapping(msgspec.Struct, kw_only=True, rename="camel"):
    content_fields: list[str]
    filepath_field: str | None = None
    title_field: str | None = None
    url_field: str | None = None
    vector_fields: list[str] | None = None
    metadata_fields: list[str] | None = None


class _Embedding(msgspec.Struct, kw_only=True, rename="camel"):
    model_deployment_name: _Text
    embedding_field: _Text


class _Search(_Asset, kw_only=True, rename="camel"):
    connection_name: _Text
    index_name: _Text
    field_mapping: _FieldMapping | None = None


class _Cosmos(_Asset, kw_only=True, rename="camel"):
    connection_name: _Text
    database_name: _Text
    container_name: _Text
    embedding_configuration: _Embedding
    field_mapping: _FieldMapping


class _Managed(_Asset, kw_only=True, rename="camel"):
    vector_store_id: _Text


class _Data(_Asset, kw_only=True, rename="camel"):
    data_uri: _Uri
    connection_name: _Text | None = None


class Family(msgspec.Struct, frozen=True, kw_only=True):
    """One sort of assets."""

    kind: str
    """What one is called, in messages and in the store."""
    types: Mapping[str, type[msgspec.Struct]]
    """By the member `type`: what is checked of the other members."""
    given: frozenset[str] = _GIVEN
    """Members that the server says itself; a caller's are not looked at."""

    def patched(self, before: Members, patch: Members) -> Members:
        """What stands there after `patch`, a JSON merge patch (RFC 7396); `before` is empty for a new version.

        Raises `InvalidField` with the path of what is wrong, and for a member that is to stay as it was made.
        """
        changes = {name: value for name, value in patch.items() if name not in self.given}
        members = _merged(before, changes, _DEEPEST)
        form = self._form(members)
        try:
            msgspec.convert(members, form)
        except msgspec.ValidationError as error:
            raise misfit(str(error)) from None
        if before:
            self._require_kept(before, members, form)
        _require_encodable(members)
        return members

    def _form(self, members: Members) -> type[msgspec.Struct]:
        kind = members.get("type")
        if kind is None:
            raise InvalidField("Missing required parameter: 'type'.", param="type")
        form = self.types.get(kind) if isinstance(kind, str) else None
        if form is None:
            raise InvalidField(f"Invalid value for 'type': there are {', '.join(self.types)}.", param="type")
        return form

    def _require_kept(self, before: Members, members: Members, form: type[msgspec.Struct]) -> None:
        """`type` comes first: with another one the other members are others."""
        for name in ("type", *form.__struct_encode_fields__):
            if name not in _CHANGEABLE and before.get(name) != members.get(name):
                raise InvalidField(
                    f"'{name}' of a version cannot be changed: write another version of the {self.kind}.", param=name
                )


INDEXES = Family(
    kind="index",
    types={"AzureSearch": _Search, "CosmosDBNoSqlVectorStore": _Cosmos, "ManagedAzureSearch": _Managed},
)
DATASETS = Family(
    kind="dataset", types={"uri_file": _Data, "uri_folder": _Data}, given=_GIVEN | frozenset({"isReference"})
)


def _merged(before: Members, patch: Members, depth: int) -> dict[str, object]:
    if not depth:
        raise InvalidField(f"The body's objects are nested more than {_DEEPEST} deep.")
    merged = dict(before)
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, dict):
            there = merged.get(name)
            merged[name] = _merged(there if isinstance(there, dict) else {}, value, depth - 1)
        else:
            merged[name] = value
    return merged


def _require_encodable(members: Members) -> None:
    try:
        length = len(msgspec.json.encode(members))
    except RecursionError:
        raise InvalidField("The body is nested too deeply to be kept.") from None
    if length > LONGEST:
        raise InvalidField(f"A version has at most {LONGEST} bytes, and this one {length}.")
