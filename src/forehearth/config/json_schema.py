"""The configuration's types as a JSON Schema (draft 2020-12), for editors that complete and check YAML."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import msgspec.inspect as types

from forehearth.config import secrets
from forehearth.config.belonging import PROVIDER
from forehearth.config.binding import shape
from forehearth.config.docstrings import Docstrings
from forehearth.config.scalars import choices
from forehearth.core.secret import Secret
from forehearth.core.settings import ProviderSettings, Settings

Schema = dict[str, Any]

_BOUNDS = {
    "ge": "minimum",
    "gt": "exclusiveMinimum",
    "le": "maximum",
    "lt": "exclusiveMaximum",
    "multiple_of": "multipleOf",
}


def schema(providers: Mapping[str, type[ProviderSettings]]) -> Schema:
    """The schema of the whole file, with these kinds of backend."""
    writer = _Writer(providers)
    top = writer.of(types.type_info(Settings))
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "forehearth.yaml",
        **writer.definitions[_name(Settings)],
        "$defs": {name: each for name, each in sorted(writer.definitions.items()) if f"#/$defs/{name}" != top["$ref"]},
    }


def plain(value: object) -> object:
    """A default as it would be written in the file."""
    if isinstance(value, msgspec.Struct):
        fields = msgspec.structs.fields(value)
        return {each.encode_name: plain(getattr(value, each.name)) for each in fields}
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, list | tuple | set | frozenset) else value


class _Writer:
    def __init__(self, providers: Mapping[str, type[ProviderSettings]]) -> None:
        self._providers = providers
        self._docstrings = Docstrings()
        self._names: dict[type, str] = {}
        self.definitions: dict[str, Schema] = {}

    def of(self, type_: types.Type) -> Schema:
        """The schema of one type; structs become definitions."""
        wanted = shape(type_)
        written = self._one(wanted.type)
        if (
            "amount" in wanted.extra
        ):  # text for the sake of exactness: nobody quotes it, and no editor is to ask for that
            written["type"] = ["string", "number"]
        return {**written, "description": wanted.words} if wanted.words else written

    def _one(self, type_: types.Type) -> Schema:
        if isinstance(type_, types.StructType):
            return {"$ref": f"#/$defs/{self._define(type_)}"}
        if isinstance(type_, types.UnionType):
            return _either([self.of(each) for each in type_.types])
        if isinstance(type_, types.DictType):
            return {
                "type": "object",
                "propertyNames": self.of(type_.key_type),
                "additionalProperties": self.of(type_.value_type),
            }
        if isinstance(type_, types.CollectionType):
            limits = {"minItems": type_.min_length, "maxItems": type_.max_length}
            return {"type": "array", "items": self.of(type_.item_type), **_given(limits)}
        if isinstance(type_, types.CustomType) and type_.cls is Secret:
            return {"type": "string", "pattern": secrets.PATTERN}
        return _SINGLE[type(type_)](type_)

    def _define(self, type_: types.StructType) -> str:
        name = self._names.get(type_.cls)
        if name is None:
            name = _name(type_.cls)
            while name in self.definitions:
                name += "_"
            self._names[type_.cls] = name
            self.definitions[name] = {}
            is_backend = type_.cls is ProviderSettings
            self.definitions[name] = self._backends() if is_backend else self._struct(type_)
        return name

    def _backends(self) -> Schema:
        """One backend: which keys it has hangs on its provider."""
        options = []
        for provider, cls in self._providers.items():
            type_ = types.type_info(cls)
            if isinstance(type_, types.StructType):
                options.append(self._struct(type_, provider))
        return {"type": "object", "required": [PROVIDER], "oneOf": options}

    def _struct(self, type_: types.StructType, provider: str | None = None) -> Schema:
        about = self._docstrings.about(type_.cls)
        properties: Schema = {}
        required: list[str] = []
        if provider is not None:
            properties[PROVIDER] = {"const": provider, "description": about.text}
            required.append(PROVIDER)
        if type_.tag_field is not None:
            properties[type_.tag_field] = {"const": type_.tag}
            required.append(type_.tag_field)
        for field in type_.fields:
            member = self.of(field.type)
            text = about.members.get(field.name)
            if text:
                member["description"] = " ".join(text.split())
            member.update(_default(field))
            properties[field.encode_name] = member
            if field.required or shape(field.type).extra.get("required"):
                required.append(field.encode_name)
        written: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
        if about.text:
            written["description"] = " ".join(about.text.split())
        return {**written, "required": required} if required else written


def _default(field: types.Field) -> Schema:
    if field.default is not msgspec.NODEFAULT:
        value = plain(field.default)
    elif field.default_factory is not msgspec.NODEFAULT:
        value = plain(field.default_factory())
    else:
        return {}
    return {} if value is None or isinstance(field.default, msgspec.Struct) else {"default": value}


def _name(cls: type) -> str:
    return "Backend" if cls is ProviderSettings else cls.__name__.removesuffix("Settings") or "Settings"


def _either(options: Sequence[Schema]) -> Schema:
    """One of several; `null` beside a simple type is written in its `type`, as editors show it best."""
    others = [each for each in options if each != {"type": "null"}]
    if len(others) == len(options) or len(others) != 1:
        return {"anyOf": list(options)}
    only = others[0]
    if isinstance(only.get("type"), str) and "enum" not in only:
        return {**only, "type": [only["type"], "null"]}
    return {"anyOf": [only, {"type": "null"}]}


def _text(type_: types.StrType) -> Schema:
    words = choices(type_.pattern)
    if words:
        return {"type": "string", "enum": words}
    limits = {"minLength": type_.min_length, "maxLength": type_.max_length, "pattern": type_.pattern}
    return {"type": "string", **_given(limits)}


def _figure(type_: types.IntType | types.FloatType) -> Schema:
    name = "integer" if isinstance(type_, types.IntType) else "number"
    return {"type": name, **_given({word: getattr(type_, bound) for bound, word in _BOUNDS.items()})}


def _given(limits: Mapping[str, object]) -> Schema:
    return {name: value for name, value in limits.items() if value is not None}


_SINGLE: Mapping[type[types.Type], Callable[[Any], Schema]] = {
    types.AnyType: lambda _: {},
    types.BoolType: lambda _: {"type": "boolean"},
    types.NoneType: lambda _: {"type": "null"},
    types.IntType: _figure,
    types.FloatType: _figure,
    types.StrType: _text,
    types.LiteralType: lambda type_: {"enum": list(type_.values)},
    types.EnumType: lambda type_: {"enum": [each.value for each in type_.cls]},
}
